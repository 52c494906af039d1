"""GANs: each side learns its own loss, penalties as told, and a ring of eight modes is found."""

from __future__ import annotations

import math
from itertools import islice

import pytest
import resuming
import torch
from torch import nn

from ppgn import data, models, training
from ppgn.data import Batch
from ppgn.models.dcgan_discriminator import DCGANDiscriminator
from ppgn.random import per_step
from ppgn.training.augment import DiffAugment
from ppgn.training.gan import discriminator_losses, gan_trainer
from ppgn.training.gan_losses import HINGE, LOSSES, MINIMAX, NON_SATURATING, RELATIVISTIC

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")


class Points(nn.Sequential):
    """z (B, latent) -> points (B, 2)."""

    def __init__(self, latent=2, width=48):
        super().__init__(nn.Linear(latent, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 2))
        self.latent_shape = (latent,)


class Judge(nn.Module):
    """Points (B, 2) -> logits (B,)."""

    def __init__(self, width=48):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2, width), nn.LeakyReLU(0.2), nn.Linear(width, width), nn.LeakyReLU(0.2), nn.Linear(width, 1)
        )

    def forward(self, x):
        return self.layers(x).squeeze(1)


def both():
    return models.build(Points, 0), models.build(Judge, 1)


ANGLES = torch.arange(8) * math.pi / 4
MODES = torch.stack([ANGLES.cos(), ANGLES.sin()], 1)


def ring(batch_size, seed=0):
    for step in range(10**6):
        generator = per_step(seed)(step)
        which = torch.randint(0, 8, (batch_size,), generator=generator)
        yield Batch(MODES[which] + 0.05 * torch.randn(batch_size, 2, generator=generator), which)


def energy_distance(a, b):
    return (2 * torch.cdist(a, b).mean() - torch.cdist(a, a).mean() - torch.cdist(b, b).mean()).item()


def test_a_ring_of_eight_modes_is_found():
    generator, discriminator = both()
    trainer = gan_trainer(
        generator, discriminator, loss=RELATIVISTIC, r1=0.1, r2=0.1, learning_rate=2e-3, betas=(0.0, 0.9), average=0.97
    )
    z = torch.randn(2000, 2, generator=torch.Generator().manual_seed(5))
    real = next(ring(2000, seed=77)).images
    start = energy_distance(generator(z).detach(), real)
    for _ in islice(training.fit(trainer, ring(128), per_step(0)), 260):
        pass
    made = trainer.results["model"](z).detach()
    assert energy_distance(made, real) < 0.06 * start
    nearest, mode = torch.cdist(made, MODES).min(1)
    counts = torch.bincount(mode[nearest < 0.2], minlength=8)
    assert counts.min() > 30, counts


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_each_side_learns_its_own_loss(loss):
    """D's gradients in a step are those of its loss on the noise of the step; G's those after D has moved (by 0)."""
    generator, discriminator = both()
    trainer = gan_trainer(generator, discriminator, loss=loss, learning_rate=0.0)
    batch = next(ring(32))
    metrics = next(training.fit(trainer, [batch], per_step(3)))
    rng = per_step(3)(0)
    made = generator(torch.randn(32, 2, generator=rng))
    real_logits = discriminator(batch.images)
    lost = loss.discriminator(real_logits, discriminator(made.detach()))
    assert metrics["discriminator"].item() == pytest.approx(lost.item())
    for p, g in zip(
        discriminator.parameters(), torch.autograd.grad(lost, list(discriminator.parameters())), strict=True
    ):
        assert torch.allclose(p.grad, g, atol=1e-6)
    lost = loss.generator(real_logits.detach(), discriminator(generator(torch.randn(32, 2, generator=rng))))
    assert metrics["generator"].item() == pytest.approx(lost.item())
    for p, g in zip(generator.parameters(), torch.autograd.grad(lost, list(generator.parameters())), strict=True):
        assert torch.allclose(p.grad, g, atol=1e-6)


def test_penalties_of_a_linear_discriminator():
    """gamma / 2 |w|^2 for each side, and a loss that they leave as it was."""
    w = torch.tensor([3.0, 4.0])
    real, made = torch.ones(5, 2), torch.zeros(5, 2)
    for r1, r2 in ((0.0, 0.0), (0.2, 0.0), (0.0, 0.6), (0.2, 0.6)):
        losses = discriminator_losses(lambda x: x @ w, NON_SATURATING, real, made, r1, r2)
        assert losses["penalty"].item() == pytest.approx((r1 + r2) / 2 * 25)
        assert losses["discriminator"].item() == pytest.approx(math.log1p(math.exp(-7)) + math.log(2))
        assert (losses["real"].item(), losses["made"].item()) == (7, 0)
    assert not real.requires_grad


