"""Cases with a known answer, shared by the tests."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

import ppgn
from ppgn.types import Terms


def gaussian_target(precision: float):
    """h ~ N(0, 1/precision) as the prior alone: score -precision h, no condition."""

    def terms(h: Tensor) -> Terms:
        return Terms(torch.zeros(len(h), 1, 1, 1), -precision * h, torch.zeros_like(h), torch.zeros(len(h)))

    return terms


class LinearGenerator(nn.Module):
    """x = A h + b as images (B, 1, 2, 2)."""

    def __init__(self, a: Tensor, b: Tensor):
        super().__init__()
        self.a, self.b = nn.Parameter(a), nn.Parameter(b)

    def forward(self, h: Tensor) -> Tensor:
        return (h @ self.a.T + self.b).view(-1, 1, 2, 2)


class LinearMap(nn.Module):
    """Images (B, 1, 2, 2) -> W x + c, as logits or as a code."""

    def __init__(self, w: Tensor, c: Tensor):
        super().__init__()
        self.w, self.c = nn.Parameter(w), nn.Parameter(c)

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.w.T + self.c


@dataclass(frozen=True)
class Linear:
    """A whole linear PPGN: code of 3, image of 4, 5 classes, with the arrays to compute it by hand."""

    a: Tensor
    b: Tensor
    w: Tensor
    c: Tensor
    r: Tensor
    s: Tensor

    def pipeline(self, label, **options) -> ppgn.Pipeline:
        generator = LinearGenerator(self.a, self.b).eval()
        classifier = LinearMap(self.w, self.c).eval()
        encoder = LinearMap(self.r, self.s).eval()
        condition = ppgn.conditions.class_label(classifier, label, **options)
        return ppgn.Pipeline(
            generator, ppgn.priors.joint(encoder), condition, classifier=classifier, latent_shape=(3,),
            sampler=lambda p: ppgn.samplers.mala_approx(p, 0.1, 0.2, 0.05),
        )  # fmt: skip


def linear(seed: int = 0, dtype: torch.dtype = torch.float64) -> Linear:
    rng = torch.Generator().manual_seed(seed)
    shapes = [(4, 3), (4,), (5, 4), (5,), (3, 4), (3,)]
    return Linear(*(torch.randn(shape, generator=rng, dtype=dtype) for shape in shapes))


class Counted(nn.Module):
    """A module that counts its calls."""

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner, self.calls = inner, 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.inner(x)
