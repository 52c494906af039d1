"""Pipelines of the baselines' parts come back from a folder and walk to the same bits."""

from __future__ import annotations

import pytest
import torch
from saved_pipelines import same

import ppgn
from ppgn import models, priors


def pixels():
    return models.build(lambda: models.GatedPixelCNN((1, 4, 4), width=4, layers=2, kernel=3), 0).eval()


def judge():
    return models.build(lambda: models.DCGANDiscriminator((1, 4, 4), (4,)), 0).eval()


def drawn():
    generator = models.AutoregressiveGenerator(pixels()).eval()
    return ppgn.Pipeline(generator, priors.gaussian(generator.latent_shape)), "rejection"


def on_images(prior):
    walk = {"eps_prior": 0.05, "eps_condition": 0.0, "eps_noise": 0.3}
    return ppgn.Pipeline(models.PixelSpace((1, 4, 4)).eval(), prior), lambda p: ppgn.samplers.mala_approx(p, **walk)


def by_pixels():
    return on_images(priors.pixelcnn(pixels(), sigma=0.3))


def by_bound():
    vae = models.build(lambda: models.DenseVAE((1, 4, 4), latent=2, hidden=(6,)), 0).eval()
    return on_images(priors.vae(vae, sigma=0.3, draws=4, seed=1))


def energy():
    generator = models.build(lambda: models.UpconvGenerator(3, (1, 4, 4), (4, 4)), 0).eval()
    return ppgn.Pipeline(generator, priors.discriminator(judge(), generator, ceiling=2.0)), "mala"


def judged():
    generator = models.build(lambda: models.UpconvGenerator(3, (1, 4, 4), (4, 4)), 0).eval()
    return ppgn.Pipeline(generator, priors.gaussian((3,)), ppgn.conditions.realism(judge(), ceiling=1.0)), "mala"


@pytest.mark.parametrize("make", [drawn, by_pixels, by_bound, energy, judged])
def test_saved_and_loaded(make, tmp_path):
    pipeline, sampler = make()
    ppgn.pretrained.save(pipeline, tmp_path / "saved")
    again = ppgn.pretrained.from_pretrained(tmp_path / "saved")
    first, second = (ppgn.sample(p, n=3, steps=4, seed=0, sampler=sampler, progress=False) for p in (pipeline, again))
    assert same(first, second)
    assert torch.isfinite(first.codes).all()
