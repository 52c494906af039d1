"""Anybody's classifier as a condition: what is read, what stays untouched, and what each error says."""

from __future__ import annotations

import csv
import io
import zipfile
from itertools import islice

import numpy as np
import pytest
import torch
from conftest import SHARED
from PIL import Image
from safetensors.torch import save_file
from torch import nn

import ppgn
from ppgn.conditions import class_label
from ppgn.pretrained import ImageClassifier, Preprocessing, classifier, load_weights, read_state
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


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("resnet18", {}, "source must be torchvision/NAME, timm/NAME or a module, got 'resnet18'"),
        ("torchvision/resnet19", {}, r"torchvision must know .* none called 'resnet19' .*; the closest are resnet18, "),
        ("timm/resnet19", {}, r"timm must know .* none called 'resnet19' among its \d+; the closest are resnet18"),
        ("timm/zzz", {}, r"timm must know .* none called 'zzz' among its \d+$"),
        ("torchvision/resnet50.V9", {}, "must be one of IMAGENET1K_V1, IMAGENET1K_V2, got 'V9'"),
        ("timm/resnet18.a9_in1k", {}, r"timm/resnet18 has the weights resnet18\.a1_in1k, .*, got 'resnet18\.a9_in1k'"),
        ("timm/mixer_s32_224", {}, "timm has no weights for mixer_s32_224: give a file, weights=PATH, or weights=None"),
        ("torchvision/resnet18", {"classes": 10}, "have 1000 classes, got classes=10; give your own, weights=PATH, or"),
        ("torchvision/resnet18", {"classes": 0}, "classes must be at least 1, got 0"),
        ("timm/test_vit", {"channels": 1}, "channels is for a module; timm/test_vit knows its own, got 1"),
        ("timm/vit_small_patch14_dinov2", {"weights": None}, "is no classifier: its weights end in features; give"),
    ],
)
def test_bad_names(source, options, message):
    with pytest.raises(ValueError, match=message):
        classifier(source, **options)


def test_bad_sources():
    with pytest.raises(TypeError, match="source must be torchvision/NAME, timm/NAME or a module, got int"):
        classifier(3)
    with pytest.raises(FileNotFoundError, match=r"there is no file nowhere\.safetensors"):
        classifier("torchvision/squeezenet1_1", weights="nowhere.safetensors")


@untouched
def test_random_weights_are_of_their_seed():
    first, again, other = (classifier("timm/test_vit", weights=None, seed=seed) for seed in (0, 0, 1))
    x = images()
    assert torch.equal(first(x), again(x))
    assert not torch.equal(first(x), other(x))


@pytest.mark.parametrize("name", ["torchvision/squeezenet1_1", "timm/test_vit.r160_in1k"])
def test_what_a_library_says_of_its_network(name):
    made = classifier(name, weights=None)
    assert (made.classes, len(made.class_names), made.class_names[980]) == (1000, 1000, "volcano")
    assert class_label(made, "volcano").label == 980
    assert not made.training and not any(p.requires_grad for p in made.parameters())
    side, share = (160, 0.95) if "timm" in name else (224, 224 / 256)
    mean = (0.5,) * 3 if "timm" in name else (0.485, 0.456, 0.406)
    record = made.preprocessing
    assert (record.crop, record.resize) == ((side, side), (int(side / share),) * 2)
    assert (record.mean, record.channels) == (mean, 3)
    whole = classifier(name, weights=None, fit="whole", mean=[0.1] * 3).preprocessing
    assert (whole.resize, whole.mode, whole.mean) == ((side, side), "squash", (0.1,) * 3)


def test_names_of_other_sets_of_imagenet():
    from ppgn.pretrained.zoo import timm_names

    for count in (11821, 21841, 21843):
        assert len(timm_names({"num_classes": count})) == count
    assert timm_names({"num_classes": 10}) == ()
    own = {"num_classes": 2, "label_names": ["n1", "n2"], "label_descriptions": {"n1": "tench"}}
    assert timm_names(own) == ("tench", "n2")


@untouched
@pytest.mark.parametrize("name", ["torchvision/squeezenet1_1", "timm/test_vit"])
def test_ones_own_weights_may_have_other_classes(name, tmp_path):
    trained = classifier(name, weights=None, class_names=["cat", "dog"], seed=3)
    assert trained.classes == 2
    save_file(trained.network.state_dict(), tmp_path / "w.safetensors")
    made = classifier(name, weights=tmp_path / "w.safetensors", class_names=["cat", "dog"])
    assert torch.equal(made(images()), trained(images()))
    assert class_label(made, "dog").label == 1
    assert classifier(name, weights=tmp_path / "w.safetensors", classes=2).class_names == ()
    with pytest.raises(ValueError, match=r"w\.safetensors must hold the .* of another shape: .* \(2,"):
        classifier(name, weights=tmp_path / "w.safetensors")


