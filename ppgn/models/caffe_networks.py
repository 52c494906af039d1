"""Networks made of Caffe's layers: `CaffeNetwork` looks at images, `CaffeGenerator` makes them.

Caffe's nets want BGR in [0, 255] less a mean; ours take and give RGB in [0, 1] and convert inside, so that gradients
reach the pixels. Blobs keep their names; one that is written in place (`relu6` on `fc6`) means its last value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ppgn.models.caffe_layers import LEARNED, Layer, Shape, apply, check_layers, module_of, shape_after

BGR_MEAN = (104.0, 117.0, 123.0)  # of ImageNet, as the authors' scripts have it


class CaffeNetwork(nn.Module):
    """x (B, 3, H, W) in [0, 1], at least `size` (height, width), the centre of larger ones -> the output blob.

    layers       see `ppgn.models.caffe_layers`; the first one's bottom is the image
    h1, h        the blobs that PPGN's generator inverts, as pool5 and fc6; None in nets without
    output       the blob that `forward` gives, flat; None: the last
    mean_shape   of the buffer `mean`, BGR in [0, 255]: (3, 1, 1), or (3, H, W) for a mean image, cropped as x is

    Raises ValueError for layers that are not described in full or do not fit each other.
    """

    mean: Tensor

    def __init__(
        self,
        layers: Sequence[Layer],
        size: Sequence[int] = (227, 227),
        h1: str | None = None,
        h: str | None = None,
        output: str | None = None,
        mean_shape: Sequence[int] = (3, 1, 1),
    ):
        super().__init__()
        check_layers(layers)
        self.layers = [dict(layer) for layer in layers]
        self.size, self.h1, self.h = _pair(size), h1, h
        self.output = output or layers[-1]["top"][0]
        self.config: dict[str, Any] = {
            "layers": self.layers, "size": list(self.size), "h1": h1, "h": h, "output": self.output,
            "mean_shape": list(mean_shape),
        }  # fmt: skip
        _register_mean(self, mean_shape, self.size)
        shapes = _trace(self.layers, self.layers[0]["bottom"][0], (3, *self.size))
        for blob in (self.output, h1, h):
            if blob is not None and blob not in shapes:
                raise ValueError(f"blob must be one of {', '.join(shapes)}, got {blob!r}")
        self.classes = math.prod(shapes[self.output])
        self.latent_shape = shapes[h] if h is not None else shapes[self.output]
        if h1 is not None and h is not None:  # the way from one to the other must be closed
            _trace(_between(self.layers, h1, h), h1, shapes[h1])
        self.names = _register(self, self.layers)

    def features(self, x: Tensor, blob: str | None = None, after: str | None = None) -> Tensor:
        """The blob of that name, (B, ...); default: h, or the output in nets without.

        after: a layer; the blob as it is then. The authors' scripts for hidden units ascend conv5 `after="conv5"`,
        before its ReLU. Raises ValueError for unknown names and images that are too small.
        """
        return _blob(self, self.names, self.layers, self._preprocess(x), blob or self.h or self.output, after)

    def x_to_h1(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) -> h1, as pool5 (B, 256, 6, 6)."""
        return self.features(x, self._needed("h1", self.h1))

    def h1_to_h(self, h1: Tensor) -> Tensor:
        """h1 -> h, as fc6 (B, 4096) after its ReLU."""
        start, end = self._needed("h1", self.h1), self._needed("h", self.h)
        return _run(self, self.names, _between(self.layers, start, end), {start: h1}, end)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) -> logits (B, classes)."""
        return self.features(x, self.output).flatten(1)

    def _preprocess(self, x: Tensor) -> Tensor:
        if x.ndim != 4 or x.shape[1] != 3 or x.shape[2] < self.size[0] or x.shape[3] < self.size[1]:
            least = f"(B, 3, H, W) with H and W of at least {self.size[0]} and {self.size[1]}"
            raise ValueError(f"images must have shape {least}, got {tuple(x.shape)}")
        return 255 * _centre(x, self.size).flip(1) - _centre(self.mean, self.size)

    def _needed(self, role: str, blob: str | None) -> str:
        if blob is None:
            raise ValueError(f"{role} must be named when the network is made, but it has None (CaffeNet: pool5, fc6)")
        return blob


class CaffeGenerator(nn.Module):
    """h (B, *latent_shape) -> x (B, 3, H, W) in [0, 1]: the layers' last blob plus the mean, RGB, clamped.

    size    (height, width) of the centre that is kept, as 227 of 256 pixels; None: all
    clamp   False leaves values outside [0, 1], as the authors' walks do; clamped pixels give no gradient

    The rest as in `CaffeNetwork`.
    """

    mean: Tensor

    def __init__(
        self,
        layers: Sequence[Layer],
        latent_shape: Sequence[int],
        size: Sequence[int] | None = None,
        mean_shape: Sequence[int] = (3, 1, 1),
        clamp: bool = True,
    ):
        super().__init__()
        check_layers(layers)
        self.layers = [dict(layer) for layer in layers]
        self.latent_shape, self.clamp = tuple(latent_shape), clamp
        made = _trace(self.layers, self.layers[0]["bottom"][0], self.latent_shape)[self.layers[-1]["top"][0]]
        self.size = _pair(made[1:] if size is None else size)
        if len(made) != 3 or made[0] != 3 or made[1] < self.size[0] or made[2] < self.size[1]:
            raise ValueError(
                f"the layers must make an image of at least (3, {self.size[0]}, {self.size[1]}), got {made}"
            )
        self.config: dict[str, Any] = {
            "layers": self.layers, "latent_shape": list(self.latent_shape), "size": list(self.size),
            "mean_shape": list(mean_shape), "clamp": clamp,
        }  # fmt: skip
        _register_mean(self, mean_shape, self.size)
        self.names = _register(self, self.layers)

    def features(self, h: Tensor, blob: str, after: str | None = None) -> Tensor:
        """The blob of that name, as Caffe has it: the last one is BGR less the mean. See `CaffeNetwork.features`."""
        if tuple(h.shape[1:]) != self.latent_shape:
            raise ValueError(f"codes must have shape (B, *{self.latent_shape}), got {tuple(h.shape)}")
        return _blob(self, self.names, self.layers, h, blob, after)

    def forward(self, h: Tensor) -> Tensor:
        """(B, *latent_shape) -> (B, 3, H, W) in [0, 1]. Raises ValueError for codes of another shape."""
        made = self.features(h, self.layers[-1]["top"][0])
        image = (_centre(made, self.size) + _centre(self.mean, self.size)).flip(1) / 255
        return image.clamp(0, 1) if self.clamp else image


def _blob(
    network: nn.Module, names: Mapping[str, str], layers: Sequence[Layer], x: Tensor, wanted: str, after: str | None
) -> Tensor:
    """The blob `wanted`, its last value or that after a layer, for the first layer's bottom x."""
    if after is not None:
        order = [layer["name"] for layer in layers]
        if after not in order:
            raise ValueError(f"after must be one of {', '.join(order)}, got {after!r}")
        layers = layers[: order.index(after) + 1]
    first = layers[0]["bottom"][0]
    return _run(network, names, _between(layers, first, wanted), {first: x}, wanted)


