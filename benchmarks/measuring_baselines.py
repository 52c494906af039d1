"""Figures of the baselines' networks for their cards: nats of black and white test images, distances of their draws."""

from __future__ import annotations

from pathlib import Path

import baselines
import torch
from measuring import Figures
from torch import Tensor, nn

from ppgn import data, evaluation, files, models, pretrained, training
from ppgn.models.autoregressive_generator import AutoregressiveNetwork
from ppgn.pretrained.catalogue import WEIGHTS
from ppgn.random import per_step

DRAWS = 10_000  # of a generator, for its distance


@torch.no_grad()
def measure(path: Path, test: data.ImageSet) -> Figures:
    """Of the weights as they are stored."""
    network, family = models.load(path), files.read_tensors(path)[1]["trained"]["family"]
    x = data.to_float(test.images)
    if isinstance(network, AutoregressiveNetwork):
        return {"test nats": round(training.nats(network, x, binarise_seed=0), 3)}
    if isinstance(network, models.DCGANDiscriminator):
        made = baselines.images_of(models.load(path.with_name("gan.safetensors")), DRAWS, seed=0)
        logits = {"test": evaluation.in_parts(network, x), "made": evaluation.in_parts(network, made)}
        return {f"mean logit of {kind} images": round(float(value.mean()), 3) for kind, value in logits.items()}
    found = {"Fréchet distance in judge features, 10,000 draws": round(distance(network), 3)}
    if family == "gan":
        return found
    again = evaluation.in_parts(lambda part: network(network.encoder(part)), x)
    found["test reconstruction mean squared error"] = round(float((again - x).square().mean()), 5)
    return found | (bound(network, x) if family == "vae" else {})


def bound(network: nn.Module, x: Tensor) -> Figures:
    """The ELBO of all test images, at one draw of each code."""
    white = baselines.black_and_white(x, 0)
    values = torch.cat([training.elbo(network, part, per_step(0)(i)) for i, part in enumerate(white.split(500))])
    return {"test negative ELBO": round(-float(values.mean()), 3)}


def distance(network: nn.Module) -> float:
    """Of draws of its mean images to the 10,000 test images, as the digits' bundle has stored them."""
    judge = pretrained.network("mnist", "judge")
    stored, _ = files.read_tensors(WEIGHTS / "mnist" / "reference.safetensors")
    made = evaluation.features(judge, baselines.images_of(network, DRAWS, seed=0))
    return evaluation.frechet_distance(
        evaluation.moments(made), evaluation.Moments(stored["mean"], stored["covariance"])
    )
