"""`ppgn train dae`: a denoiser of codes, the prior of PPGN-h or of an annealed walk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch import Tensor

from ppgn import files, models, training
from ppgn.cli import training as shared
from ppgn.cli.options import device_of
from ppgn.data import ImageSet, code_batches, to_float

WIDTHS = [80, 112, 144]  # of the denoiser of latent maps
TOGETHER = 1 << 20  # pixels encoded at a time


def dae_command(
    data: Annotated[list[str], typer.Option(help=f"{shared.SOURCES}; may be repeated: batches come from each in turn")],
    encoder: Annotated[Path, typer.Option(help="model.safetensors of a classifier or autoencoder")],
    out: shared.Out,
    architecture: Annotated[
        str | None, typer.Option(help="of an encoder's file from elsewhere, as TinyAutoencoder")
    ] = None,
    sigma: Annotated[float | None, typer.Option(help="one level of noise, in units of the code; 0.8")] = None,
    sigma_min: Annotated[float | None, typer.Option(help="with --sigma-max: one network for all between")] = None,
    sigma_max: Annotated[float | None, typer.Option(help="of a ladder of noise, for annealed walks")] = None,
    widths: shared.Widths = None,
    crop: Annotated[int, typer.Option(min=0, help="cut larger latent maps to this side; 0: whole")] = 0,
    part: shared.Part = ":",
    size: shared.Size = None,
    steps: shared.Steps = 8000,
    batch_size: shared.BatchSize = 256,
    seed: shared.Seed = 0,
    learning_rate: shared.LearningRate = 1e-3,
    precision: shared.Precision = "float32",
    resume: shared.Resume = False,
    checkpoint_every: shared.CheckpointEvery = 1000,
    tensorboard: shared.TensorBoard = False,
    device: shared.Device = None,
    progress: shared.Progress = True,
) -> None:
    """Train a denoising autoencoder on an encoder's codes: the prior of PPGN-h, or of an annealed walk."""
    config = {
        "family": "dae", "data": data if len(data) > 1 else data[0], "part": part, "size": size,
        "encoder": str(encoder), **_noise_levels(sigma, sigma_min, sigma_max), "steps": steps,
        "batch_size": batch_size, "seed": seed, "learning_rate": learning_rate, "crop": crop,
        "precision": shared.check_precision(precision),
    }  # fmt: skip
    where = device_of(device)
    network = _encoder(encoder, architecture, config).to(where)
    _check_options(isinstance(network, models.TinyAutoencoder), widths, config)
    codes = [
        _codes(network, shared.images_of(source, part, where, config, size), precision, encoder) for source in data
    ]
    trainer = _denoising(codes, config)
    how = shared.Run(out, resume, where, checkpoint_every, tensorboard, progress)
    shared.run(trainer, lambda start: code_batches(codes, batch_size, seed, start, crop), config, how)


def _noise_levels(sigma: float | None, low: float | None, high: float | None) -> dict[str, float]:
    """What a record says of the noise. Raises ValueError for half a ladder, or for a ladder beside a level."""
    if low is None and high is None:
        return {"sigma": 0.8 if sigma is None else sigma}
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
    network: models.ConvClassifier | models.TinyAutoencoder, images: ImageSet, precision: str, path: Path
) -> Tensor:
    """The codes of all images, float32 but for what the precision rounds within."""
    if isinstance(network, models.ConvClassifier):
        shared.check_images(images, network, path)
    encode = network.encode if isinstance(network, models.TinyAutoencoder) else network.features
    _, height, width = images.image_shape
    parts = images.images.split(max(1, TOGETHER // (height * width)))
    bfloat16 = shared.PRECISIONS[precision] == torch.bfloat16
    with torch.autocast(images.images.device.type, torch.bfloat16, enabled=bfloat16):
        return torch.cat([encode(to_float(part)).float() for part in parts])


def _denoising(codes: list[Tensor], config: dict[str, Any]) -> training.Trainer[Tensor]:
    """The trainer that codes and noise ask for: one level or a ladder, flat codes or latent maps."""
    rate, seed, device = shared.falling(config["learning_rate"], config["steps"]), config["seed"], codes[0].device
    units, maps = codes[0].shape[1], codes[0].ndim == 4
    real = torch.cat([code.movedim(1, -1).flatten(0, -2) for code in codes])  # of maps, their places
    if "sigma" in config:
        single = models.build(lambda: models.CodeDenoiser(units), seed).to(device)
        return training.dae_trainer(single, codes=real, sigma=config["sigma"], learning_rate=rate)
    levels = {name: config[name] for name in ("sigma_min", "sigma_max")}
    if not maps:
        flat = models.build(lambda: models.LadderDenoiser(units), seed).to(device)
        return training.ladder_trainer(flat, codes=real, **levels, learning_rate=rate)
    network = models.build(lambda: models.ConvLadderDenoiser(units, config["widths"]), seed).to(device)
    return training.ladder_trainer(network, codes=real, **levels, learning_rate=rate)
