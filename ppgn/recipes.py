"""The authors' own settings by name: what their seven scripts run, on any pipeline and condition.

    d = e1 (R(h) - h) + e2 d log p/dh + N(0, e3^2);    h <- clip(h + s d / mean|d|, 0, 30)

from github.com/Evolving-AI-Lab/ppgn (its 1_...sh to 7_...sh and sampler.py). They reach full marks from their own
condition and collapse: benchmarks/README.md says how far; our own settings are those a pipeline recommends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

from ppgn import priors, samplers
from ppgn.conditions import walk
from ppgn.pipeline import Pipeline
from ppgn.types import Filling, Prior, Sampler

Asks = Literal["label", "unit", "caption", "inpaint"]
EPS_OF_LAPS = (1e-6, 1e-2)  # e1 of each lap of a long chain is drawn between them, which they call experimental
PIXELS = 255  # the range of their pixels; of ours, 1


@dataclass(frozen=True)
class Recipe:
    """One script's settings.

    asks         what its condition is: "label", "unit", "caption" or "inpaint"
    eps_prior    e1; e2 is 1 in all
    eps_noise    e3, a standard deviation; 1e-17 is nothing beside the other terms
    step_size    s at the first step and at the last, linear between
    objective    of a class or unit: the value of log p, its own entry's gradient alone; "log_prob" for sentences
    start        "normal" codes, or the code of an "image"
    each         steps that one class of several has in turn; None: one condition throughout
    restart      the chain leaves for a new normal code, and a new e1, every so many steps; None: never
    save_every   steps from one code that is kept to the next
    above        a code is kept if its probability is greater; None: all are
    eps_known    e4, the weight of known pixels, in their units
    """

    name: str
    about: str
    asks: Asks
    steps: int
    eps_prior: float = 1e-5
    eps_noise: float = 1e-17
    step_size: tuple[float, float] = (1.0, 1.0)
    objective: Literal["released", "log_prob"] = "released"
    start: Literal["normal", "image"] = "normal"
    each: int | None = None
    restart: int | None = None
    save_every: int = 5
    above: float | None = None
    eps_known: float | None = None

    @property
    def noise(self) -> float | None:
        """`inpaint`'s noise for pixels in [0, 1]: their e4 is 1 / noise^2 on a range of 255."""
        return None if self.eps_known is None else 1 / (PIXELS * math.sqrt(self.eps_known))

    def applied(self, pipeline: Pipeline) -> Pipeline:
        """The pipeline with the recipe's walk and start; known pixels are shown to the prior too, as theirs are.

        The condition is to be given before, with the recipe's `objective`, `noise` and `each`.

        >>> import ppgn
        >>> digits, asked = ppgn.load("mnist", "noiseless"), recipe("released/class")
        >>> seven = ppgn.conditions.class_label(digits.classifier, 7, objective=asked.objective)
        >>> samples = ppgn.sample(asked.applied(digits.given(seven)), n=2, steps=3, seed=0, progress=False)
        """
        known = [part for part in walk(pipeline.condition) if isinstance(part, Filling)]
        prior: Prior = priors.composited(pipeline.prior, known[0]) if len(known) == 1 else pipeline.prior
        if pipeline.latent_shape is None:
            raise ValueError("a recipe needs a pipeline with a latent_shape, to draw codes of")
        normal = priors.gaussian(pipeline.latent_shape)
        return replace(pipeline, prior=prior, start=normal, sampler=self.sampler)

    def sampler(self, pipeline: Pipeline) -> Sampler[Any]:
        """The walk alone."""
        first, last = self.step_size
        size = first if first == last else samplers.linear(first, last, self.steps)

        def of_lap(lap: int) -> Sampler[Any]:
            e1 = self.eps_prior if lap == 0 else samplers.redrawn(*EPS_OF_LAPS, every=1, seed=0)(lap)
            return samplers.mala_approx(pipeline, e1, 1.0, self.eps_noise, mode="released", step_size=size)

        if self.restart is None:
            return of_lap(0)
        shape = pipeline.latent_shape
        if shape is None:
            raise ValueError("a walk that restarts needs a pipeline with a latent_shape, to draw codes of")
        return samplers.restarting(of_lap, self.restart, priors.gaussian(shape))

    def told(self) -> str:
        """What it does, in some lines."""
        first, last = self.step_size
        sizes = f"{first:g}" if first == last else f"{first:g}, falling to {last:g}"
        lines = [
            f"{self.name}: {self.about}",
            f"  d = {self.eps_prior:g} (R(h) - h) + 1 d log p/dh + N(0, {self.eps_noise:g}^2)",
            f"  h <- clip(h + s d / mean|d|, 0, 30), s = {sizes}; {self.steps} steps from "
            f"{'normal codes' if self.start == 'normal' else 'the code of an image'}",
        ]
        if self.objective == "released":
            lines.append("  of the gradient of log p, the part of the class's or unit's own entry alone")
        if self.each is not None:
            lines.append(f"  the classes have {self.each} steps each, in turn")
        if self.restart is not None:
            low, high = EPS_OF_LAPS
            lines.append(f"  every {self.restart} steps a new normal code, and a new e1 from U({low:g}, {high:g})")
        if self.above is not None:
            lines.append(f"  every {self.save_every}th code is kept if p > {self.above:g}")
        if self.noise is not None:
            lines.append(
                f"  known pixels by e4 = {self.eps_known:g} on a range of 255: a noise of {self.noise:.0f} on [0, 1]; "
                "prior and condition see the composite"
            )
        return "\n".join(lines)


RECIPES = {
    one.name: one
    for one in (
        Recipe("released/class", "an image of a class (their script 1)", "label", 200),
        Recipe("released/classes-in-turn", "one chain over several classes (script 2)", "label", 200, each=100),
        Recipe(
            "released/hidden-unit", "what a hidden unit looks for (script 3: conv5 at its center)", "unit", 1000,
            restart=100, save_every=10, above=0.98,
        ),
        Recipe(
            "released/hidden-unit-places", "the same for a network of scenes (script 4)", "unit", 1000,
            eps_prior=1e-7, restart=100, save_every=10, above=0.98,
        ),
        Recipe(
            "released/caption", "an image of a sentence (script 5)", "caption", 200, eps_prior=1e-3,
            step_size=(1.0, 1e-10), objective="log_prob",
        ),
        Recipe(
            "released/from-image", "a real image on its way to a class (script 6)", "label", 200,
            step_size=(0.5, 0.5), start="image",
        ),
        Recipe(
            "released/inpainting", "a hole filled with a class (script 7)", "inpaint", 20, eps_noise=0.0,
            step_size=(1.0, 1e-32), start="image", save_every=1, eps_known=1e-9,
        ),
    )
}  # fmt: skip


def names() -> list[str]:
    """All recipes' names."""
    return list(RECIPES)


def recipe(name: str) -> Recipe:
    """One recipe. Raises ValueError naming those there are.

    >>> print(recipe("released/from-image").told())
    released/from-image: a real image on its way to a class (script 6)
      d = 1e-05 (R(h) - h) + 1 d log p/dh + N(0, 1e-17^2)
      h <- clip(h + s d / mean|d|, 0, 30), s = 0.5; 200 steps from the code of an image
      of the gradient of log p, the part of the class's or unit's own entry alone
    """
    if name not in RECIPES:
        raise ValueError(f"recipe must be one of {', '.join(RECIPES)}, got {name!r}")
    return RECIPES[name]
