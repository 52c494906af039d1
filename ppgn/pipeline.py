"""p(h | y) as a function: codes in, the terms a sampler needs out, by one call of the generator.

d log p(h | y) / dh = d log p(h) / dh + d log p(y | G(h)) / dh        (Nguyen et al. 2017, Eq. 3 and 8)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ppgn.checks import require_eval, require_shape
from ppgn.conditions import Unconditional, unconditional
from ppgn.types import Coded, Condition, Density, Generator, Prior, Rng, RowPrior, Sampler, Shaped, Terms, Varying

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Pipeline:
    """A generator, a prior and a condition, all left as they are: no flag, gradient or hook of theirs is changed.

    prior          p(h); None: the generator's own, as those of `ppgn.pretrained.generator` have
    condition      p(y | x); none unless given
    classifier     the network that `ppgn.load` offers for conditions; not used by the pipeline itself
    latent_shape   shape of one code; needed where codes have to be made; None: the generator's own, if it says so
    start          where `ppgn.sample` draws its first codes; None: the prior, or standard normals if it is no Density
    sampler        what `ppgn.sample` walks with if not told: builds a Sampler from this pipeline
    batch_size     evaluate at most so many chains at a time (memory); None: all at once
    origin         where the parts came from, for records, as {"model": "mnist", "variant": "joint"}
    encoder        x -> h, the codes of real images, where a walk may start; not used by the pipeline itself

    Raises ValueError if a network of it is in train mode, TypeError if the start is no Density or there is no prior.
    """

    generator: Generator
    prior: Prior = None  # type: ignore[assignment]  # never None once made
    condition: Condition = field(default_factory=unconditional)
    classifier: nn.Module | None = None
    latent_shape: tuple[int, ...] | None = None
    start: Density | None = None
    sampler: Callable[[Pipeline], Sampler[Any]] | None = None
    batch_size: int | None = None
    origin: Mapping[str, Any] = field(default_factory=dict)
    encoder: Callable[[Tensor], Tensor] | None = None

    def __post_init__(self) -> None:
        require_eval(self.generator, "generator")
        require_eval(self.encoder, "encoder")
        # frozen: what was left out can only be filled in like this
        if self.latent_shape is None and isinstance(self.generator, Shaped) and _is_shape(self.generator.latent_shape):
            object.__setattr__(self, "latent_shape", tuple(self.generator.latent_shape))
        # a network's part called prior need not be one
        if self.prior is None and isinstance(self.generator, Coded) and isinstance(self.generator.prior, Prior):
            object.__setattr__(self, "prior", self.generator.prior)
        if self.prior is None:
            raise TypeError(
                f"prior must be given, as ppgn.priors.gaussian(...): {type(self.generator).__name__} brings none of "
                "its own, as a generator of ppgn.pretrained.generator does"
            )
        if self.start is not None and not isinstance(self.start, Density):
            kind = type(self.start).__name__
            raise TypeError(f"start must be a Density, with log_prob and sample, as gaussian(...); {kind} has none")
        if self.batch_size is not None and self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {self.batch_size}")

    def given(self, condition: Condition) -> Pipeline:
        """The same generator and prior under another condition.

        >>> import ppgn
        >>> digits = ppgn.load("mnist")
        >>> sevens = digits.given(ppgn.conditions.class_label(digits.classifier, 7))
        """
        return replace(self, condition=condition)

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """The codes (B, *latent) of images (B, C, H, W) in [0, 1]: where a walk from real images starts.

        A walk down a ladder of noise starts at codes under noise, less of it the nearer it is to stay to the images:
        s for `sigma_max` both in the settings and here.

        Raises ValueError for a pipeline without an encoder, images of another shape than the generator's, and codes
        that are not shaped as its own.

        >>> import ppgn, torch
        >>> digits = ppgn.load("mnist", settings={"sigma_max": 2.0, "levels": 60})
        >>> h = digits.encode(torch.zeros(4, 1, 28, 28))  # of real digits rather
        >>> start = h + 2.0 * ppgn.random.streams(seed=1, n=4).normal(h, step=0, purpose="start")
        >>> samples = ppgn.sample(digits, n=4, steps=60, seed=0, start=start, progress=False)
        """
        if self.encoder is None:
            raise ValueError("encode needs a pipeline with an encoder, as Pipeline(..., encoder=network), got none")
        if images.ndim != 4 or not images.is_floating_point():
            raise ValueError(f"images must be float (B, C, H, W), got {images.dtype} {tuple(images.shape)}")
        if self.latent_shape is not None:
            made = self.generator(images.new_zeros(1, *self.latent_shape)).shape
            require_shape("images", images.shape, (len(images), *made[1:]), "as the generator makes them")
        size = self.batch_size or max(1, len(images))
        codes = torch.cat([self.encoder(part) for part in images.split(size)])
        if self.latent_shape is not None:
            require_shape("codes of the encoder", codes.shape, (len(images), *self.latent_shape), "as the generator's")
        return codes

    def rows(self, index: Tensor) -> Pipeline:
        """The same pipeline for those chains, in that order: each keeps its own label."""
        prior = self.prior.rows(index) if isinstance(self.prior, RowPrior) else self.prior
        return replace(self, condition=self.condition.rows(index), prior=prior)

    @property
    def varies(self) -> bool:
        """Whether the condition is another at each step, as `ppgn.conditions.views`."""
        return isinstance(self.condition, Varying) and self.condition.varies

    def drawn(self, rng: Rng, step: int, h: Tensor) -> Pipeline:
        """The pipeline under its condition as it is at that step, for the chains at h (B, *latent)."""
        if isinstance(self.condition, Varying) and self.condition.varies:
            return replace(self, condition=self.condition.drawn(rng, step, h))
        return self

    def __call__(self, h: Tensor) -> Terms:
        """The terms at h (B, *latent), detached. h itself is never marked or changed."""
        return Terms(*_joined(self._parts(h, Pipeline._evaluate)))

    def conditioned(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(G(h), d log p(y | G(h)) / dh, log p(y | G(h))), detached: the terms without the prior's."""
        image, gradient, log_condition = _joined(self._parts(h, Pipeline._conditioned))
        return image, gradient, log_condition

    @torch.no_grad()
    def log_condition(self, h: Tensor) -> Tensor:
        """log p(y | G(h)) (B,), nats: what the terms hold too, without the cost of a gradient."""
        return torch.cat(self._parts(h, lambda part, h: part.condition.log_prob(part.generator(h))))

    def _parts(self, h: Tensor, evaluate: Callable[[Pipeline, Tensor], T]) -> list[T]:
        """`evaluate` of all rows, at most `batch_size` at a time."""
        if self.batch_size is None or len(h) <= self.batch_size:
            return [evaluate(self, h)]
        rows = torch.arange(len(h), device=h.device).split(self.batch_size)
        return [evaluate(self.rows(index), h[index]) for index in rows]

    def _evaluate(self, h: Tensor) -> Terms:
        image, gradient, log_condition = self._conditioned(h)
        with torch.no_grad():  # no gradient through R_h: paper Eq. 11 uses its output as it is
            score = self.prior.score(h.detach(), image)
        return Terms(image, score, gradient, log_condition)

    def _conditioned(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if isinstance(self.condition, Unconditional):
            with torch.no_grad():
                return self.generator(h.detach()), torch.zeros_like(h), h.new_zeros(len(h))
        with torch.enable_grad():
            leaf = h.detach().requires_grad_()
            image = self.generator(leaf)
            log_condition = self.condition.log_prob(image)
            if not log_condition.requires_grad:
                raise ValueError(
                    "generator and condition must be differentiable: log p(y | G(h)) came without a graph to h "
                    "(no_grad, inference_mode or detach inside?)"
                )
            # the sum over chains is safe: row i of the image depends on row i of h alone
            (gradient,) = torch.autograd.grad(log_condition.sum(), leaf)
        return image.detach(), gradient, log_condition.detach()


def _is_shape(found: object) -> bool:
    return isinstance(found, tuple | list) and all(isinstance(side, int) for side in found)


def _joined(parts: Sequence[Sequence[Tensor]]) -> Sequence[Tensor]:
    """The rows of all parts, column by column."""
    return parts[0] if len(parts) == 1 else [torch.cat(column) for column in zip(*parts, strict=True)]
