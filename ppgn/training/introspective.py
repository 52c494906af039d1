"""Train a discriminator on samples of its own model: a density from a classifier alone, without a second network.

p_{t+1}(x)  ∝  p_t(x) D_t(x) / (1 - D_t(x)),    D_t the classifier of data against samples of p_t

(Tu 2007, "Learning generative models via discriminative approaches"; introspective networks: Lazarow, Jin & Tu 2017;
Jin, Lazarow & Tu 2017). The best D_t has D / (1 - D) = p_data / p_t, so that p_{t+1} is p_data; where D_t falls short,
the next stage goes on. Here one network F holds the sum of all stages' logits,

p_t(x) ∝ p_0(x) exp F_t(x),    logit D_t = F - F_t,    F_t the network as it was when the stage began

so D_t says 1/2 everywhere at first, where F's gradient is half that of the log-likelihood: stages of one step train an
energy-based model with persistent chains (Tieleman 2008). Chains walk on codes h of images x = G(h), G any function
that stays as it is, and p_0 is the law of G(h): a squashing G keeps pixels in range, a GAN's is improved upon.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from ppgn.conditions import realism
from ppgn.data import Batch
from ppgn.pipeline import Pipeline
from ppgn.random import streams
from ppgn.records import of_device
from ppgn.training.gan_losses import gradient_penalty, logistic
from ppgn.training.loop import Metrics, Trainer, average_of
from ppgn.types import Density, Generator, Sampler, Schedule

Walk = Callable[[Pipeline], Sampler[Any]]


def introspective_trainer(
    discriminator: nn.Module,
    generator: Generator,
    reference: Density,
    walk: Walk,
    *,
    moves: int = 10,
    pool: int = 1000,
    restart: float = 0.0,
    stage: int = 10,
    r1: float = 0.0,
    learning_rate: Schedule = 1e-3,
    betas: tuple[float, float] = (0.5, 0.9),
    average: float = 0.999,
    seed: int = 0,
) -> Trainer[Batch]:
    """Trainer of F: x (B, C, H, W) -> logits (B,) or (B, 1), positive for real. The result is its moving average.

    discriminator   judges each image by itself: no batch norm
    generator       h -> x, differentiable, fixed; `lambda h: h` for a walk on pixels
    reference       p_0(h), what the chains are drawn from at first, as `ppgn.priors.gaussian`
    walk            makes the sampler of a pipeline, as `lambda p: ppgn.samplers.mala(p, 0.01)`; not one that ends
    moves           of it a step, by as many chains as the batch has images
    pool            chains in all, which stay where they are until they are taken again
    restart         share of the chains taken that begin anew at the reference
    stage           steps until F_t is replaced by F
    r1              weight gamma of gamma / 2 E|dF/dx|^2 at real images; it flattens the model, 0 is unbiased
    learning_rate   and betas: of Adam; average: decay a step of F's averaged weights
    seed            of the chains' first draw

    The model that was learnt is `Pipeline(generator, reference, realism(result))`, and every sampler walks on it; the
    chains are `trainer.modules["pool"]`. Metrics: `loss`, of D_t, which is 2 log 2 where it knows nothing and less by
    2 JSD(p_data, p_t) where it is best; the mean logits F - F_t `real` and `made`; `moved`, the root mean square of a
    code's move; the weighted `penalty`. Nothing is rounded to bfloat16, whatever `fit` is told.

    Raises ValueError for numbers out of range or a walk that ends, and in a step for a batch of more images than the
    pool has chains.

    >>> import ppgn
    >>> trainer = introspective_trainer(
    ...     ppgn.models.DCGANDiscriminator((1, 8, 8), (8, 16)), torch.sigmoid, ppgn.priors.gaussian((1, 8, 8)),
    ...     lambda pipeline: ppgn.samplers.ula(pipeline, 0.01),
    ... )
    >>> trainer.modules["pool"].codes.shape
    torch.Size([1000, 1, 8, 8])
    """
    _require(moves=moves, pool=pool, stage=stage)
    if not 0 <= restart <= 1:
        raise ValueError(f"restart must lie in [0, 1], got {restart}")
    device, dtype = of_device(discriminator)
    chains = Pool(reference.sample(pool, streams(seed, pool)).to(device, dtype))
    before = deepcopy(discriminator).eval().requires_grad_(False)
    sampler = walk(Pipeline(generator, reference, realism(before)))
    if sampler.finished is not None:
        raise ValueError(f"walk must make a sampler that goes on, but {sampler.name} ends when it is done")
    averaged = average_of(discriminator, average)
    optimizer = torch.optim.Adam(discriminator.parameters(), betas=betas, fused=True)

    def negatives(n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """(images (n, C, H, W) of p_t, root mean square of their codes' moves)."""
        if n > pool:
            raise ValueError(f"pool must hold a chain for every image of a batch, at least {n}, got {pool}")
        rows = torch.randperm(pool, generator=rng, device=rng.device)[:n].to(chains.codes.device)
        own = streams(rng.initial_seed(), n)  # the step's own, known without waiting for the device
        h = chains.codes[rows]
        if restart > 0:
            anew = torch.rand(n, generator=rng, device=rng.device).to(h.device) < restart
            h = torch.where(anew.view(-1, *[1] * (h.ndim - 1)), reference.sample(n, own).to(h), h)
        state = sampler.init(h)
        for _ in range(moves):
            state = sampler.step(state, own)
        chains.codes[rows] = state.h
        return state.terms.image, (state.h - h).square().mean().sqrt()

    def learn(x: Tensor, rng: torch.Generator) -> Metrics:
        made, moved = negatives(len(x), rng)
        discriminator.train()
        real = x.detach().requires_grad_(r1 > 0)
        real_logits, made_logits = (discriminator(images).flatten() for images in (real, made))
        penalty = r1 / 2 * gradient_penalty(real_logits, real) if r1 > 0 else torch.zeros_like(moved)
        with torch.no_grad():
            known = [before(images).flatten() for images in (real, made)]
        gained = real_logits - known[0], made_logits - known[1]
        lost = logistic(*gained)
        optimizer.zero_grad()
        (lost + penalty).backward()
        optimizer.step()
        averaged.update_parameters(discriminator)
        return {"loss": lost, "penalty": penalty, "real": gained[0].mean(), "made": gained[1].mean(), "moved": moved}

    def update(batch: Batch, rng: torch.Generator) -> Metrics:
        if int(averaged.n_averaged) % stage == 0:  # the count is on the host
            before.load_state_dict(discriminator.state_dict())
        with torch.autocast(batch.images.device.type, enabled=False):  # 8 bits would not tell F from F_t
            metrics = learn(batch.images, rng)
        return {name: value.detach() for name, value in metrics.items()}

    return Trainer(
        modules={"discriminator": discriminator, "before": before, "pool": chains, "averaged": averaged},
        optimizers={"discriminator": optimizer},
        update=update,
        results={"model": averaged.module},
        learning_rates={"discriminator": learning_rate},
    )


class Pool(nn.Module):
    """Where the chains stand (N, *latent): a buffer, so that checkpoints hold it and a resumed run goes on from it."""

    codes: Tensor

    def __init__(self, codes: Tensor):
        super().__init__()
        self.register_buffer("codes", codes)


def _require(**numbers: int) -> None:
    for name, value in numbers.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
