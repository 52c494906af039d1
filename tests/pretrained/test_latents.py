"""diffusers' autoencoder as a generator, small and with weights at random."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import nn

from ppgn import models, priors
from ppgn.pretrained import latent_decoder
from ppgn.random import streams


@pytest.fixture(scope="module")
def autoencoder():
    diffusers = pytest.importorskip("diffusers")
    return models.build(
        lambda: diffusers.AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
            block_out_channels=(8, 8), norm_num_groups=4, latent_channels=4, scaling_factor=0.25, shift_factor=0.5,
        ),
        0,
    )  # fmt: skip


def test_latents_are_scaled_and_shifted_back(autoencoder):
    """As in diffusers' pipelines: decode(z / scaling + shift), in [-1, 1]."""
    g = latent_decoder(autoencoder, (16, 24))
    assert g.latent_shape == (4, 8, 12)
    z = g.prior.sample(2, streams(0, 2)).float()
    with torch.no_grad():
        expected = autoencoder.eval().decode(z / 0.25 + 0.5).sample
    assert torch.allclose(g(z), ((expected + 1) / 2).clamp(0, 1), atol=1e-5)


def test_a_side_stands_for_both(autoencoder):
    assert latent_decoder(autoencoder, 16).latent_shape == latent_decoder(autoencoder, (16, 16)).latent_shape


def test_what_is_encoded_can_be_decoded(autoencoder):
    g = latent_decoder(autoencoder, (16, 16))
    x = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        mode = autoencoder.eval().encode(2 * x - 1).latent_dist.mode()
        z = g.network.encode(x)
        assert torch.allclose(z, (mode - 0.5) * 0.25, atol=1e-6)
        assert priors.joint(g.network.encode).score(z, g(z)).shape == z.shape


def test_it_is_left_as_it_was(autoencoder):
    autoencoder.train()
    g = latent_decoder(autoencoder, (16, 16))
    assert autoencoder.training
    assert all(p.requires_grad for p in autoencoder.parameters())
    assert not any(p.requires_grad for p in g.parameters())


def test_from_a_folder(autoencoder, tmp_path):
    autoencoder.save_pretrained(tmp_path / "vae")
    g = latent_decoder(str(tmp_path), (16, 16), subfolder="vae")
    z = torch.zeros(1, *g.latent_shape)
    assert torch.allclose(g(z), latent_decoder(autoencoder, (16, 16))(z), atol=1e-6)


def test_errors(autoencoder, monkeypatch):
    with pytest.raises(ValueError, match="size must be a multiple of 2 on both sides, got 16x15"):
        latent_decoder(autoencoder, (16, 15))
    with pytest.raises(TypeError, match="autoencoder must be diffusers' AutoencoderKL or a name, got Linear"):
        latent_decoder(nn.Linear(2, 2), (16, 16))
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(ImportError, match=r"latent_decoder needs diffusers: pip install 'ppgn\[diffusers\]'"):
        latent_decoder(autoencoder, (16, 16))
