"""Anybody's module as a condition: what is read, what stays untouched, and what each error says."""

from __future__ import annotations

from itertools import islice

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import ppgn
from ppgn.conditions import class_label
from ppgn.pretrained import ImageClassifier, Preprocessing, classifier
from ppgn.random import streams

untouched = pytest.mark.usefixtures("global_randomness_untouched")


def network(channels: int = 3, classes: int = 4) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(channels, 5, 3), nn.BatchNorm2d(5), nn.GELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Linear(5, classes),
        )  # fmt: skip


def images(b=2, channels=3, height=20, width=24) -> torch.Tensor:
    return torch.rand(b, channels, height, width, generator=torch.Generator().manual_seed(0))


@untouched
def test_a_modules_input_is_normalised_and_sized():
    own = network().eval()
    made = classifier(own, size=16, mean=[0.5, 0.4, 0.3], std=[0.2, 0.3, 0.4])
    x = images(height=16, width=16)
    expected = own((x - torch.tensor([0.5, 0.4, 0.3]).view(3, 1, 1)) / torch.tensor([0.2, 0.3, 0.4]).view(3, 1, 1))
    assert torch.allclose(made(x), expected, atol=1e-6)
    assert made.preprocessing == Preprocessing(
        (16, 16), (16, 16), mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4), channels=3
    )
    assert torch.equal(classifier(own)(x), own(x))  # as it comes
    assert classifier(own, size=(8, 12), fit="whole").preprocessing.mode == "squash"


def test_the_callers_module_stays_as_it_is():
    own = network().train()
    seen = []
    own[0].register_forward_hook(lambda *_: seen.append("theirs"))
    own[0].weight.grad = torch.ones_like(own[0].weight)
    before = {name: value.clone() for name, value in own.state_dict().items()}
    made = classifier(own)
    assert not made.network[0].weight.requires_grad
    x = images().requires_grad_()
    (gradient,) = torch.autograd.grad(class_label(made, 1).log_prob(x).sum(), x)
    assert gradient.any()
    assert own.training and own[1].training and not made.training
    assert all(p.requires_grad for p in own.parameters())
    assert all(torch.equal(own.state_dict()[name], value) for name, value in before.items())
    assert (own[0].weight.grad == 1).all()
    assert len(own[0]._forward_hooks) == 1
    assert made.network[0].weight.data_ptr() == own[0].weight.data_ptr()  # nothing is stored twice
    made.double()
    assert own[0].weight.dtype == torch.float32


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("norm", ["weight_norm", "spectral_norm", "parametrizations"])
def test_weights_that_hooks_compute_are_kept(norm):
    own = network()
    if norm == "parametrizations":
        own[0] = nn.utils.parametrizations.weight_norm(own[0])
    else:
        own[0] = getattr(nn.utils, norm)(own[0])
    own.eval()
    x = images()
    expected = own(x).detach()
    assert torch.equal(classifier(own)(x), expected)


class Logger:
    """What cannot be copied, since it holds a file."""

    def __init__(self, path):
        self.file = open(path, "w")  # noqa: SIM115

    def note(self, module, given, result):
        return None


def test_hooks_of_what_cannot_be_copied_are_shared(tmp_path):
    logger, own = Logger(tmp_path / "log"), network().eval()
    own[0].register_forward_hook(logger.note)
    assert torch.equal(classifier(own)(images()), own(images()))
    logger.file.close()


def test_a_module_that_cannot_be_copied_is_named(tmp_path):
    own = network().eval()
    own.log = Logger(tmp_path / "log")
    with pytest.raises(TypeError, match=r"copy.deepcopy can copy, .* but Sequential is not: TypeError: cannot pickle"):
        classifier(own)
    own.log.file.close()


@untouched
def test_a_file_of_weights_goes_into_a_copy_of_a_module(tmp_path):
    own, other = network(), network()
    with torch.no_grad():
        other[5].bias += 1
    save_file(other.state_dict(), tmp_path / "w.safetensors")
    torch.save({"state_dict": other.state_dict()}, tmp_path / "w.pth")
    for name in ("w.safetensors", "w.pth"):
        made = classifier(own, weights=tmp_path / name)
        assert torch.equal(made(images()), other.eval()(images()))
        assert not torch.equal(made.network[5].bias, own[5].bias)
        assert not any(p.requires_grad for p in made.parameters())


def test_grey_images_for_an_rgb_network_and_the_reverse():
    grey = images(channels=1)
    assert torch.equal(classifier(network(3))(grey), classifier(network(3))(grey.repeat(1, 3, 1, 1)))
    colour = images()
    luminance = 0.299 * colour[:, :1] + 0.587 * colour[:, 1:2] + 0.114 * colour[:, 2:]
    assert torch.allclose(classifier(network(1))(colour), classifier(network(1))(luminance), atol=1e-6)


def test_channels_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="grey classifier on RGB generator: images must have 1 channels, got 3; adapt"):
        classifier(network(1), adapt_channels=False)(images())
    with pytest.raises(ValueError, match="RGB classifier on grey generator: images must have 3 channels, got 1; adapt"):
        classifier(network(3), adapt_channels=False)(images(channels=1))
    with pytest.raises(ValueError, match=r"4-channel classifier on RGB generator: images must have 4 channels, got 3$"):
        classifier(network(4))(images())


def test_channels_without_a_convolution_are_told_or_as_many_as_the_means():
    flat = nn.Sequential(nn.Flatten(), nn.Linear(48, 2))
    assert classifier(flat).preprocessing.channels is None
    assert classifier(flat, channels=1).preprocessing.channels == 1
    assert classifier(flat, mean=[0.5] * 3).preprocessing.channels == 3


def test_images_must_be_batches():
    with pytest.raises(ValueError, match=r"images must have shape \(B, C, H, W\), got \(3, 20, 24\)"):
        classifier(network())(images()[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fit": "crop"}, "fit must be one of official, whole, got 'crop'"),
        ({"size": 0}, "size must be at least 1, got 0"),
        ({"weights": None}, "weights=None draws random ones for an architecture by name; a module has its own"),
        ({"mean": [0.5] * 2}, "mean must hold one number, or one for each of 3 channels, got 2"),
        ({"class_names": ["a", "b"], "classes": 3}, "one name for each of the 3 classes, got 2"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        classifier(network(), **options)


@untouched
def test_an_rgb_classifier_leads_a_grey_generator_and_is_part_of_the_record(digits):
    def walk(pipeline):
        return ppgn.samplers.mala_approx(pipeline, 0.01, 0.05, 0.01)

    conditions = [
        class_label(classifier(network().eval(), size=24, fit=fit, class_names="abcd"), "c")
        for fit in ("official", "whole")
    ]
    target = digits.given(conditions[0])
    samples = ppgn.sample(target, 2, 3, seed=0, sampler=walk, progress=False)
    assert samples.labels.tolist() == [2, 2]
    chain = ppgn.samplers.chain(walk(target), digits.start.sample(2, streams(0, 2)), streams(0, 2))
    assert torch.equal(next(islice(chain, 3, None)).h, samples.codes)
    assert samples.resume(target, 1, sampler=walk, progress=False).steps == 4
    with pytest.raises(ValueError, match=r"condition\.classifier\.preprocessing\.mode: saved 'center', now 'squash'"):
        samples.resume(digits.given(conditions[1]), 1, sampler=walk, progress=False)


def test_an_adapter_may_be_made_by_hand():
    own = network().eval()
    made = ImageClassifier(own, Preprocessing(mean=(0.5,), std=(0.5,), channels=3)).eval()
    assert torch.allclose(made(images()), own(2 * images() - 1), atol=1e-6)
