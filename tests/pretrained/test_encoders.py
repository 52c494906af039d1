"""Encoders cut out of classifiers: the very numbers of the network they come from, and nothing of it changed."""

from __future__ import annotations

from itertools import islice

import pytest
import torch
from torch import nn
from torch.nn import functional

from ppgn import data, models, pretrained, training
from ppgn.pretrained.preprocessing import Preprocessing
from ppgn.random import per_step


class Classifier(nn.Module):
    """Two convolutions in `features`, each followed by layers that change their input in place."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2),
            nn.Conv2d(4, 6, 3, padding=1), nn.Dropout(0.5), nn.ReLU(inplace=True),
        )  # fmt: skip
        self.head = nn.Linear(6, 5)

    def forward(self, x):
        return self.head(self.features(x).mean((2, 3)))


MEAN, STD = [0.5, 0.4, 0.3], [0.2, 0.3, 0.1]


@pytest.fixture
def source():
    network = models.build(Classifier, 0)
    return pretrained.classifier(network, mean=MEAN, std=STD)


def images(n=4, side=8):
    return torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(0))


def test_codes_are_those_of_the_layers(source):
    """Computed by the functions themselves; each image normalised by the classifier's mean and std first."""
    x, layers = images(), source.network.features
    cut = pretrained.encoder(source, h1=1, h=6)
    normal = (x - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    h1 = functional.conv2d(normal, layers[0].weight, layers[0].bias, padding=1)
    h = functional.conv2d(functional.max_pool2d(h1.relu(), 2), layers[3].weight, layers[3].bias, padding=1).relu()
    assert torch.allclose(cut.x_to_h1(x), h1, atol=1e-5)
    assert torch.allclose(cut.h1_to_h(h1), h, atol=1e-5)
    assert torch.allclose(cut(x), h, atol=1e-5)
    assert torch.equal(cut.features(x), cut(x))


def test_a_pool_is_the_mean_of_blocks(source):
    x = images()
    whole, pooled = pretrained.encoder(source, h1=1, h=6)(x), pretrained.encoder(source, h1=1, h=6, pool=2)(x)
    assert torch.allclose(pooled, whole.unflatten(3, (2, 2)).unflatten(2, (2, 2)).mean((3, 5)), atol=1e-6)


@pytest.mark.parametrize("h1", [1, 3, 4, 5])
def test_h1_stays_as_it_is(source, h1):
    """Though layers behind it write into their input: a trainer compares h1 after h was made of it."""
    cut = pretrained.encoder(source, h1=h1, h=6)
    code = cut.x_to_h1(images())
    before = code.clone()
    cut.h1_to_h(code)
    assert torch.equal(code, before)


def test_the_classifier_is_not_changed():
    network = models.build(Classifier, 0)
    cut = pretrained.encoder(pretrained.classifier(network), h1=2, h=6)
    assert network.training
    assert network.features[1].inplace
    assert network.features[5].inplace
    assert all(p.requires_grad for p in network.parameters())
    assert not any(p.requires_grad for p in cut.parameters())
    assert not any(module.training for module in cut.modules())


def test_gradients_flow_to_the_image_alone(source):
    cut, x = pretrained.encoder(source, h1=1, h=6), images().requires_grad_()
    (gradient,) = torch.autograd.grad(cut(x).sum(), x)
    assert gradient.abs().sum() > 0
    assert all(p.grad is None for p in cut.parameters())


def test_a_generator_learns_to_invert_its_maps(source):
    """h is a map of (6, 2, 2), of images of one colour each."""
    x = torch.rand(64, 3, 1, 1, generator=torch.Generator().manual_seed(0)).expand(-1, -1, 8, 8).contiguous()
    set_of = data.ImageSet((255 * x).byte(), torch.zeros(64, dtype=torch.long))
    cut = pretrained.encoder(source, h1=2, h=6, pool=2)
    generator = models.build(lambda: models.UpconvGenerator(cut(x[:1]).shape[1:], (3, 8, 8), (8, 8, 4)), 1)
    discriminator = models.build(lambda: models.ConditionalDiscriminator(24, (3, 8, 8), width=4), 2)
    trainer = training.joint_trainer(generator, discriminator, cut, images=x, learning_rate=1e-2)
    metrics = list(islice(training.fit(trainer, data.batches(set_of, 16, 0), per_step(0)), 40))
    assert metrics[-1]["h1"] < 0.5 * metrics[0]["h1"]
    assert metrics[-1]["image"] < 0.8 * metrics[0]["image"]


def test_networks_by_name():
    """torchvision's own trunk, its mean and std; its resizing is not taken over."""
    source = pretrained.classifier("torchvision/squeezenet1_1", weights=None)
    cut, x = pretrained.encoder(source, h1=5, h=13), images(2, 48)
    normal = (x - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor([0.229, 0.224, 0.225])[
        :, None, None
    ]
    assert torch.allclose(cut(x), source.network.features(normal), atol=1e-5)


def test_networks_that_cannot_be_cut(source):
    for h1, h in ((0, 3), (3, 3), (4, 2), (2, 7)):
        with pytest.raises(ValueError, match=rf"with 0 < h1 < h <= 6 layers in Classifier, got {h1}, {h}"):
            pretrained.encoder(source, h1=h1, h=h)
    other = pretrained.ImageClassifier(nn.Sequential(nn.Conv2d(3, 4, 3)), Preprocessing())
    with pytest.raises(ValueError, match=r"features must be a Sequential .* layers in Sequential, got 1, 2"):
        pretrained.encoder(other, h1=1, h=2)
