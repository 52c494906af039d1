"""`ppgn train dae`: a denoiser of codes, the prior of PPGN-h or of an annealed walk, or of images, that of PPGN-x."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch import Tensor

from ppgn import files, models, training
from ppgn.cli import training as shared
from ppgn.data import ImageSet, code_batches, to_float

WIDTHS = [80, 112, 144]  # of the denoiser of latent maps
TOGETHER = 1 << 20  # pixels encoded at a time


@shared.command(steps=8000, batch_size=256, learning_rate=1e-3, checkpoint_every=1000)
def dae_command(
    options: shared.Options,
    encoder: Annotated[
        Path | None, typer.Option(help="model.safetensors of a classifier or autoencoder; without: of images")
    ] = None,
    architecture: Annotated[
        str | None, typer.Option(help="of an encoder's file from elsewhere, as TinyAutoencoder")
    ] = None,
    sigma: Annotated[
        float | None, typer.Option(help="one level of noise, in units of the code, 0.8; or of the image, 0.3")
    ] = None,
    sigma_min: Annotated[float | None, typer.Option(help="with --sigma-max: one network for all between")] = None,
    sigma_max: Annotated[float | None, typer.Option(help="of a ladder of noise, for annealed walks")] = None,
    widths: shared.Widths = None,
    crop: Annotated[int, typer.Option(min=0, help="cut larger latent maps to this side; 0: whole")] = 0,
) -> None:
    """Train a denoising autoencoder on codes, the prior of PPGN-h or of an annealed walk; or on images, of PPGN-x."""
    levels = _noise_levels(sigma, sigma_min, sigma_max, 0.3 if encoder is None else 0.8)
    config = options.record("dae", encoder=encoder and str(encoder), **levels, crop=crop)
    if encoder is None:
        _denoise_images(options, config, widths)
        return
    network = _encoder(encoder, architecture, config).to(options.place)
    _check_options(isinstance(network, models.TinyAutoencoder), widths, config)
    codes = [_codes(network, images, options, encoder) for images in options.sets(config)]
    trainer = _denoising(codes, options, config)
    options.train_on(
        trainer,
        lambda start: code_batches(codes, options.batch_size, options.seed, start, crop),
        config,
        sum(map(len, codes)),
    )


def _denoise_images(options: shared.Options, config: dict[str, Any], widths: str | None) -> None:
    """Train the prior of PPGN-x. Raises ValueError for options that are of codes."""
    if "sigma" not in config or widths is not None or config["crop"]:
        raise ValueError("images are denoised at one level: give --sigma alone, or an --encoder for the other options")
    images = options.images(config)
    network = models.build(lambda: models.ImageDenoiser(images.image_shape), options.seed).to(options.place)
    trainer = training.image_dae_trainer(network, sigma=config["sigma"], learning_rate=options.falling)
    options.train(trainer, images, config)


def _noise_levels(sigma: float | None, low: float | None, high: float | None, default: float) -> dict[str, float]:
    """What a record says of the noise. Raises ValueError for half a ladder, or for a ladder beside a level."""
    if low is None and high is None:
        return {"sigma": default if sigma is None else sigma}
    if low is None or high is None or sigma is not None:
        raise ValueError(
            "give --sigma for one level of noise, or both --sigma-min and --sigma-max for a ladder, got "
            f"sigma = {sigma}, sigma_min = {low}, sigma_max = {high}"
        )
    return {"sigma_min": low, "sigma_max": high}


def _encoder(
    path: Path, architecture: str | None, config: dict[str, Any]
) -> models.ConvClassifier | models.TinyAutoencoder:
    """The network that gives the codes. Raises ValueError for one that gives none."""
    network = models.load(path, architecture=architecture)
    if not isinstance(network, models.ConvClassifier | models.TinyAutoencoder):
        kind = type(network).__name__
        raise ValueError(f"encoder must be a ConvClassifier or a TinyAutoencoder, {path} holds a {kind}")
    config["encoder_sha256"] = files.fingerprint(network)
    if isinstance(network, models.TinyAutoencoder):
        network.to(memory_format=torch.channels_last)  # faster
    return network


def _check_options(maps: bool, widths: str | None, config: dict[str, Any]) -> None:
    """Raise ValueError for options that do not go with the codes: before any is made."""
    if maps and "sigma" in config:
        raise ValueError("latent maps need a ladder of noise: give --sigma-min and --sigma-max")
    for name, given in (("widths", widths is not None), ("crop", config["crop"] > 0)):
        if given and not maps:
            raise ValueError(f"{name} is of latent maps, but the encoder's codes are flat")
    if maps:
        config["widths"] = WIDTHS if widths is None else shared.numbers(widths, "widths")


@torch.no_grad()
def _codes(
    network: models.ConvClassifier | models.TinyAutoencoder, images: ImageSet, options: shared.Options, path: Path
) -> Tensor:
    """The codes of all images, float32 but for what the precision rounds within."""
    if isinstance(network, models.ConvClassifier):
        shared.check_images(images, network, path)
    encode = network.encode if isinstance(network, models.TinyAutoencoder) else network.features
    _, height, width = images.image_shape
    parts = images.images.split(max(1, TOGETHER // (height * width)))
    bfloat16 = shared.PRECISIONS[options.precision] == torch.bfloat16
    with torch.autocast(options.place.type, torch.bfloat16, enabled=bfloat16):
        return torch.cat([encode(to_float(part.to(options.place))).float() for part in parts])


def _denoising(codes: list[Tensor], options: shared.Options, config: dict[str, Any]) -> training.Trainer[Tensor]:
    """The trainer that codes and noise ask for: one level or a ladder, flat codes or latent maps."""
    rate, units, maps = options.falling, codes[0].shape[1], codes[0].ndim == 4
    real = torch.cat([code.movedim(1, -1).flatten(0, -2) for code in codes])  # of maps, their places
    if "sigma" in config:
        single = models.build(lambda: models.CodeDenoiser(units), options.seed).to(options.place)
        return training.dae_trainer(single, codes=real, sigma=config["sigma"], learning_rate=rate)
    levels = {name: config[name] for name in ("sigma_min", "sigma_max")}
    if not maps:
        flat = models.build(lambda: models.LadderDenoiser(units), options.seed).to(options.place)
        return training.ladder_trainer(flat, codes=real, **levels, learning_rate=rate)
    network = models.build(lambda: models.ConvLadderDenoiser(units, config["widths"]), options.seed)
    return training.ladder_trainer(network.to(options.place), codes=real, **levels, learning_rate=rate)
