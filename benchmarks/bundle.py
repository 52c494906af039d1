"""Make a bundle: train every network by its command (recipes.py), measure it, write weights and cards.

    python benchmarks/bundle.py mnist train --data mnist.npz --work runs/mnist      # about 60 minutes on 2 cores
    python benchmarks/bundle.py mnist pack --work runs/mnist

With `--only captioner` one network is trained or packed, and the others' files stay as they are.
A run that was stopped goes on where it was. Everything but the judge sees the first half of the training images; the
judge sees the other half, has another architecture and another seed, and is never a condition.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from pathlib import Path

import torch
from measuring import encoder_of, measure
from measuring_baselines import measure as baseline
from recipes import RECIPES, Recipe

from ppgn import data, evaluation, files, models, pretrained
from ppgn.pretrained.catalogue import WEIGHTS

LARGE = 1000  # numbers in a tensor from which on it may be stored as float16


def train(recipe: Recipe, sources: list[Path], work: Path, only: list[str]) -> None:
    work.mkdir(parents=True, exist_ok=True)
    for name, source in zip(recipe.files, sources, strict=True):
        if not (work / name).exists():
            (work / name).symlink_to(source.resolve())
    for name in only or recipe.networks:
        if (work / recipe.weights(name)).exists():
            continue
        arguments = shlex.split(recipe.command(name))[1:]
        subprocess.run([sys.executable, "-m", "ppgn", *arguments, "--resume"], cwd=work, check=True)


def pack(bundle: str, work: Path, only: list[str]) -> None:
    """Write weights and cards, of all or of some; the rest of bundle.json (variants and their settings) is kept as it
    is, and with `only` the other networks' files too."""
    recipe, out = RECIPES[bundle], WEIGHTS / bundle
    out.mkdir(parents=True, exist_ok=True)
    images = data.load(str(work / recipe.files[0]), size=recipe.size)
    test = data.load(str(work / recipe.files[0]), "test") if recipe.has_test else images
    for name in only or recipe.networks:
        tensors, header = files.read_tensors(work / recipe.weights(name))
        half = recipe.half or name in recipe.halved
        files.write_tensors(out / f"{name}.safetensors", stored(tensors, half), header)
    for name in only or recipe.networks:
        write_card(recipe, name, recipe.networks[name][0], work, out, test)
    described = files.read_json(out / "bundle.json")
    if only:
        described["networks"] += [name for name in only if name not in described["networks"]]
    else:
        described |= {"networks": list(recipe.networks), "sha256": write_statistics(recipe, work, out, images, test)}
    if "image-dae" in (only or recipe.networks):
        described["sha256"]["images.safetensors"] = write_pixels(recipe, out, images)
    files.write_json(out / "bundle.json", described)
    for card in pretrained.cards(bundle):
        print(card.name, card.path.stat().st_size, dict(card.measured))


def write_statistics(
    recipe: Recipe, work: Path, out: Path, images: data.ImageSet, test: data.ImageSet
) -> dict[str, str]:
    """What real images are like, where it is known; the sha256 of each file."""
    statistics = []
    if recipe.coded:
        write_codes(recipe, work, out, images)
        statistics.append("codes.safetensors")
    if "judge" in recipe.networks:
        write_reference(recipe, out, images, test)
        statistics.append("reference.safetensors")
    return {name: files.sha256(out / name) for name in statistics}


def stored(tensors: dict[str, torch.Tensor], half: bool) -> dict[str, torch.Tensor]:
    """The tensors to write: matrices and kernels may lose bits, statistics and offsets do not."""
    large = {name for name, value in tensors.items() if value.ndim >= 2 and value.numel() >= LARGE and name != "basis"}
    return {name: value.half() if half and name in large else value for name, value in tensors.items()}


