"""Caffe's layers as functions of tensors, each described by what JSON can hold (BVLC/caffe, caffe.proto and layers/).

A layer is {"name", "type", "bottom": [one blob], "top": [blobs], ...} with its settings, pairs being (height, width):

    Convolution, Deconvolution   inputs, outputs, kernel, stride, pad, dilation, groups, bias
    InnerProduct                 inputs, outputs, bias
    Pooling                      method MAX or AVE, kernel (null: the whole map), stride, pad
    LRN                          size, alpha, beta, k       x / (k + alpha / size * sum of size channels' squares)^beta
    ReLU                         negative_slope
    Reshape                      shape, without the batch
    Dropout, Flatten, Log, Softmax, Split      nothing; networks are run as Caffe's TEST phase does: dropout is absent

These are the types that CaffeNet, the Places205 AlexNet and DeePSiM's fc and pool5 generators are made of.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

Layer = Mapping[str, Any]
Shape = tuple[int, ...]

SPATIAL = {
    "inputs": "count", "outputs": "count", "kernel": "counts", "stride": "counts", "pad": "pads", "dilation": "counts",
    "groups": "count", "bias": "flag",
}  # fmt: skip
SETTINGS: dict[str, dict[str, str]] = {
    "Convolution": SPATIAL,
    "Deconvolution": SPATIAL,
    "Dropout": {},
    "Flatten": {},
    "InnerProduct": {"inputs": "count", "outputs": "count", "bias": "flag"},
    "LRN": {"size": "count", "alpha": "number", "beta": "number", "k": "number"},
    "Log": {},
    "Pooling": {"method": "method", "kernel": "kernel", "stride": "counts", "pad": "pads"},
    "ReLU": {"negative_slope": "number"},
    "Reshape": {"shape": "shape"},
    "Softmax": {},
    "Split": {},
}
LEARNED = ("Convolution", "Deconvolution", "InnerProduct")
LARGEST = 2**31 - 1  # of any whole number, as in Caffe


def check_layers(layers: Sequence[Layer]) -> None:
    """Raise ValueError unless every layer is described in full, with settings in range and a name of its own."""
    if not isinstance(layers, list | tuple) or not layers:
        raise ValueError(f"layers must be a list of at least one layer, got {type(layers).__name__}")
    names = set()
    for layer in layers:
        if not isinstance(layer, Mapping) or not isinstance(layer.get("name"), str):
            raise ValueError(f"each layer must be an object with a name, got {str(layer)[:80]}")
        name, kind = layer["name"], layer.get("type")
        if not isinstance(kind, str) or kind not in SETTINGS:
            raise ValueError(f"layer {name!r} must be of a type of {', '.join(SETTINGS)}, got {str(kind)[:80]!r}")
        if set(layer) != {"name", "type", "bottom", "top", *SETTINGS[kind]}:
            needed = ", ".join(SETTINGS[kind]) or "no settings"
            raise ValueError(f"layer {name!r}, a {kind}, must have bottom, top and {needed}, got {sorted(layer)}")
        for key, what in {"bottom": "bottom", "top": "names", **SETTINGS[kind]}.items():
            if not _fits(layer[key], what):
                raise ValueError(f"layer {name!r}, a {kind}, has the unusable {key} {str(layer[key])[:80]}")
        if name in names:
            raise ValueError(f"layer names must differ, {name!r} comes twice")
        names.add(name)


def _fits(value: Any, what: str) -> bool:
    """Whether a setting from JSON is of the kind asked for."""
    if what == "flag":
        return isinstance(value, bool)
    if what == "number":
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if what == "count":
        return _whole(value, 1)
    if what == "method":
        return value in ("MAX", "AVE")
    if what == "kernel" and value is None:
        return True
    if not isinstance(value, list | tuple) or not value:
        return False
    if what in ("bottom", "names"):
        return all(isinstance(name, str) for name in value) and (what == "names" or len(value) == 1)
    if what == "shape":
        return all(_whole(n, 1) for n in value)
    return len(value) == 2 and all(_whole(n, 0 if what == "pads" else 1) for n in value)


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= LARGEST


def module_of(layer: Layer) -> nn.Module:
    """The weights of a learned layer; `check_layers` must have passed.

    Caffe's weight blobs have PyTorch's order of axes in all three: (outputs, inputs / groups, height, width);
    (inputs, outputs / groups, height, width) for Deconvolution; (outputs, inputs).
    """
    if layer["type"] == "InnerProduct":
        return nn.Linear(layer["inputs"], layer["outputs"], layer["bias"])
    make = nn.Conv2d if layer["type"] == "Convolution" else nn.ConvTranspose2d
    groups = layer["groups"]
    if layer["inputs"] % groups or layer["outputs"] % groups:
        sizes = f"{layer['inputs']} inputs and {layer['outputs']} outputs"
        raise ValueError(f"layer {layer['name']!r} must have channels that {groups} groups divide, got {sizes}")
    return make(
        layer["inputs"], layer["outputs"], tuple(layer["kernel"]), stride=tuple(layer["stride"]),
        padding=tuple(layer["pad"]), dilation=tuple(layer["dilation"]), groups=groups, bias=layer["bias"],
    )  # fmt: skip


def apply(layer: Layer, module: nn.Module | None, x: Tensor) -> Tensor:
    """The layer's output for its bottom x (B, ...); `module` as made by `module_of`, None for other layers."""
    kind = layer["type"]
    if module is not None:
        made: Tensor = module(x.flatten(1) if kind == "InnerProduct" else x)
        return made
    if kind == "ReLU":
        return functional.leaky_relu(x, layer["negative_slope"]) if layer["negative_slope"] else functional.relu(x)
    if kind == "Pooling":
        return _pool(layer, x)
    if kind == "LRN":
        return functional.local_response_norm(x, layer["size"], layer["alpha"], layer["beta"], layer["k"])
    if kind == "Softmax":
        return x.softmax(1)
    if kind == "Log":
        return x.log()
    if kind == "Reshape":
        return x.reshape(len(x), *layer["shape"])
    return x.flatten(1) if kind == "Flatten" else x


