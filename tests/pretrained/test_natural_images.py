"""Natural images: the bundled prior on latents, with an autoencoder of random weights in TAEF2's place."""

from __future__ import annotations

import pytest
import torch

import ppgn
from ppgn import files, models
from ppgn.pretrained import natural


@pytest.fixture(scope="module")
def autoencoder():
    return models.build(models.TinyAutoencoder, 0)


def test_new_images_of_any_size(autoencoder):
    pipeline = natural(autoencoder, (16, 24), settings={"levels": 2})
    assert pipeline.latent_shape == (32, 2, 3)
    samples = ppgn.sample(pipeline, 2, 3, 0, progress=False)
    assert samples.images.shape == (2, 3, 16, 24)
    assert samples.record["sampler"]["levels"] == 2
    assert not samples.exact


def test_the_start_is_real_latents_under_the_first_level_of_noise(autoencoder):
    denoiser = ppgn.pretrained.network("natural", "prior")
    start = natural(autoencoder, 16, settings={"sigma_max": 4.0}).start
    variance = (denoiser.basis * denoiser.std) @ (denoiser.basis * denoiser.std).T  # of real latents' channels
    assert torch.allclose(start.std[:, 0, 0] ** 2, variance.diagonal() + 16.0, rtol=1e-5)
    assert torch.equal(start.mean[:, 1, 1], denoiser.mean)


def test_the_joint_prior_is_the_autoencoder_itself(autoencoder):
    pipeline = natural(autoencoder, 16, variant="joint")
    z = 0.1 * torch.randn(2, 32, 2, 2, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = autoencoder.encode(autoencoder(z)) - z
    assert torch.allclose(pipeline(z).prior, expected, atol=1e-5)


def test_what_does_not_fit(autoencoder, tmp_path):
    with pytest.raises(ValueError, match="variant must be one of annealed, joint, got 'noisy'"):
        natural(autoencoder, 16, variant="noisy")
    with pytest.raises(ValueError, match="multiples of 8, got 20x20"):
        natural(autoencoder, 20)
    with pytest.raises(FileNotFoundError, match=r"no file .*none.safetensors"):
        natural(tmp_path / "none.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(b"cut")
    with pytest.raises(files.DamagedFileError, match="whole safetensors file"):
        natural(tmp_path / "cut.safetensors")
    with pytest.raises(ValueError, match=r"natural is no whole pipeline: give the autoencoder's weights"):
        ppgn.load("natural")
