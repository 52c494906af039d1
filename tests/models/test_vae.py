"""Other people's variational autoencoders, from their weights: what is encoded comes back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ppgn import models, pretrained
from ppgn.random import streams


def normals(n, d):
    return streams(0, n).normal(torch.empty(n, d), 0)


@pytest.fixture(scope="module")
def faces(third_party):
    return pretrained.load_weights(models.ConvVAE(), third_party("celeba_vae64")).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def clothes(third_party):
    return pretrained.load_weights(models.JointVAE(), third_party("fashion_jointvae")).eval().requires_grad_(False)


def test_codes_of_faces_come_back(faces):
    """E[z | G(z)] is near z where the decoder tells codes apart, and q's own spread says how near."""
    z = normals(200, 10)
    mean, log_variance = faces.encode(faces(z))
    correlation = torch.stack([torch.corrcoef(torch.stack([mean[:, i], z[:, i]]))[0, 1] for i in range(10)])
    assert correlation.median() > 0.9
    told = log_variance.exp().mean(0) < 0.5
    assert told.sum() >= 5
    assert (correlation[told] > 0.8).all()
    assert torch.equal(faces.encoder(faces(z[:5])), faces.encode(faces(z[:5]))[0])


def test_faces_look_alike_and_are_in_colour(faces):
    """Skin in the middle: more red than blue."""
    x = faces(normals(100, 10))
    assert x.shape == (100, 3, 64, 64)
    red, _, blue = x[:, :, 24:40, 24:40].mean((0, 2, 3))
    assert red > blue + 0.1


def test_smaller_images_have_one_convolution_less():
    network = models.build(lambda: models.ConvVAE(4, (1, 32, 32)), 0).eval()
    assert not any("64" in name for name in network.state_dict())
    assert network(torch.zeros(2, 4)).shape == (2, 1, 32, 32)
    assert network.encoder(torch.zeros(2, 1, 32, 32)).shape == (2, 4)


def test_clothes_come_back(clothes, fashion_file):
    """Its owner's reconstruction: 19.5 dB."""
    with np.load(fashion_file) as file:
        images = torch.from_numpy(file["x_test"][:300].reshape(-1, 1, 28, 28)).float() / 255
    x = torch.nn.functional.interpolate(images, (32, 32), mode="bilinear")
    mean, log_variance, choice = clothes.encode(x)
    error = (clothes.decode(mean, choice) - x).square().mean()
    assert float(-10 * error.log10()) == pytest.approx(19.5, abs=1)
    assert log_variance.exp().median() < 1
    assert torch.allclose(choice.sum(1), torch.ones(300))


def test_a_normal_code_makes_a_nearly_sharp_choice(clothes):
    z = normals(500, 20)
    choice = (z[:, 10:] / 0.2).softmax(1)
    assert torch.allclose(clothes(z), clothes.decode(z[:, :10], choice), atol=1e-6)
    assert choice.amax(1).mean() > 0.7
    assert (torch.bincount(choice.argmax(1), minlength=10) > 25).all()  # 50 each


def test_other_sizes():
    with pytest.raises(ValueError, match="image sides must be 32x32 or 64x64, got 28x28"):
        models.ConvVAE(image_shape=(1, 28, 28))
