"""Other people's networks, from safetensors files in one folder (../shared/weights beside the repository).

Each is a pipeline without a condition, a classifier, or an autoencoder; FileNotFoundError without its file.

digits       the MNIST GAN and LeNet-5 of csinva/gan-vae-pretrained-pytorch (MIT)
clothes      the Fashion-MNIST JointVAE of Schlumberger/joint-vae (MIT; Dupont 2018) and a LeNet-5 that is trained here
svhn         the DCGAN of house numbers of Newmu/dcgan_code (MIT; Radford et al. 2016)
faces        the CelebA VAE of YannDubs/disentangling-vae (MIT)
taef2        the autoencoder of natural images of madebyollin/taesd (MIT)
lenet        the same LeNet-5 alone
resnet20     the CIFAR-10 ResNet-20 of akamaster/pytorch_resnet_cifar10 (BSD-2; He et al. 2016)
squeezenet   the ImageNet SqueezeNet 1.0 of songhan/SqueezeNet-Deep-Compression (BSD; Iandola et al. 2016)
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import ppgn
from ppgn import data, evaluation, models, pretrained, training
from ppgn.random import per_step

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
WEIGHTS, FASHION = SHARED / "weights", SHARED / "data" / "fashion_mnist.npz"
CACHE = ROOT / "runs" / "truth"
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
BATCH = 125  # codes evaluated together: small enough for a processor's cache
TRAINING = 4000  # steps of the clothes' classifier


class LeNet(nn.Module):
    """Grey images in [0, 1], brought to 32 x 32 -> logits (B, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.c1, self.c3, self.c5 = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5), nn.Conv2d(16, 120, 5)
        self.f6, self.f7 = nn.Linear(120, 84), nn.Linear(84, 10)

    def features(self, x: Tensor) -> Tensor:
        """(B, 84), what the classes are told by."""
        if x.shape[-1] != 32:
            x = nn.functional.interpolate(x, (32, 32), mode="bilinear")
        x = nn.functional.max_pool2d(self.c1(x), 2).relu()  # relu first gives the same, for four times the work
        x = nn.functional.max_pool2d(self.c3(x), 2).relu()
        x = nn.functional.linear(x.flatten(1), self.c5.weight.flatten(1), self.c5.bias).relu()
        return self.f6(x).relu()

    def forward(self, x: Tensor) -> Tensor:
        return self.f7(self.features(x))


class ResNet(nn.Module):
    """ResNet-20 for 32 x 32 (He et al. 2016, Sec. 4.2), its shortcuts without weights: normalised RGB -> (B, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(Block(16, 16), Block(16, 16), Block(16, 16))
        self.layer2 = nn.Sequential(Block(16, 32), Block(32, 32), Block(32, 32))
        self.layer3 = nn.Sequential(Block(32, 64), Block(64, 64), Block(64, 64))
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer3(self.layer2(self.layer1(self.bn1(self.conv1(x)).relu())))
        return self.linear(x.mean((2, 3)))


class Block(nn.Module):
    """Two convolutions; where channels double, sides halve, and the shortcut is every other pixel beside zeros."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.stride, self.missing = (1, 0) if before == after else (2, (after - before) // 2)
        self.conv1 = nn.Conv2d(before, after, 3, self.stride, 1, bias=False)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(after), nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        made = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        shortcut = x[:, :, :: self.stride, :: self.stride]
        return (made + nn.functional.pad(shortcut, (0, 0, 0, 0, self.missing, self.missing))).relu()


def lenet(weights: Path = WEIGHTS) -> pretrained.ImageClassifier:
    """Digits: grey images of any size, RGB ones by their luminance, brought to 32 x 32."""
    network = pretrained.load_weights(LeNet(), _read(weights, "mnist_lenet5", "convnet.", "fc."))
    return pretrained.classifier(network, size=32, channels=1, class_names=[str(digit) for digit in range(10)])


def resnet20(weights: Path = WEIGHTS) -> pretrained.ImageClassifier:
    """CIFAR-10: images of any size, brought to 32 x 32."""
    network = pretrained.load_weights(ResNet(), _read(weights, "cifar10_resnet20"))
    return pretrained.classifier(network, size=32, class_names=CIFAR10, **IMAGENET)


def squeezenet(
    weights: Path = WEIGHTS, fit: Literal["official", "whole"] = "official", size: int | None = None
) -> pretrained.ImageClassifier:
    """ImageNet's 1,000 classes; fit and size as in `pretrained.classifier`."""
    file = _file(weights, "imagenet_squeezenet1_0")
    return pretrained.classifier("torchvision/squeezenet1_0", weights=file, fit=fit, size=size)


