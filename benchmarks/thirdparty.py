"""Other people's networks as pipelines, from safetensors files in one folder (../shared/weights beside the repository).

digits    the MNIST GAN and LeNet-5 of csinva/gan-vae-pretrained-pytorch (MIT)
clothes   the Fashion-MNIST JointVAE of Schlumberger/joint-vae (MIT; Dupont 2018) and a LeNet-5 that is trained here
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import ppgn
from ppgn import data, evaluation, training
from ppgn.random import per_step

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
WEIGHTS, FASHION = SHARED / "weights", SHARED / "data" / "fashion_mnist.npz"
CACHE = ROOT / "runs" / "truth"
BATCH = 125  # codes evaluated together: small enough for a processor's cache
TEMPERATURE = 0.2  # of the VAE's discrete code
TRAINING = 4000  # steps of the clothes' classifier


class Gan(nn.Module):
    """z (B, 64), standard normal -> digits (B, 1, 28, 28)."""

    def __init__(self) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 784), nn.Tanh()
        )

    def forward(self, h: Tensor) -> Tensor:
        return ((self.main(h) + 1) / 2).view(-1, 1, 28, 28)


class JointVae(nn.Module):
    """h (B, 20), standard normal -> clothes (B, 1, 32, 32).

    The decoder takes 10 normals and a one-hot of 10. Here the one-hot is the softmax of the last 10 coordinates over a
    low temperature: nearly one-hot, equally likely to be each, and still a differentiable function of a normal code (as
    the relaxed code that the network was trained with, at temperature 0.67).
    """

    def __init__(self) -> None:
        super().__init__()
        self.latent_to_features = nn.Sequential(nn.Linear(20, 256), nn.ReLU(), nn.Linear(256, 1024), nn.ReLU())
        self.features_to_img = nn.Sequential(
            nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.ReLU(),
            nn.ConvTranspose2d(32, 32, 4, 2, 1), nn.ReLU(),
            nn.ConvTranspose2d(32, 1, 4, 2, 1), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, h: Tensor) -> Tensor:
        code = torch.cat([h[:, :10], (h[:, 10:] / TEMPERATURE).softmax(1)], 1)
        return self.features_to_img(self.latent_to_features(code).view(-1, 64, 4, 4))


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


def digits(weights: Path = WEIGHTS, batch: int = BATCH) -> ppgn.Pipeline:
    """p(z) of the GAN with LeNet-5 as its classifier; no condition yet. Raises FileNotFoundError without the files."""
    generator = _filled(Gan(), _read(weights, "mnist_gan_mlp"), {"G.": "main."})
    classifier = _filled(LeNet(), _read(weights, "mnist_lenet5"), {"convnet.": "", "fc.": ""})
    return _pipeline(generator, classifier, 64, batch)


def clothes(weights: Path = WEIGHTS, images: Path = FASHION, cache: Path = CACHE, batch: int = BATCH) -> ppgn.Pipeline:
    """p(h) of the JointVAE with a LeNet-5 trained on `images` once and kept in `cache`; no condition yet."""
    names = {"latent_to_features.": "latent_to_features.", "features_to_img.": "features_to_img."}
    generator = _filled(JointVae(), _read(weights, "fashion_jointvae"), names)
    path = cache / "fashion_lenet5.safetensors"
    if not path.exists():
        _train(path, images)
    return _pipeline(generator, _filled(LeNet(), load_file(path), {"": ""}), 20, batch)


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


def _pipeline(generator: nn.Module, classifier: nn.Module, latent: int, batch: int) -> ppgn.Pipeline:
    """Networks compiled, which halves the time of such small ones on a processor."""
    generator, classifier = torch.compile(generator, dynamic=True), torch.compile(classifier, dynamic=True)
    return ppgn.Pipeline(
        generator, ppgn.priors.gaussian((latent,)), ppgn.conditions.unconditional(), classifier=classifier,
        latent_shape=(latent,), batch_size=batch,
    )  # fmt: skip


def _read(weights: Path, name: str) -> dict[str, Tensor]:
    path = weights / f"{name}.safetensors"
    if not path.is_file():
        raise FileNotFoundError(f"the weights of {name} must be in {path}; give their folder by --weights")
    return load_file(path)


def _filled(network: nn.Module, tensors: Mapping[str, Tensor], prefixes: Mapping[str, str]) -> nn.Module:
    """The network with those of the tensors whose names begin with a prefix, renamed; frozen, in eval mode."""
    renamed = {
        new + name.removeprefix(old): value
        for old, new in prefixes.items()
        for name, value in tensors.items()
        if name.startswith(old)
    }
    network.load_state_dict(renamed)
    return network.eval().requires_grad_(False)