def write_card(recipe: Recipe, name: str, role: str, work: Path, out: Path, test: data.ImageSet) -> None:
    path = out / f"{name}.safetensors"
    _, header = files.read_tensors(path)
    code = header["config"].get("code", header["config"].get("latent"))
    if header["architecture"] == "ImageDenoiser":  # whose codes are images
        code = header["config"]["image_shape"]
    part = header["trained"]["part"]
    shape = [code] if isinstance(code, int) else code
    files.write_json(out / f"{name}.json", {
        "role": role, "architecture": f"{header['architecture']} {json.dumps(header['config'])}",
        "data": f"{recipe.images}, training images {part}".removesuffix(" :"), "command": recipe.command(name),
        "seed": header["trained"]["seed"], "sha256": files.sha256(path),
        "measured": baseline(path, test) if recipe.work else measure(recipe, name, work, out, test),
        "latent_shape": shape, "value_range": None if name in ("dae", "ladder", "prior") else [0.0, 1.0],
        "source": "trained here, by command", "revision": None, "licence": "MIT",
    })  # fmt: skip


def write_pixels(recipe: Recipe, out: Path, images: data.ImageSet) -> str:
    """Mean and spread of real images' pixels, where walks on pixels start; the file's sha256."""
    _, header = files.read_tensors(out / "image-dae.safetensors")
    part = header["trained"]["part"]
    x = data.to_float(images.part(part).images)
    moments = {"mean": x.mean(0), "std": x.std(0).clamp(min=0.01)}  # some are always black
    path = out / "images.safetensors"
    files.write_tensors(path, moments, {"of": f"pixels of {recipe.images} training images {part}"})
    return files.sha256(path)


@torch.no_grad()
def write_codes(recipe: Recipe, work: Path, out: Path, images: data.ImageSet) -> None:
    """Mean and spread of real codes, where walks start."""
    _, header = files.read_tensors(out / f"{recipe.coded}.safetensors")
    part = header["trained"]["part"]
    encoder = encoder_of(recipe, recipe.coded, work, out)
    codes = evaluation.in_parts(encoder, data.to_float(images.part(part).images))
    moments = {"mean": codes.mean(0), "std": codes.std(0).clamp(min=0.01)}  # dead units stay near 0
    files.write_tensors(out / "codes.safetensors", moments, {"of": f"codes of {recipe.images} training images {part}"})


@torch.no_grad()
def write_reference(recipe: Recipe, out: Path, images: data.ImageSet, test: data.ImageSet) -> None:
    """The judge's moments of real images, for distances."""
    judge = models.load(out / "judge.safetensors")
    features = evaluation.features(judge, data.to_float(test.images))
    found = evaluation.moments(features)
    tensors = {"mean": found.mean, "covariance": found.covariance}
    floor = images.per_class(100)
    floor_features = evaluation.features(judge, data.to_float(floor.images))
    tensors |= {
        "floor_distance": torch.tensor(evaluation.frechet_distance(evaluation.moments(floor_features), found)),
        "floor_spread": torch.tensor(evaluation.spread(floor_features, floor.labels)),
    }
    of = f"judge's features of the {len(test):,} {recipe.images} test images; floor: 1,000 training images, 100 a class"
    files.write_tensors(out / "reference.safetensors", tensors, {"of": of})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", choices=list(RECIPES))
    parser.add_argument("what", choices=["train", "pack"])
    parser.add_argument("--data", type=Path, nargs="+", help="the image sets, for train; default: their usual names")
    parser.add_argument("--work", type=Path, help="where its runs are; default: under runs/")
    parser.add_argument("--only", nargs="*", default=[], help="networks to train or pack")
    arguments = parser.parse_args()
    recipe = RECIPES[arguments.bundle]
    work = arguments.work or Path("runs") / (recipe.work or arguments.bundle)
    if arguments.what == "train":
        train(recipe, arguments.data or list(map(Path, recipe.files)), work, arguments.only)
    else:
        pack(arguments.bundle, work, arguments.only)


if __name__ == "__main__":
    main()