def svhn(weights: Path = WEIGHTS) -> ppgn.Pipeline:
    """House numbers, 3 x 32 x 32: p(z) = N(0, I) of the DCGAN."""
    network = models.DCGANGenerator(100, widths=(256, 128, 64), kernel=5, linear=True, eps=1e-8)
    file = _file(weights, "svhn_dcgan_generator")
    return ppgn.Pipeline(pretrained.generator(network, latent_shape=(100,), value_range=(0, 1), weights=file))


def faces(weights: Path = WEIGHTS) -> ppgn.Pipeline:
    """Faces, 3 x 64 x 64: p(z) = N(0, I) of the VAE."""
    file = _file(weights, "celeba_vae64")
    return ppgn.Pipeline(
        pretrained.generator(models.ConvVAE(), latent_shape=(10,), value_range=(0, 1), weights=file)
    )  # fmt: skip


def taef2(weights: Path = WEIGHTS) -> models.TinyAutoencoder:
    """Natural images to maps of 32 channels, an eighth of their sides, and back; it knows no prior of them."""
    halves = {name: value.float() for name, value in _read(weights, "natural_taef2").items()}
    return pretrained.frozen(pretrained.load_weights(models.TinyAutoencoder(), halves))


def digits(weights: Path = WEIGHTS, batch: int = BATCH) -> ppgn.Pipeline:
    """p(z) of the GAN with LeNet-5 as its classifier; no condition yet. Raises FileNotFoundError without the files."""
    gan = nn.Sequential(
        nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 784), nn.Tanh(),
        nn.Unflatten(1, (1, 28, 28)),
    )  # fmt: skip
    generator = pretrained.generator(gan, latent_shape=(64,), weights=_read(weights, "mnist_gan_mlp", "G."))
    return _pipeline(generator, _read(weights, "mnist_lenet5", "convnet.", "fc."), batch)


def clothes(weights: Path = WEIGHTS, images: Path = FASHION, cache: Path = CACHE, batch: int = BATCH) -> ppgn.Pipeline:
    """p(h) of the JointVAE with a LeNet-5 trained on `images` once and kept in `cache`; no condition yet."""
    vae = pretrained.load_weights(models.JointVAE(), _read(weights, "fashion_jointvae"))
    path = cache / "fashion_lenet5.safetensors"
    if not path.exists():
        _train(path, images)
    generator = pretrained.generator(vae, latent_shape=vae.latent_shape, value_range=(0, 1))
    return _pipeline(generator, pretrained.read_state(path), batch)


def _train(path: Path, images: Path) -> None:
    """A LeNet-5 of the clothes by the library's own trainer, a minute or two; prints its accuracy on test images."""
    train, test = data.load(str(images)), data.load(str(images), "test")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = LeNet()
    rate = training.cosine(2e-3, 2e-5, TRAINING)
    trainer = training.classifier_trainer(network, learning_rate=rate, shift=0)
    for _ in islice(training.fit(trainer, data.batches(train, 128, 0), per_step(0)), TRAINING):
        pass
    result = trainer.results["model"].eval()
    logits = evaluation.in_parts(result, data.to_float(test.images))
    print(f"trained {path.name}: {(logits.argmax(1) == test.labels).float().mean():.1%} of the test images", flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(result.state_dict(), path)


def _pipeline(
    generator: pretrained.ImageGenerator, classifier_weights: Mapping[str, Tensor], batch: int
) -> ppgn.Pipeline:  # fmt: skip
    """Networks compiled, which halves the time of such small ones on a processor."""
    classifier = pretrained.frozen(pretrained.load_weights(LeNet(), classifier_weights))
    return ppgn.Pipeline(
        torch.compile(generator, dynamic=True), generator.prior, classifier=torch.compile(classifier, dynamic=True),
        latent_shape=generator.latent_shape, batch_size=batch,
    )  # fmt: skip


def _read(weights: Path, name: str, *prefixes: str) -> dict[str, Tensor]:
    """The tensors whose names begin with one of the prefixes, without it; without prefixes, all."""
    tensors = pretrained.read_state(_file(weights, name))
    starts = prefixes or ("",)
    return {key.removeprefix(start): tensors[key] for start in starts for key in tensors if key.startswith(start)}


def _file(weights: Path, name: str) -> Path:
    path = weights / f"{name}.safetensors"
    if not path.is_file():
        raise FileNotFoundError(f"the weights of {name} must be in {path}; give their folder by --weights")
    return path
