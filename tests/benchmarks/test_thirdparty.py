"""Other people's networks do here what their owners say of them."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch

from ppgn import data, evaluation
from ppgn.random import streams

SCRIPTS = Path(__file__).parents[2] / "benchmarks"
FILES = {
    "svhn": "svhn_dcgan_generator",
    "faces": "celeba_vae64",
    "taef2": "natural_taef2",
    "lenet": "mnist_lenet5",
    "resnet20": "cifar10_resnet20",
    "squeezenet": "imagenet_squeezenet1_0",
}


@pytest.fixture
def thirdparty(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("thirdparty")


@pytest.fixture
def shared(thirdparty):
    if not thirdparty.WEIGHTS.exists():
        pytest.skip("the third-party networks are not beside the repository")
    return thirdparty


def real(path: Path, n: int) -> data.ImageSet:
    if not path.exists():
        pytest.skip(f"{path.name} is not beside the repository")
    test = data.load(str(path), "test")
    return data.ImageSet(test.images[:n], test.labels[:n])


@pytest.mark.parametrize(("loader", "file"), FILES.items())
def test_missing_weights_are_named(thirdparty, tmp_path, loader, file):
    with pytest.raises(FileNotFoundError, match=f"the weights of {file} must be in .*{file}.safetensors"):
        getattr(thirdparty, loader)(tmp_path)


@pytest.mark.parametrize(
    ("loader", "file", "least"),
    [
        pytest.param("lenet", "mnist.npz", 0.96, id="lenet"),  # 99.1 % of the test images, as measured before
        pytest.param("resnet20", "cifar10_lossless5k.npz", 0.86, id="resnet20"),  # 91.5 %
    ],
)
def test_classifiers_name_real_images(shared, loader, file, least):
    """At 300 images a share of 0.915 has a standard error of 0.016."""
    images = real(shared.SHARED / "data" / file, 300)
    classifier = getattr(shared, loader)()
    assert len(classifier.class_names) == 10
    assert evaluation.agreement(classifier, data.to_float(images.images), images.labels) > least


def test_lenet_takes_colour_by_its_luminance(shared):
    classifier, grey = shared.lenet(), torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(classifier(grey.expand(-1, 3, -1, -1)), classifier(grey))


@pytest.mark.parametrize(("loader", "shape"), [("svhn", (3, 32, 32)), ("faces", (3, 64, 64))])
def test_generators_know_their_prior(shared, loader, shape):
    pipeline = getattr(shared, loader)()
    with torch.no_grad():
        images = pipeline.generator(pipeline.prior.sample(16, streams(0, 16)).float())
    assert images.shape == (16, *shape)
    assert 0.02 < images.std(0).mean() < 0.5  # neither one image nor noise


def test_taef2_gives_an_image_back(shared):
    """31 dB for photographs; a smooth image does better than 25."""
    across = torch.linspace(0, 1, 64)
    image = torch.stack([across.expand(64, 64), across.expand(64, 64).T, torch.full((64, 64), 0.5)])[None]
    network = shared.taef2()
    with torch.no_grad():
        error = (network(network.encode(image)) - image).square().mean()
    assert -10 * np.log10(float(error)) > 25


def test_squeezenet_sees_the_whole_image_if_asked(shared):
    """What is at the edge counts then, and only then."""
    image = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    other = image.clone()
    other[..., :4, :] = 0
    with torch.no_grad():
        for fit, same in (("official", True), ("whole", False)):
            classifier = shared.squeezenet(fit=fit, size=64)
            assert torch.allclose(classifier(image), classifier(other), atol=1e-3) is same
    assert classifier.class_names[980] == "volcano"
