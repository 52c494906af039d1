"""The tiny autoencoder: known values of other people's weights first, then its layout and its errors."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from ppgn import models, pretrained, priors


@pytest.fixture(scope="module")
def tiny(third_party):
    network = pretrained.load_weights(models.TinyAutoencoder(), third_party("natural_taef2"))
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def photographs():
    """scikit-learn's two, (424, 640) each: many roofs and trees, and one flower."""
    from sklearn.datasets import load_sample_images

    return torch.stack([torch.tensor(image[:424]) for image in load_sample_images().images]).permute(0, 3, 1, 2) / 255


@pytest.mark.slow
def test_photographs_come_back(tiny, photographs):
    """27 dB in the mean of the two; the owner of the weights has 27.1 on small ImageNet pictures, 31.1 on larger."""
    with torch.no_grad():
        again = tiny.decode(tiny.encode(photographs))
    error = (again - photographs).square().mean((1, 2, 3))
    decibel = -10 * error.log10()
    assert decibel.mean() > 27
    assert decibel.min() > 22


def test_latents_are_as_large_as_told(tiny, photographs):
    """Their standard deviation is about 0.85."""
    z = tiny.encode(photographs[:, :, :128, :192])
    assert z.shape == (2, 32, 16, 24) == (2, *tiny.code_shape((128, 192)))
    assert 0.7 < z.std() < 1.0


def test_halves_become_floats(tiny, third_party):
    stored = load_file(third_party("natural_taef2"))
    assert stored["decoder.19.weight"].dtype == torch.float16
    assert torch.equal(tiny.state_dict()["decoder.19.weight"], stored["decoder.19.weight"].float())


def test_it_is_the_encoder_of_a_joint_prior(tiny, photographs):
    """E(G(h)) - h: small beside h, as the code of a picture hardly moves when it is decoded and encoded."""
    with torch.no_grad():
        h = tiny.encode(photographs[:, :, 100:228, 200:328])
        pull = priors.joint(tiny.encoder).score(h, tiny(h))
    assert pull.std() < 0.5 * h.std()


def test_the_decoder_bends_latents_at_three():
    network = models.build(lambda: models.TinyAutoencoder(4, 8), 0).eval()
    z = torch.randn(1, 4, 2, 2, generator=torch.Generator().manual_seed(0))
    rest = network.decoder[1:]
    assert torch.allclose(network.decoder(z), rest(3 * torch.tanh(z / 3)), atol=1e-6)
    assert torch.allclose(network(z), network.decoder(z).clamp(0, 1))


def test_without_pooled_blocks_it_is_taesd_as_diffusers_has_it():
    """Another implementation, in [-1, 1] and with the decoder's layers counted from the second."""
    diffusers = pytest.importorskip("diffusers")
    ours = models.build(lambda: models.TinyAutoencoder(4, pooled=False), 0).eval()
    theirs = models.build(lambda: diffusers.AutoencoderTiny(latent_channels=4), 0).eval()
    renamed = {}
    for name, value in ours.state_dict().items():
        part, index, rest = name.split(".", 2)
        renamed[f"{part}.layers.{int(index) - (part == 'decoder')}.{rest}"] = value
    theirs.load_state_dict(renamed)
    rng = torch.Generator().manual_seed(0)
    x, z = torch.rand(1, 3, 16, 24, generator=rng), 2 * torch.randn(1, 4, 2, 3, generator=rng)
    with torch.no_grad():
        assert torch.allclose(ours.encode(x), theirs.encode(2 * x - 1).latents, atol=1e-5)
        assert torch.allclose(ours.decoder(z), (theirs.decode(z).sample + 1) / 2, atol=1e-5)


def test_sides_that_are_no_multiples_of_eight():
    network = models.build(lambda: models.TinyAutoencoder(4, 8), 0).eval()
    with pytest.raises(ValueError, match="image sides must be multiples of 8, got 64x60"):
        network.code_shape((64, 60))
    with pytest.raises(ValueError, match="image sides must be multiples of 8, got 9x16"):
        network.encode(torch.zeros(1, 3, 9, 16))
