"""The generator of BigGAN-deep (Brock et al. 2019, App. B) in the layout of pytorch-pretrained-biggan, which converted
DeepMind's weights: z and the embedding of a class, together one code, steer every batch norm.

Spectral norms are constant at sampling; the weights are those already divided by them (`ppgn.pretrained.biggan` does).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

PARTS = 16  # the widest layer, in units of the width
BLOCKS = {  # (doubles the image, channels in, channels out), channels in units of the width
    128: [(0, 16, 16), (1, 16, 16), (0, 16, 16), (1, 16, 8), (0, 8, 8), (1, 8, 4), (0, 4, 4), (1, 4, 2), (0, 2, 2),
          (1, 2, 1)],
    256: [(0, 16, 16), (1, 16, 16), (0, 16, 16), (1, 16, 8), (0, 8, 8), (1, 8, 8), (0, 8, 8), (1, 8, 4), (0, 4, 4),
          (1, 4, 2), (0, 2, 2), (1, 2, 1)],
    512: [(0, 16, 16), (1, 16, 16), (0, 16, 16), (1, 16, 8), (0, 8, 8), (1, 8, 8), (0, 8, 8), (1, 8, 4), (0, 4, 4),
          (1, 4, 2), (0, 2, 2), (1, 2, 1), (0, 1, 1), (1, 1, 1)],
}  # fmt: skip
ATTENTION = 8  # the block that attention comes before
EPS = 1e-4  # of the batch norms


class BigGANDeep(nn.Module):
    """h (B, 2 latent) = z ++ embedding -> x (B, 3, S, S) in [0, 1].

    size         S: 128, 256 or 512 pixels
    truncation   t in (0, 1]: z is then t times a normal cut off at 2, and the batch norms use what was measured there
    latent       numbers in z, and as many in an embedding
    width        of the narrowest layer, 128 in DeepMind's
    classes      of the embedding's table
    steps        values of truncation, equally far apart from 0 to 1, that the batch norms were measured at; between two
                 of them statistics are interpolated

    Raises ValueError for another size or truncation.

    >>> small = BigGANDeep(128, truncation=0.5, latent=4, width=8, classes=3)
    >>> small.embedding(torch.tensor([0, 2])).shape
    torch.Size([2, 4])
    """

    def __init__(
        self,
        size: int = 256,
        truncation: float = 1.0,
        latent: int = 128,
        width: int = 128,
        classes: int = 1000,
        steps: int = 51,
    ):
        super().__init__()
        if size not in BLOCKS:
            raise ValueError(f"size must be one of {sorted(BLOCKS)}, got {size}")
        if not 0 < truncation <= 1:
            raise ValueError(f"truncation must be in (0, 1], got {truncation}")
        self.config: dict[str, Any] = {
            "size": size, "truncation": truncation, "latent": latent, "width": width, "classes": classes,
            "steps": steps,
        }  # fmt: skip
        self.latent_shape = (2 * latent,)
        self.embeddings = nn.Linear(classes, latent, bias=False)
        self.generator = _Generator(size, truncation, 2 * latent, width, steps)

    def embedding(self, label: int | Tensor) -> Tensor:
        """The class part of a code: (latent,) of a number, (B, latent) of labels (B,)."""
        return self.embeddings.weight.T[label]

    def forward(self, h: Tensor) -> Tensor:
        """(B, 2 latent) -> (B, 3, S, S) in [0, 1]."""
        return (torch.tanh(self.generator(h)) + 1) / 2


class _Generator(nn.Module):
    def __init__(self, size: int, truncation: float, code: int, width: int, steps: int):
        super().__init__()
        self.base = (4, 4, PARTS * width)  # the original's order, channels last
        self.gen_z = nn.Linear(code, 4 * 4 * PARTS * width)
        layers: list[nn.Module] = []
        for i, (doubles, before, after) in enumerate(BLOCKS[size]):
            if i == ATTENTION:
                layers.append(_Attention(before * width))
            layers.append(_Block(before * width, after * width, code, bool(doubles), truncation, steps))
        self.layers = nn.ModuleList(layers)
        self.bn = _Norm(width, None, truncation, steps)
        self.conv_to_rgb = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, h: Tensor) -> Tensor:
        x = self.gen_z(h).unflatten(1, self.base).permute(0, 3, 1, 2)
        for layer in self.layers:
            x = layer(x, h)
        rgb = self.conv_to_rgb  # of as many channels as the width, of which only three are looked at
        assert rgb.bias is not None
        return functional.conv2d(self.bn(x, h).relu(), rgb.weight[:3], rgb.bias[:3], padding=1)


class _Block(nn.Module):
    """1x1, 3x3, 3x3, 1x1, each after a batch norm and a ReLU; the shortcut keeps the first channels."""

    def __init__(self, before: int, after: int, code: int, doubles: bool, truncation: float, steps: int):
        super().__init__()
        middle = before // 4
        self.after, self.doubles = after, doubles
        self.bn_0, self.conv_0 = _Norm(before, code, truncation, steps), nn.Conv2d(before, middle, 1)
        self.bn_1, self.conv_1 = _Norm(middle, code, truncation, steps), nn.Conv2d(middle, middle, 3, padding=1)
        self.bn_2, self.conv_2 = _Norm(middle, code, truncation, steps), nn.Conv2d(middle, middle, 3, padding=1)
        self.bn_3, self.conv_3 = _Norm(middle, code, truncation, steps), nn.Conv2d(middle, after, 1)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        y = self.bn_1(self.conv_0(self.bn_0(x, h).relu()), h).relu()
        y = self.conv_1(_doubled(y) if self.doubles else y)
        y = self.conv_2(self.bn_2(y, h).relu())
        last: Tensor = self.conv_3(self.bn_3(y, h).relu())
        kept = x[:, : self.after]
        return last + (_doubled(kept) if self.doubles else kept)


class _Norm(nn.Module):
    """Batch norm by the statistics of one truncation; gain and bias are linear in the code, or fixed without one."""

    running_means: Tensor
    running_vars: Tensor

    def __init__(self, channels: int, code: int | None, truncation: float, steps: int):
        super().__init__()
        self.place = truncation * (steps - 1)
        self.register_buffer("running_means", torch.zeros(steps, channels))
        self.register_buffer("running_vars", torch.ones(steps, channels))
        self.coded = code is not None
        if code is not None:
            self.scale, self.offset = nn.Linear(code, channels, bias=False), nn.Linear(code, channels, bias=False)
        else:
            self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        first = min(int(self.place), len(self.running_means) - 2)
        mean, variance = (
            torch.lerp(table[first], table[first + 1], self.place - first)
            for table in (self.running_means, self.running_vars)
        )
        gain, bias = (1 + self.scale(h), self.offset(h)) if self.coded else (self.weight[None], self.bias[None])
        gain = gain / (variance + EPS).sqrt()
        return x * gain[:, :, None, None] + (bias - mean * gain)[:, :, None, None]


class _Attention(nn.Module):
    """Every position looks at every other of half the size (Zhang et al. 2019)."""

    def __init__(self, channels: int):
        super().__init__()
        eighth, half = channels // 8, channels // 2
        self.snconv1x1_theta = nn.Conv2d(channels, eighth, 1, bias=False)
        self.snconv1x1_phi = nn.Conv2d(channels, eighth, 1, bias=False)
        self.snconv1x1_g = nn.Conv2d(channels, half, 1, bias=False)
        self.snconv1x1_o_conv = nn.Conv2d(half, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        theta = self.snconv1x1_theta(x).flatten(2)
        phi = functional.max_pool2d(self.snconv1x1_phi(x), 2).flatten(2)
        g = functional.max_pool2d(self.snconv1x1_g(x), 2).flatten(2)
        seen = g @ (theta.mT @ phi).softmax(-1).mT
        more: Tensor = self.snconv1x1_o_conv(seen.unflatten(2, x.shape[2:]))
        return x + self.gamma * more


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")
