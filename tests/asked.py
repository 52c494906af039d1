"""One condition of every kind on smooth networks in double precision, for what all of them must do."""

from __future__ import annotations

import torch
from torch import nn

from ppgn import conditions as c
from ppgn import pretrained
from ppgn.pretrained import Preprocessing

B, CLASSES, SIDE = 3, 5, 12


def numbers(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def images(seed=1):
    return 0.1 + 0.8 * numbers(B, 3, SIDE, SIDE, seed=seed)


def network(outputs=CLASSES, seed=2):
    """(B, 3, 8, 8) -> (B, outputs); no kinks, so that finite differences are exact to their second order."""
    layers = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.SiLU(), nn.Conv2d(6, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(144, outputs)
    ).double()
    for i, parameter in enumerate(layers.parameters()):
        parameter.data = numbers(*parameter.shape, seed=seed + i) - 0.5
    return layers.eval()


def classifier():
    """The same behind a resize to 10 pixels and a crop of the middle 8, as classifiers of others are."""
    wrapped = pretrained.classifier(network(), class_names=["ant", "bee", "cat", "dog", "elk"], channels=3)
    wrapped.preprocessing = Preprocessing((10, 10), (8, 8), mean=(0.4,), std=(0.3,), channels=3)
    wrapped.settings["preprocessing"] = {}
    return wrapped


def half():
    mask = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    mask[2:11, 1:10] = True
    return mask


def dense():
    """(B, 3, H, W) -> (B, 4, H / 2, W / 2)."""
    layers = nn.Sequential(nn.Conv2d(3, 4, 2, stride=2), nn.Tanh()).double()
    for i, parameter in enumerate(layers.parameters()):
        parameter.data = numbers(*parameter.shape, seed=20 + i) - 0.5
    return layers.eval()


def every() -> dict[str, c.Algebra]:
    """name -> condition of B images (3, SIDE, SIDE), most with something of its own for each row."""
    guide, one = classifier(), pretrained.classifier(network(1), size=8, channels=3)
    two, labels = c.class_label(guide, 2), c.class_label(guide, [4, 0, 2])
    maps = (numbers(B, SIDE, SIDE, seed=9) * 4).long()
    maps[:, 0] = -1
    return {
        "class_label": labels,
        "all_of": two + 0.5 * labels - 0.25 * c.unit(guide, "2", [1, 0, 3]),
        "any_of": two | c.class_label(guide, "elk"),
        "complement": ~labels,
        "inpaint": c.inpaint(images(3), half(), noise=0.2, inside=labels),
        "mixture": c.mixture(guide, ["ant", "cat"], [[1.0, 0.5], [0.2, 0.2], [0.0, 2.0]]),
        "realism": c.realism(one, ceiling=0.5),
        "region": c.region(labels, half(), fill=0.3, crop=True),
        "region of a row's own": c.region(labels, torch.stack([half(), half().T, ~half()]), fill=0.5),
        "painted": c.painted(guide, half().long(), {0: "ant", 1: "dog"}),
        "regression": c.regression(one, [0.1, 0.2, 0.3], noise=0.5),
        "segmentation": c.segmentation(dense(), maps),
        "similar": c.similar(guide, images(4)[0], noise=2.0, layer="1"),
        "soft_label": c.soft_label(guide, [0, 3], [[0.5, 0.5], [1.0, 0.0], [0.1, 0.9]]),
        "unit": c.unit(guide, "network.2", [3, 1, 0], objective="log_prob"),
        "unit on average": c.unit(guide, "2", 1, "mean"),
        "views": c.views(labels, shift=2, n=2, scale=(0.9, 1.1)),
    }