def _run(
    network: nn.Module, names: Mapping[str, str], layers: Sequence[Layer], blobs: dict[str, Tensor], wanted: str
) -> Tensor:
    modules = dict(network.named_children())
    for layer in layers:
        made = apply(layer, modules.get(names.get(layer["name"], "")), blobs[layer["bottom"][0]])
        blobs.update(dict.fromkeys(layer["top"], made))
    return blobs[wanted]


def _between(layers: Sequence[Layer], start: str, end: str) -> list[Layer]:
    """The layers that lead from the last value of `start` to the last of `end`; those beside the way are left out."""
    writers = {top: i for i, layer in enumerate(layers) for top in layer["top"]}
    first = writers.get(start, -1) + 1
    if end not in writers and end != start:
        raise ValueError(f"blob must be one of {', '.join(writers)}, got {end!r}")
    needed, path = {end}, []
    for layer in reversed(layers[first : writers.get(end, -1) + 1]):
        if needed & set(layer["top"]):
            needed = needed - set(layer["top"]) | set(layer["bottom"])
            path.append(layer)
    if needed - {start}:
        raise ValueError(f"{end} must follow from {start}, but also needs {', '.join(sorted(needed - {start}))}")
    return path[::-1]


def _trace(layers: Sequence[Layer], blob: str, shape: Shape) -> dict[str, Shape]:
    """The last shape of every blob, without the batch."""
    shapes = {blob: shape}
    for layer in layers:
        if layer["bottom"][0] not in shapes:
            raise ValueError(
                f"layer {layer['name']!r} needs the blob {layer['bottom'][0]!r}, which no layer before makes"
            )
        shapes.update(dict.fromkeys(layer["top"], shape_after(layer, shapes[layer["bottom"][0]])))
    return shapes


def _register(network: nn.Module, layers: Sequence[Layer]) -> dict[str, str]:
    """Give the network its learned layers; {layer: module}, the same name but where PyTorch cannot have it."""
    names: dict[str, str] = {}
    for layer in layers:
        if layer["type"] in LEARNED:
            name = layer["name"].replace(".", "_") or "_"
            while name in dir(network):  # a layer may be called `forward` or `mean`
                name += "_"
            network.add_module(name, module_of(layer))
            names[layer["name"]] = name
    return names


def _register_mean(network: nn.Module, shape: Sequence[int], size: tuple[int, int]) -> None:
    least = tuple(shape)[:1] == (3,) and len(shape) == 3 and all(isinstance(n, int) for n in shape)
    if not least or (tuple(shape) != (3, 1, 1) and (shape[1] < size[0] or shape[2] < size[1])):
        raise ValueError(f"mean_shape must be (3, 1, 1) or (3, H, W) of at least {size}, got {tuple(shape)}")
    network.register_buffer("mean", torch.empty(*shape).copy_(torch.tensor(BGR_MEAN)[:, None, None]))


def _centre(x: Tensor, size: tuple[int, int]) -> Tensor:
    """The middle (..., *size) of larger maps, rounded up and left as the authors' do; a constant (3, 1, 1) stays."""
    if x.shape[-2:] == (1, 1):
        return x
    top, left = (x.shape[-2] - size[0]) // 2, (x.shape[-1] - size[1]) // 2
    return x[..., top : top + size[0], left : left + size[1]]


def _pair(size: Sequence[int]) -> tuple[int, int]:
    if len(size) != 2 or not all(isinstance(n, int) and n > 0 for n in size):
        raise ValueError(f"size must be (height, width), got {tuple(size)}")
    return int(size[0]), int(size[1])