def _pool(layer: Layer, x: Tensor) -> Tensor:
    """Pooling with windows cut at the edge, as Caffe counts them.

    The map is padded to what the last window needs, since PyTorch takes no padding above half a kernel. An average
    is over the window's part inside the map and its padding, not over what lies beyond.
    """
    sides = x.shape[2:]
    kernel = layer["kernel"] or sides
    counts = [_windows(layer, side, axis) for axis, side in enumerate(sides)]
    needed = [(n - 1) * s + k for n, s, k in zip(counts, layer["stride"], kernel, strict=True)]
    (top, left), (bottom, right) = (
        layer["pad"],
        (n - h - p for n, h, p in zip(needed, sides, layer["pad"], strict=True)),
    )
    edge = -math.inf if layer["method"] == "MAX" else 0.0
    padded = functional.pad(x, (left, right, top, bottom), value=edge)
    if layer["method"] == "MAX":
        return functional.max_pool2d(padded, kernel, layer["stride"])
    sums = functional.avg_pool2d(padded, kernel, layer["stride"], divisor_override=1)
    lengths = []
    for axis, count in enumerate(counts):
        start = torch.arange(count, device=x.device) * layer["stride"][axis]
        inside = (start + kernel[axis]).clamp(max=sides[axis] + 2 * layer["pad"][axis]) - start
        lengths.append(inside.to(x.dtype))
    made: Tensor = sums / (lengths[0][:, None] * lengths[1])
    return made


def _windows(layer: Layer, side: int, axis: int) -> int:
    """How many windows Caffe lays along an axis: rounded up; with padding, the last must begin inside the map."""
    kernel = layer["kernel"][axis] if layer["kernel"] else side
    stride, pad = layer["stride"][axis], layer["pad"][axis]
    count: int = -((kernel - side - 2 * pad) // stride) + 1
    if pad and (count - 1) * stride >= side + pad:
        count -= 1
    if pad >= kernel or count < 1 or (count - 1) * stride - pad >= side:
        told = f"kernel {kernel}, stride {stride} and pad {pad} on {side}"
        raise ValueError(f"layer {layer['name']!r} must have windows that all touch the map, got {told}")
    return count


def shape_after(layer: Layer, shape: Shape) -> Shape:
    """The shape of the layer's output for one of its bottom, both without the batch. Raises ValueError if unfit."""
    kind = layer["type"]
    needed = math.prod(layer["shape"]) if kind == "Reshape" else layer.get("inputs")
    got = shape[0] if kind in ("Convolution", "Deconvolution") else math.prod(shape)
    if needed is not None and needed != got:
        what = "numbers" if kind in ("Reshape", "InnerProduct") else "channels"
        raise ValueError(f"layer {layer['name']!r}, a {kind}, must be given {needed} {what}, got shape {shape}")
    if kind in ("Convolution", "Deconvolution", "Pooling", "LRN") and len(shape) != 3:
        raise ValueError(f"layer {layer['name']!r}, a {kind}, must be given a map (C, H, W), got shape {shape}")
    if kind == "InnerProduct":
        return (layer["outputs"],)
    if kind in ("Reshape", "Flatten"):
        return tuple(layer["shape"]) if kind == "Reshape" else (got,)
    if kind == "Pooling":
        return (shape[0], *(_windows(layer, side, axis) for axis, side in enumerate(shape[1:])))
    if kind in ("Convolution", "Deconvolution"):
        return (layer["outputs"], *(_side(layer, side, axis) for axis, side in enumerate(shape[1:])))
    return shape


def _side(layer: Layer, side: int, axis: int) -> int:
    reach = layer["dilation"][axis] * (layer["kernel"][axis] - 1) + 1
    stride, pad = layer["stride"][axis], layer["pad"][axis]
    if layer["type"] == "Convolution":
        found: int = (side + 2 * pad - reach) // stride + 1
    else:
        found = stride * (side - 1) + reach - 2 * pad
    if not 0 < found <= LARGEST:
        raise ValueError(f"layer {layer['name']!r} leaves nothing of a side of {side} (kernel {reach}, pad {pad})")
    return found
