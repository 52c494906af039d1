"""Figures of a bundle's networks on images they were not trained on, for their cards."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

import torch
from recipes import Recipe
from torch import Tensor, nn

from ppgn import data, evaluation, files, models, pretrained, strokes
from ppgn.models.captioner import padded
from ppgn.training.ladder import linear_error

Figures = dict[str, float]


@torch.no_grad()
def measure(recipe: Recipe, name: str, work: Path, out: Path, test: data.ImageSet) -> Figures:
    """Of the weights as they are stored; without test images, of an inverter on those it was trained on."""
    network, x = models.load(out / f"{name}.safetensors"), data.to_float(test.images)
    if isinstance(network, models.ConvLadderDenoiser):
        return over_linear_by_level(recipe, network, latents(work, x[:1000]))
    if isinstance(network, models.Captioner):
        return of_captioner(network, x, test.labels, out / f"{name}.safetensors")
    if isinstance(network, models.ConvClassifier | models.ResidualClassifier):
        return {"test accuracy": round(evaluation.agreement(network, x, test.labels), 4)}
    if isinstance(network, models.ImageDenoiser):
        return of_denoiser(network, x, out / f"{name}.safetensors")
    encoder = encoder_of(recipe, name, work, out)
    h = evaluation.in_parts(encoder, x)
    if isinstance(network, models.CodeDenoiser):
        return of_denoiser(network, h, out / f"{name}.safetensors")
    if isinstance(network, models.LadderDenoiser):
        return over_linear_by_level(recipe, network, h)
    found = of_generator(network, encoder, x, h, "test" if recipe.has_test else "training")
    if recipe.has_test:
        made, judge = evaluation.in_parts(network, h), models.load(out / "judge.safetensors")
        found["judge's accuracy on reconstructions"] = round(evaluation.agreement(judge, made, test.labels), 4)
    return found


def of_denoiser(network: models.CodeDenoiser | models.ImageDenoiser, h: Tensor, path: Path) -> Figures:
    _, header = files.read_tensors(path)
    sigma = header["trained"]["sigma"]
    noise = torch.randn(h.shape, generator=torch.Generator().manual_seed(0))
    left = (evaluation.in_parts(network, h + sigma * noise) - h).square().mean() / sigma**2
    return {"sigma": sigma, "test error over sigma^2": round(float(left), 4)}


def of_captioner(network: models.Captioner, x: Tensor, digits: Tensor, path: Path) -> Figures:
    """Over test images whose sentence was trained on, and over those whose sentence was not."""
    trained = files.read_tensors(path)[1]["trained"]
    found = strokes.levels(strokes.measure(x), digits, strokes.from_json(trained["thirds"]))
    texts = [strokes.SENTENCES[i] for i in strokes.numbers(found, digits)]
    pairs = zip(x.split(500), padded([network.tokens(text) for text in texts]).split(500), strict=True)
    log_prob = torch.cat([network.log_prob(part, said) for part, said in pairs])
    told = [text for part in x.split(500) for text in network.describe(part)]
    exact = torch.tensor([a == b for a, b in zip(told, texts, strict=True)]).float()
    unseen = torch.tensor([text in trained["held_out"] for text in texts])
    figures = {}
    for kind, rows in (("trained on", ~unseen), ("never trained on", unseen)):
        if rows.any():
            figures[f"test log p of sentences {kind}, nats"] = round(float(log_prob[rows].mean()), 4)
            figures[f"test sentences {kind}, said exactly"] = round(float(exact[rows].mean()), 4)
    return figures


def of_generator(network: nn.Module, encoder: nn.Module, x: Tensor, h: Tensor, on: str) -> Figures:
    made = evaluation.in_parts(network, h)
    code = evaluation.in_parts(encoder, made)
    return {
        f"{on} reconstruction mean squared error": round(float((made - x).square().mean()), 5),
        f"{on} code error over variance": round(float((code - h).square().mean() / h.var()), 4),
    }


def over_linear_by_level(
    recipe: Recipe, network: models.LadderDenoiser | models.ConvLadderDenoiser, h: Tensor
) -> Figures:
    """Squared error at each level over that expected of the best linear denoiser."""
    found = {}
    for sigma in recipe.levels:
        noise = torch.randn(h.shape, generator=torch.Generator().manual_seed(0))
        error = (network(h + sigma * noise, sigma) - h).square().flatten(1).sum(1).mean()
        places = h[0].numel() // len(network.std)
        ratio = error / (places * linear_error(network.std, torch.tensor([sigma])))
        found[f"test error over the best linear, sigma {sigma:g}"] = round(float(ratio), 4)
    return found


def latents(work: Path, x: Tensor) -> Tensor:
    """Of the autoencoder that the commands name, which is not ours to pass on."""
    autoencoder = pretrained.load_weights(models.TinyAutoencoder(), work / "natural_taef2.safetensors").eval()
    return torch.cat([autoencoder.encode(part) for part in x.split(100)])


def encoder_of(recipe: Recipe, name: str, work: Path, out: Path) -> nn.Module:
    """The bundle's own, x -> h, or the one that the network's command cuts out of somebody else's classifier."""
    asked = options(recipe.command(name))
    if "architecture" not in asked:
        encoder = models.load(out / "encoder.safetensors")
        assert isinstance(encoder, models.ConvClassifier)
        return models.Encoder(encoder).eval()
    source = pretrained.classifier(asked["architecture"], weights=work / asked["encoder"])
    h1, h, pool = map(int, asked["cut"].split(","))
    return pretrained.encoder(source, h1=h1, h=h, pool=pool)


def options(command: str) -> dict[str, str]:
    """--name value of a command line; the last of those that are repeated."""
    words: Iterable[str] = shlex.split(command)
    found, name = {}, ""
    for word in words:
        if word.startswith("--"):
            name = word.removeprefix("--")
        else:
            found[name] = word
    return found
