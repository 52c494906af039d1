"""Make the bundle `mnist`: train every network by its command, measure it, write weights and cards.

    python benchmarks/bundle_mnist.py train --data mnist.npz --work runs/mnist      # about 60 minutes on 2 cores
    python benchmarks/bundle_mnist.py pack --work runs/mnist

A run that was stopped goes on where it was. Everything but the judge sees the first half of the training images; the
judge sees the other half, has another architecture and another seed, and is never a condition.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import torch

from ppgn import data, evaluation, files, models, pretrained
from ppgn.pretrained.catalogue import WEIGHTS
from ppgn.training.ladder import linear_error

FIRST, SECOND = "0:30000", "30000:60000"
ENCODER = "--encoder encoder/model.safetensors"
SIGMA = 1.87  # of the DAE: 0.7 of the codes' standard deviation
LEVELS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # of it, for its card
LADDER = (0.1, 20.0)  # ends of the levels that one network learns; the codes' widest axis has a deviation of 12

NETWORKS = {
    "encoder": ("x -> h1 -> h, whose codes the generators invert", f"classifier --part {FIRST} --seed 0"),
    "classifier": ("the condition p(y | x)", f"classifier --part {FIRST} --seed 1"),
    "judge": ("scores samples; never a condition", f"classifier --arch residual --part {SECOND} --seed 2 --steps 1500"),
    "generator": ("G of Joint PPGN-h, noise 0.5", f"joint {ENCODER} --part {FIRST} --seed 0 --noise 0.5"),
    "generator-noiseless": (
        "G of Noiseless Joint PPGN-h", f"joint {ENCODER} --part {FIRST} --seed 0 --noise 0 --weight-h 0",
    ),
    "dae": ("r(h), the prior of PPGN-h", f"dae {ENCODER} --part {FIRST} --seed 0 --sigma {SIGMA}"),
    "ladder": (
        "D(h; sigma), the prior of the annealed walk", f"dae {ENCODER} --part {FIRST} --seed 0 "
        f"--sigma-min {LADDER[0]:g} --sigma-max {LADDER[1]:g} --steps 20000 --batch-size 512",
    ),
}  # fmt: skip


def command(name: str) -> str:
    family, *rest = NETWORKS[name][1].split(" ", 1)
    return f"ppgn train {family} --data mnist.npz {' '.join(rest)} --out {name}"


def train(source: Path, work: Path, only: list[str]) -> None:
    work.mkdir(parents=True, exist_ok=True)
    if not (work / "mnist.npz").exists():
        (work / "mnist.npz").symlink_to(source.resolve())
    for name in only or NETWORKS:
        if (work / name / "model.safetensors").exists():
            continue
        arguments = shlex.split(command(name))[1:]
        subprocess.run([sys.executable, "-m", "ppgn", *arguments, "--resume"], cwd=work, check=True)


@torch.no_grad()
def measure(name: str, work: Path, test: data.ImageSet) -> dict[str, float]:
    network = models.load(work / name / "model.safetensors")
    encoder = models.load(work / "encoder" / "model.safetensors")
    x = data.to_float(test.images)
    if isinstance(network, models.ConvClassifier | models.ResidualClassifier):
        return {"test accuracy": round(evaluation.agreement(network, x, test.labels), 4)}
    h = evaluation.features(encoder, x)
    if isinstance(network, models.CodeDenoiser):
        noise = torch.randn(h.shape, generator=torch.Generator().manual_seed(0))
        left = (network(h + SIGMA * noise) - h).square().mean() / SIGMA**2
        return {"sigma": SIGMA, "test error over sigma^2": round(float(left), 4)}
    if isinstance(network, models.LadderDenoiser):
        return {f"test error over the best linear, sigma {s:g}": over_linear(network, h, s) for s in LEVELS}
    made = torch.cat([network(part) for part in h.split(500)])
    judge = models.load(work / "judge" / "model.safetensors")
    code = evaluation.features(encoder, made)
    return {
        "test reconstruction mean squared error": round(float((made - x).square().mean()), 5),
        "test code error over variance": round(float((code - h).square().mean() / h.var()), 4),
        "judge's accuracy on reconstructions": round(evaluation.agreement(judge, made, test.labels), 4),
    }


def over_linear(network: models.LadderDenoiser, h: torch.Tensor, sigma: float) -> float:
    """Squared error at one level over that expected of the best linear denoiser."""
    noise = torch.randn(h.shape, generator=torch.Generator().manual_seed(0))
    error = (network(h + sigma * noise, sigma) - h).square().sum(1).mean()
    return round(float(error / linear_error(network.std, torch.tensor([sigma]))), 4)


def pack(work: Path) -> None:
    """Copy weights and write cards; variants and settings in bundle.json are kept as they are."""
    out = WEIGHTS / "mnist"
    out.mkdir(parents=True, exist_ok=True)
    test = data.load(str(work / "mnist.npz"), "test")
    for name, (role, _) in NETWORKS.items():
        weights = work / name / "model.safetensors"
        shutil.copyfile(weights, out / f"{name}.safetensors")
        _, header = files.read_tensors(weights)
        config = header["config"]
        files.write_json(out / f"{name}.json", {
            "role": role, "architecture": f"{header['architecture']} {json.dumps(config)}",
            "data": f"MNIST, training images {header['trained']['part']}", "command": command(name),
            "seed": header["trained"]["seed"], "sha256": files.sha256(weights), "measured": measure(name, work, test),
            "latent_shape": [config["code"]] if "code" in config else None,
            "value_range": [0.0, 1.0] if "image_shape" in config else None,
            "source": "trained here, by command", "revision": None, "licence": "MIT",
        })  # fmt: skip
    write_statistics(work, out, test)
    bundle = files.read_json(out / "bundle.json")
    statistics = ("codes.safetensors", "reference.safetensors")
    bundle |= {"networks": list(NETWORKS), "sha256": {name: files.sha256(out / name) for name in statistics}}
    files.write_json(out / "bundle.json", bundle)
    for card in pretrained.cards("mnist"):
        print(card.name, card.path.stat().st_size, dict(card.measured))


@torch.no_grad()
def write_statistics(work: Path, out: Path, test: data.ImageSet) -> None:
    """Mean and spread of real codes, where walks start; the judge's moments of real images, for distances."""
    encoder, judge = (models.load(work / name / "model.safetensors") for name in ("encoder", "judge"))
    real = data.load(str(work / "mnist.npz")).part(FIRST)
    codes = evaluation.features(encoder, data.to_float(real.images))
    moments = {"mean": codes.mean(0), "std": codes.std(0).clamp(min=0.01)}  # dead units stay near 0
    files.write_tensors(out / "codes.safetensors", moments, {"of": f"codes of MNIST training images {FIRST}"})
    features = evaluation.features(judge, data.to_float(test.images))
    found = evaluation.moments(features)
    tensors = {"mean": found.mean, "covariance": found.covariance}
    floor = data.load(str(work / "mnist.npz")).per_class(100)
    floor_features = evaluation.features(judge, data.to_float(floor.images))
    tensors |= {
        "floor_distance": torch.tensor(evaluation.frechet_distance(evaluation.moments(floor_features), found)),
        "floor_spread": torch.tensor(evaluation.spread(floor_features, floor.labels)),
    }
    header = {"of": "judge's features of the 10,000 MNIST test images; floor: 1,000 training images, 100 a digit"}
    files.write_tensors(out / "reference.safetensors", tensors, header)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["train", "pack"])
    parser.add_argument("--data", type=Path, default=Path("mnist.npz"), help="MNIST as .npz, for train")
    parser.add_argument("--work", type=Path, default=Path("runs/mnist"))
    parser.add_argument("--only", nargs="*", default=[], choices=list(NETWORKS))
    arguments = parser.parse_args()
    if arguments.what == "train":
        train(arguments.data, arguments.work, arguments.only)
    else:
        pack(arguments.work)


if __name__ == "__main__":
    main()
