"""Other people's networks as pipelines, from safetensors files in one folder (../shared/weights beside the repository).

digits    the MNIST GAN and LeNet-5 of csinva/gan-vae-pretrained-pytorch (MIT)
clothes   the Fashion-MNIST JointVAE of Schlumberger/joint-vae (MIT; Dupont 2018) and a LeNet-5 that is trained here
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from pathlib import Path

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
    vae = pretrained.load_weights(models.JointVAE(), _read(weights, "fashion_jointvae", ""))
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
    """The tensors whose names begin with one of the prefixes, without it."""
    path = weights / f"{name}.safetensors"
    if not path.is_file():
        raise FileNotFoundError(f"the weights of {name} must be in {path}; give their folder by --weights")
    tensors = pretrained.read_state(path)
    return {key.removeprefix(start): tensors[key] for start in prefixes for key in tensors if key.startswith(start)}