def test_the_trainer_weighs_each_side_as_told():
    """A discriminator that curves: |dD/dx|^2 = 4 |x|^2, so real and made images differ in their penalties."""

    class Square(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, x):
            return self.scale * x.square().sum(1)

    batch = next(ring(64))
    made = both()[0](torch.randn(64, 2, generator=per_step(0)(0))).detach()
    for r1, r2 in ((0.3, 0.0), (0.0, 0.7), (0.3, 0.7)):
        trainer = gan_trainer(both()[0], Square(), r1=r1, r2=r2)
        known = [gamma / 2 * 4 * x.square().sum(1).mean().item() for gamma, x in ((r1, batch.images), (r2, made))]
        metrics = next(training.fit(trainer, [batch], per_step(0)))
        assert metrics["penalty"].item() == pytest.approx(sum(known), rel=1e-4)


def test_lazy_penalties_are_as_heavy_in_all():
    def penalties(every):
        trainer = gan_trainer(*both(), r1=0.5, penalty_every=every, learning_rate=0.0)
        batch = next(ring(64))
        return [m["penalty"].item() for m in islice(training.fit(trainer, [batch] * 6, per_step(0)), 6)]

    always, lazy = penalties(1), penalties(3)
    assert always[0] > 0
    assert lazy[1] == lazy[2] == lazy[4] == 0
    assert lazy[0] == pytest.approx(3 * always[0])
    assert lazy[3] == pytest.approx(3 * always[3])


def test_critic_steps_cut_the_batch():
    """D takes as many Adam steps, each on its own part and on what is made for it; G takes one."""
    generator, discriminator = both()
    seen = []
    discriminator.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach().clone()))
    trainer = gan_trainer(generator, discriminator, critic_steps=4)
    batch = next(ring(32))
    next(training.fit(trainer, [batch], per_step(0)))
    assert torch.equal(torch.cat(seen[0:8:2]), batch.images)
    assert len({images.sum().item() for images in seen[1::2]}) == 4
    counts = {
        name: {int(entry["step"]) for entry in optimizer.state_dict()["state"].values()}
        for name, optimizer in trainer.optimizers.items()
    }
    assert counts == {"generator": {1}, "discriminator": {4}}
    with pytest.raises(ValueError, match="a multiple of critic_steps=4, got 30"):
        next(training.fit(trainer, ring(30), per_step(0)))


def test_the_discriminator_sees_only_changed_images_and_the_generator_makes_unchanged_ones(small_images):
    """With everything cut out D sees one grey for real and made: its logits are the same, and G has no gradient."""
    generator = models.build(lambda: models.UpconvGenerator(4, (1, 8, 8), (8, 4)), 0)
    discriminator = models.build(lambda: DCGANDiscriminator((1, 8, 8), (4, 8)), 1)
    blind = DiffAugment(cutout=1.0)
    seen = []
    discriminator.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach()))
    trainer = gan_trainer(generator, discriminator, augment=blind, loss=MINIMAX)
    next(training.fit(trainer, data.batches(small_images, 16, 0), per_step(0)))
    assert len(seen) == 3
    assert all((images == 0.5).any() for images in seen)
    assert all(p.grad is not None for p in generator.parameters())


def test_the_average_is_the_result_and_both_sides_have_the_betas():
    trainer = gan_trainer(*both(), betas=(0.25, 0.75))
    assert {group["betas"] for o in trainer.optimizers.values() for group in o.param_groups} == {(0.25, 0.75)}
    assert trainer.results["model"] is trainer.modules["averaged"].module
    assert trainer.results["discriminator"] is trainer.modules["discriminator"]


KINDS = {
    "batch norm, lazy": ({"r1": 1.0, "penalty_every": 3}, "batch"),
    "spectral hinge": ({"loss": HINGE, "critic_steps": 2}, "spectral"),
    "r3gan": ({"loss": RELATIVISTIC, "r1": 0.5, "r2": 0.5, "augment": DiffAugment(True, 1 / 8, 1 / 2)}, "none"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_resumed_at_the_same_bits(kind, tmp_path, small_images):
    options, norm = KINDS[kind]

    def make():
        generator = models.build(lambda: models.DCGANGenerator(8, 1, (8,)), 0)
        return gan_trainer(generator, models.build(lambda: DCGANDiscriminator((1, 8, 8), (4, 8), norm), 1), **options)

    resuming.ends_at_the_same_bits(
        make, lambda k: data.batches(small_images, 16, 0, k), tmp_path, ("model", "discriminator")
    )


def test_in_bfloat16_the_penalty_is_not_rounded():
    options = {"r1": 1.0, "r2": 1.0, "learning_rate": 0.0}
    stream = [next(ring(64))]
    exact = next(training.fit(gan_trainer(*both(), **options), stream, per_step(0)))
    rounded = next(training.fit(gan_trainer(*both(), **options), stream, per_step(0), precision=torch.bfloat16))
    assert rounded["penalty"].item() == pytest.approx(exact["penalty"].item(), rel=1e-2)
    assert rounded["real"].item() == pytest.approx(exact["real"].item(), rel=1e-6)


def test_bad_arguments():
    generator, discriminator = both()
    with pytest.raises(ValueError, match="generator must say its latent_shape, but Judge has none"):
        gan_trainer(discriminator, discriminator)
    with pytest.raises(ValueError, match="critic_steps and penalty_every must be at least 1, got 0 and 1"):
        gan_trainer(generator, discriminator, critic_steps=0)
