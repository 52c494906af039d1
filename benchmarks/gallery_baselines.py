"""Pictures by the baseline networks: what they draw, complete, and have between their codes.

They are those of runs/baselines, else the bundles'. A picture of all codes needs a VAE with codes of two numbers there,
as `ppgn train vae --arch dense --latent 2 --steps 15000 --batch-size 256 --learning-rate 2e-3` makes it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import baselines
import thirdparty
import torch
from pictures import Drawn, Picture, beside, rows
from PIL import Image
from torch import Tensor, nn

from ppgn import data, evaluation, latents, models, pretrained
from ppgn.pretrained.catalogue import WEIGHTS
from ppgn.random import streams

RUNS = thirdparty.ROOT / "runs" / "baselines"
NETWORKS = RUNS if RUNS.exists() else WEIGHTS
DIGITS = thirdparty.SHARED / "data" / "mnist.npz"
SEED, SIDE = 0, 56
CODES_SHOWN = 2  # numbers of a code, for a picture of all codes
GAN = ("ResidualGenerator", "UpconvGenerator")


def network_of(*kinds: str, latent: Callable[[int], bool] = lambda n: True) -> baselines.Found:
    """The first one of these kinds, of digits, whose codes have such a length. Raises FileNotFoundError without one."""
    for found in baselines.networks(NETWORKS, kinds):
        length = found.network.config.get("latent", found.network.config.get("code", 0))
        if found.network.config["image_shape"] == [1, 28, 28] and latent(length):
            return found
    raise FileNotFoundError(f"{NETWORKS} has no {' or '.join(kinds)} of digits with codes of that length")


def shown_digits(each: int = 1) -> data.ImageSet:
    """The first `each` test images of every digit, greys."""
    return data.load(str(DIGITS), "test").per_class(each)


def sheet(*kinds: str, n: int = 100, columns: int = 10) -> Drawn:
    """Draws as they come."""
    found = network_of(*kinds, latent=lambda length: length != CODES_SHOWN)
    images = baselines.images_of(found.network, n, SEED)
    parameters = sum(p.numel() for p in found.network.parameters())
    steps = f", {found.trained['steps']:,} steps of training" if "steps" in found.trained else ""
    told = f"{n} draws, seed {SEED}, none left out; {parameters:,} parameters{steps}."
    return Drawn(rows(images, None, columns, SIDE), told)


def reconstructed(each: int = 2) -> Drawn:
    """Test digits above what is left of them after a code."""
    network, digits = network_of("Autoencoder").network, shown_digits(each)
    x = data.to_float(digits.images)
    again = evaluation.in_parts(lambda part: network(network.encode(part)), x)
    both = torch.stack([x.view(10, each, *x.shape[1:]), again.view(10, each, *x.shape[1:])], 2).flatten(0, 2)
    labels = [str(digit) for digit in range(10) for _ in range(2 * each)]
    error = float((again - x).square().mean())
    told = (
        f"Pairs: a test digit, and what {network.latent_shape[0]} numbers keep of it; mean squared error {error:.4f}."
    )
    return Drawn(rows(both, labels, 2 * each, SIDE), told)


def completions(fills: int = 8, known_rows: int = 14) -> Drawn:
    """Upper halves of test digits, and several lower ones by a PixelCNN: draws of p(lower half | upper half)."""
    network, digits = network_of("GatedPixelCNN").network, shown_digits()
    x = baselines.black_and_white(data.to_float(digits.images), SEED)
    known = x.repeat_interleave(fills, 0)
    mask = (torch.arange(x.shape[2]) < known_rows)[:, None]
    label = digits.labels.repeat_interleave(fills)
    noise = network.likelihood.noise(known, streams(SEED, len(known)))
    conditional = network.config.get("classes") is not None
    drawn = models.draw(network, noise, label if conditional else None, known=known, mask=mask).images
    judge = pretrained.network("mnist", "judge")
    agreed = evaluation.agreement(judge, drawn, label)
    shown = torch.cat([x[:, None], torch.where(mask, x, 0.5)[:, None], drawn.view(10, fills, *x.shape[1:])], 1)
    told = (
        f"From the left: a test digit, what is known of it, {fills} draws, seed {SEED}, none left out. The bundle's "
        f"judge, of grey digits, reads {agreed:.0%} of them as the digit it was."
    )
    labels = [str(digit) for digit in range(10) for _ in range(fills + 2)]
    return Drawn(rows(shown.flatten(0, 1), labels, fills + 2, SIDE), told)


def manifold(n: int = 20) -> Drawn:
    """All codes of two numbers, at equal steps of probability."""
    found = network_of(*baselines.CODED, latent=lambda length: length == CODES_SHOWN)
    images = latents.latent_grid(found.network, n)
    told = f"{n} x {n} codes, each for as much of p(z); z_1 grows to the right, z_2 upwards."
    return Drawn(rows(images, None, n, SIDE // 2), told)


def between(steps: int = 10) -> Drawn:
    """Straight ways between the codes of test digits, and great circles between codes drawn for a GAN."""
    vae = network_of(*baselines.CODED, latent=lambda length: length != CODES_SHOWN).network
    gan = network_of(*GAN).network
    z = evaluation.in_parts(vae.encoder, data.to_float(shown_digits().images))
    straight = latents.interpolate(z, z.roll(-1, 0), steps)
    drawn = baselines.codes(gan, 10, SEED)
    circles = latents.interpolate(drawn, drawn.roll(-1, 0), steps, spherical=True)
    names = [f"{i} to {(i + 1) % 10}" for i in range(10) for _ in range(steps)]
    drawn_names = [f"draw {name}" for name in names]
    parts = [("VAE, straight lines between test digits", _walk(vae, straight, names, steps))]
    parts += [("GAN, great circles between draws of p(z)", _walk(gan, circles, drawn_names, steps))]
    return Drawn(beside(parts), f"{steps} images a way, its ends among them; codes of the GAN of seed {SEED}.")


def _walk(network: nn.Module, codes: Tensor, names: list[str], steps: int) -> Image.Image:
    return rows(evaluation.in_parts(network, codes.flatten(0, 1)), names, steps, SIDE)


PICTURES = {
    "baseline-pixelcnn": Picture(partial(sheet, "GatedPixelCNN", "PixelCNN"), "Digits drawn by a PixelCNN."),
    "baseline-row-lstm": Picture(partial(sheet, "RowLSTM"), "Digits drawn by a PixelRNN, the Row LSTM."),
    "baseline-diagonal": Picture(partial(sheet, "DiagonalBiLSTM"), "Digits drawn by a PixelRNN, the Diagonal BiLSTM."),
    "baseline-vae": Picture(partial(sheet, *baselines.CODED), "Digits of a VAE: means of p(x|z), z of N(0, 1)."),
    "baseline-gan": Picture(partial(sheet, *GAN), "Digits of a GAN, z of N(0, 1)."),
    "baseline-vae-gan": Picture(partial(sheet, "VAEGAN"), "Digits of a VAE-GAN: means of p(x|z), z of N(0, 1)."),
    "baseline-autoencoder": Picture(reconstructed, "Test digits and their reconstructions by an autoencoder."),
    "completions": Picture(completions, "Test digits, made black and white, whose lower half a PixelCNN draws anew."),
    "manifold": Picture(manifold, "Every code of a VAE with two numbers a code (Kingma & Welling 2014, Figure 4)."),
    "between-digits": Picture(between, "Ways between digits, through the codes of a VAE and of a GAN."),
}
