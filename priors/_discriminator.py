"""What a discriminator knows of a generator's codes: those of images that it finds too rare are made more likely.

log p(h) = log p_0(h) + logit D(G(h)) + const

the energy of discriminator driven latent sampling (Che et al. 2020, "Your GAN is secretly an energy-based model",
Eq. 7). For the best D, whose logit is log p_data / p_G, images G(h) of its codes follow p_data, wherever G can reach.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ppgn.checks import require_eval
from ppgn.conditions import Realism, realism
from ppgn.priors._gaussian import gaussian
from ppgn.records import of_device
from ppgn.types import Density, Generator, Rng, Shaped

CEILING = 5.0  # nats: e^5 = 148 draws of the base to a sample, of a discriminator whose odds are right
ROUND = 256  # draws of the base between looks at who still needs one: whole blocks of random numbers
TRIES = 80 * ROUND  # before `sample` gives up
ROWS = 500  # codes judged together, about


def discriminator(
    discriminator: Callable[[Tensor], Tensor],
    generator: Generator,
    base: Density | None = None,
    *,
    ceiling: float = CEILING,
) -> DiscriminatorPrior:
    """The codes of a generator as its discriminator reweighs them: log p(h) = log p_0(h) + r(G(h)) + const.

    discriminator   x (B, C, H, W) in [0, 1] -> logits (B,) or (B, 1), positive for real, in eval mode
    generator       h -> x, the one it was trained against, and the pipeline's
    base            p_0(h), the codes the generator was trained with; None: standard normals of its `latent_shape`
    ceiling         M, in nats: r = M + log sigmoid(logit - M), the logit where that is well below M, and at most M, so
                    that single images which the discriminator is far too sure of cannot hold a walk, and `sample` can
                    draw the density. math.inf: r = logit, as published, of which no exact draw can be made

    A Density up to its constant: `mala` and the other exact kernels sample it. Walks may start from the base, which
    needs no draw of it: `ppgn.Pipeline(..., start=prior.base)`. Score and log_prob call the generator again, since the
    image that is handed in came without its graph, three calls a move in all; without another condition, `base` under
    `ppgn.conditions.realism` is the same law with one.

    Raises ValueError for a network in train mode, a ceiling that is NaN or -inf, or a generator without a
    `latent_shape` where base is None; when it first judges images, as `ppgn.conditions.realism`.

    >>> prior = discriminator(lambda x: x.flatten(1).sum(1), lambda h: h.view(-1, 1, 1, 2), gaussian((2,)), ceiling=9.0)
    >>> h = torch.tensor([[0.0, 0.0], [1.0, 2.0]])
    >>> [round(p, 2) for p in (prior.log_prob(h) - prior.base.log_prob(h)).tolist()]
    [-0.0, 3.0]
    """
    require_eval(generator, "generator")
    if base is None:
        if not isinstance(generator, Shaped):
            raise ValueError(f"base must be given, as {type(generator).__name__} does not say its latent_shape")
        base = gaussian(tuple(generator.latent_shape))
    return DiscriminatorPrior(realism(discriminator, ceiling=ceiling), generator, base)


@dataclass(frozen=True)
class DiscriminatorPrior:
    """See `discriminator`."""

    realism: Realism
    generator: Generator
    base: Density

    def score(self, h: Tensor, x: Tensor) -> Tensor:
        """d log p / dh; x = G(h) came without its graph, so the generator is called again."""
        with torch.enable_grad():
            leaf = h.detach().requires_grad_()
            judged = self.realism.log_prob(self.generator(leaf))
            if not judged.requires_grad:
                raise ValueError("generator and discriminator must be differentiable: the logit came without a graph")
            (slope,) = torch.autograd.grad(judged.sum(), leaf)
        return self.base.score(h, x) + slope

    def log_prob(self, h: Tensor) -> Tensor:
        """(B, *latent) -> (B,) in nats, up to a constant."""
        return self.base.log_prob(h) + self._ratio(h)

    def sample(self, n: int, rng: Rng, step: int = 0) -> Tensor:
        """n exact draws (n, *latent) by rejection from the base (discriminator rejection sampling: Azadi et al. 2019).

        A draw of p_0 is kept with probability sigmoid(logit - M), where the published one has the highest logit seen
        for M and so clips what is above it. Raises ValueError if there is no ceiling, RuntimeError if a chain has
        none after 20,480 draws.
        """
        if self.realism.ceiling == math.inf:
            raise ValueError(
                "sample needs a finite ceiling, as discriminator(..., ceiling=5.0): the logit has no known maximum; "
                "walks may start from the base, Pipeline(..., start=prior.base)"
            )
        h = self.base.sample(n, rng, step * TRIES)  # overwritten, but of the right shape, type and device
        waiting, highest = torch.arange(n, device=h.device), -math.inf
        for first in range(step * TRIES, (step + 1) * TRIES, ROUND):
            own, done = rng.rows(waiting), torch.zeros_like(waiting, dtype=torch.bool)
            for some in torch.arange(first, first + ROUND).split(max(1, ROWS // len(waiting))):
                codes, kept, best = self._tried(own, ~done, some.tolist())
                fresh = kept.any(0) & ~done
                h[waiting[fresh]] = codes[kept.int().argmax(0), torch.arange(len(waiting))][fresh]
                done, highest = done | fresh, max(highest, best)
                if bool(done.all()):
                    break
            waiting = waiting[~done]
            if not len(waiting):
                return h
        raise RuntimeError(
            f"of {TRIES} draws of the base one must be kept for every chain, but {len(waiting)} of {n} have none; "
            f"the best chance was {math.exp(highest):.2g} under ceiling {self.realism.ceiling:g}, which may be less"
        )

    @torch.no_grad()
    def _tried(self, rng: Rng, asked: Tensor, steps: Sequence[int]) -> tuple[Tensor, Tensor, float]:
        """The base's draws (len(steps), n, *latent), whether each is kept, and the best log chance.

        asked (n,): the chains whose draws are judged; those of the others are not kept.
        """
        codes = torch.stack([self.base.sample(len(asked), rng, step) for step in steps])
        device, dtype = of_device(self.generator)
        judged = codes[:, asked].flatten(0, 1).to(device, dtype)
        found = self.realism.log_prob(self.generator(judged)).to(codes).view(len(steps), -1)
        log_p = torch.full(codes.shape[:2], -math.inf, dtype=found.dtype, device=found.device)
        log_p[:, asked] = found
        uniform = torch.stack([rng.uniform(row, step, "prior accept") for row, step in zip(log_p, steps, strict=True)])
        return codes, uniform.log() < log_p, float(found.max())

    def _ratio(self, h: Tensor) -> Tensor:
        """M + log sigmoid(logit - M), or the logit."""
        judged = self.realism.log_prob(self.generator(h))
        return judged if self.realism.ceiling == math.inf else judged + self.realism.ceiling