def test_heads_of_training_may_be_in_the_file_or_not(tmp_path):
    import torchvision

    with torch.random.fork_rng():
        official = torchvision.models.googlenet(weights=None, aux_logits=True, init_weights=False).eval()
    official.transform_input = True  # as torchvision sets it with its own weights
    state = official.state_dict()
    assert any(key.startswith("aux1.") for key in state)
    for kept in (state, {key: value for key, value in state.items() if not key.startswith("aux")}):
        torch.save(kept, tmp_path / "w.pth")
        made = classifier("torchvision/googlenet", weights=tmp_path / "w.pth")
        x = images(height=224, width=224)
        assert torch.allclose(made.network(x), official(x), atol=1e-6)


def test_squeezenet_of_another_maker_knows_photographs(third_party):
    made = classifier("torchvision/squeezenet1_0", weights=third_party("imagenet_squeezenet1_0"))
    path = SHARED / "data" / "imagenet1000_256.zip"
    if not path.exists():
        pytest.skip("needs the ImageNet samples, which do not come with the repository")
    archive = zipfile.ZipFile(path)
    rows = list(csv.DictReader(io.StringIO(archive.read("labels.csv").decode())))[::20]
    pictures = [np.asarray(Image.open(io.BytesIO(archive.read(row["file"]))).convert("RGB")) for row in rows]
    x = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2) / 255
    right = made(x).argmax(1) == torch.tensor([int(row["label"]) for row in rows])
    assert 0.616 - 4 * (0.24 / len(rows)) ** 0.5 < right.float().mean()
    names = [row["name"].split(",")[0].replace("_", " ").casefold() for row in rows]
    assert np.mean([made.class_names[int(r["label"])].casefold() == n for r, n in zip(rows, names, strict=True)]) > 0.8


def lenet() -> nn.Sequential:
    convolutions = nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 120, 5), nn.ReLU(), nn.Flatten(),
    )  # fmt: skip
    return nn.Sequential(convolutions, nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))


def test_lenet_of_another_maker_knows_digits_in_any_colour(third_party, mnist_file, tmp_path):
    names = {"convnet.c1": "0.0", "convnet.c3": "0.3", "convnet.c5": "0.6", "fc.f6": "1", "fc.f7": "3"}
    state = read_state(third_party("mnist_lenet5"))
    renamed = {f"{names[key.rpartition('.')[0]]}.{key.rpartition('.')[2]}": value for key, value in state.items()}
    made = classifier(load_weights(lenet(), renamed), size=32)
    test = ppgn.data.load(mnist_file, "test")
    x, labels = ppgn.data.to_float(test.images[:1000]), test.labels[:1000]
    assert abs((made(x).argmax(1) == labels).float().mean() - 0.9908) < 4 * (0.9908 * 0.0092 / 1000) ** 0.5
    assert torch.allclose(made(x.expand(-1, 3, -1, -1)), made(x), atol=1e-4)
    with pytest.raises(
        ValueError, match=r"must hold the 10 tensors of Sequential: 10 missing: .*; 10 unknown: convnet"
    ):
        classifier(lenet(), weights=third_party("mnist_lenet5"))


class Block(nn.Module):
    """Of akamaster's ResNet-20: a shortcut without weights."""

    def __init__(self, width, out, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out)
        self.conv2, self.bn2 = nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out)
        self.more = (out - width) // 2

    def forward(self, x):
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        if self.more:
            x = nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more, self.more))
        return (x + y).relu()


class ResNet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(*[Block(16, 16, 1) for _ in range(3)])
        self.layer2 = nn.Sequential(Block(16, 32, 2), Block(32, 32, 1), Block(32, 32, 1))
        self.layer3 = nn.Sequential(Block(32, 64, 2), Block(64, 64, 1), Block(64, 64, 1))
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(self.bn1(self.conv1(x)).relu())))
        return self.linear(x.mean((2, 3)))


def test_resnet20_of_another_maker_knows_small_photographs(third_party):
    path = SHARED / "data" / "cifar10_lossless5k.npz"
    if not path.exists():
        pytest.skip("needs the CIFAR-10 images, which do not come with the repository")
    own = ResNet20()
    names = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    made = classifier(
        own, weights=third_party("cifar10_resnet20"), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225),
        class_names=names,
    )  # fmt: skip
    arrays = np.load(path)
    x = torch.from_numpy(arrays["x_test"]).permute(0, 3, 1, 2) / 255
    right = made(x).argmax(1) == torch.from_numpy(arrays["y_test"])
    assert abs(right.float().mean() - 0.915) < 0.002
    assert class_label(made, "frog").label == 6


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
