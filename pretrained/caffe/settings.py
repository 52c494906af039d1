"""The settings of a layer in a file, in the words of `ppgn.models.caffe_layers`; what we do not compute is refused."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ppgn.files import DamagedFileError
from ppgn.pretrained.caffe.caffemodel import Blob, FileLayer


def settings_of(layer: FileLayer, path: Path) -> dict[str, Any]:
    """The layer's settings, sizes from its numbers' shapes.

    Raises ValueError for settings of Caffe's that we do not compute, DamagedFileError for numbers that do not fit them.
    """
    if layer.type in ("Convolution", "Deconvolution"):
        return _spatial(layer, path)
    if layer.type == "InnerProduct":
        return _inner_product(layer, path)
    if layer.type == "Pooling":
        return _pooling(layer, path)
    if layer.type == "LRN":
        given = layer.settings.get("lrn", {})
        _only(layer, path, given, {"norm_region": 0})
        return {
            "size": given.get("local_size", 5), "alpha": given.get("alpha", 1.0), "beta": given.get("beta", 0.75),
            "k": given.get("k", 1.0),
        }  # fmt: skip
    if layer.type == "ReLU":
        return {"negative_slope": layer.settings.get("relu", {}).get("negative_slope", 0.0)}
    if layer.type == "Reshape":
        return _reshape(layer, path)
    plain = {
        "Flatten": {"axis": 1, "end_axis": -1},
        "Softmax": {"axis": 1},
        "Log": {"base": -1, "scale": 1, "shift": 0},
    }
    _only(layer, path, layer.settings.get(layer.type.lower(), {}), plain.get(layer.type, {}))
    return {}


def _spatial(layer: FileLayer, path: Path) -> dict[str, Any]:
    given = layer.settings["convolution"]
    _only(layer, path, given, {"axis": 1})
    groups, kernel = given.get("group", 1), _pair(layer, path, given, "kernel_size", "kernel", None)
    transposed = layer.type == "Deconvolution"
    outputs, shape = given.get("num_output", 0), layer.blobs[0].shape
    inputs = shape[0] if transposed else shape[1] * groups if len(shape) == 4 else 0
    weights = (inputs, outputs // max(groups, 1)) if transposed else (outputs, inputs // max(groups, 1))
    bias = given.get("bias_term", True)
    _check(layer, path, (*weights, *kernel), outputs if bias else None)
    return {
        "inputs": inputs, "outputs": outputs, "kernel": kernel, "groups": groups, "bias": bias,
        "stride": _pair(layer, path, given, "stride", "stride", 1), "pad": _pair(layer, path, given, "pad", "pad", 0),
        "dilation": _pair(layer, path, given, "dilation", "", 1),
    }  # fmt: skip


def _inner_product(layer: FileLayer, path: Path) -> dict[str, Any]:
    given = layer.settings.get("inner_product", {})
    _only(layer, path, given, {"axis": 1, "transpose": False})
    shape, bias = layer.blobs[0].shape, given.get("bias_term", True)
    outputs = given.get("num_output", shape[-2] if len(shape) > 1 else 0)
    _check(layer, path, (outputs, shape[-1] if shape else 0), outputs if bias else None)
    return {"inputs": shape[-1], "outputs": outputs, "bias": bias}


def _pooling(layer: FileLayer, path: Path) -> dict[str, Any]:
    given = layer.settings["pooling"]
    _only(layer, path, given, {"round_mode": 0})
    method = given.get("pool", 0)
    if method not in (0, 1):
        raise ValueError(f"{path}: layer {layer.name!r} must pool by MAX (0) or AVE (1), got {method}")
    everything = given.get("global_pooling", False)
    return {
        "method": ("MAX", "AVE")[method],
        "kernel": None if everything else _pair(layer, path, given, "kernel_size", "kernel", None),
        "stride": _pair(layer, path, given, "stride", "stride", 1),
        "pad": _pair(layer, path, given, "pad", "pad", 0),
    }


def _reshape(layer: FileLayer, path: Path) -> dict[str, Any]:
    """The new shape without the batch, which is whatever comes: the files have the batch of their training."""
    given = layer.settings.get("reshape", {})
    _only(layer, path, given, {"num_axes": -1})
    dims, axis = list(given.get("shape", {}).get("dim", ())), given.get("axis", 0)
    shape = dims if axis == 1 else dims[1:]
    if axis not in (0, 1) or not shape or min(shape) < 1:
        told = f"shape {dims} from axis {axis}"
        raise ValueError(f"{path}: layer {layer.name!r} must give all sizes after the batch, got {told}")
    return {"shape": shape}


def _pair(
    layer: FileLayer, path: Path, given: Mapping[str, Any], one: str, each: str, default: int | None
) -> list[int]:
    """(height, width) from one number for both, one for each, or the fields with _h and _w."""
    if f"{each}_h" in given or f"{each}_w" in given:
        pair: Sequence[int] = [given.get(f"{each}_h", default or 0), given.get(f"{each}_w", default or 0)]
    else:
        pair = given.get(one, [default])
    pair = [pair[0], pair[0]] if len(pair) == 1 else list(pair)
    if len(pair) != 2 or None in pair:
        raise ValueError(f"{path}: layer {layer.name!r} must give {one} for height and width, got {pair}")
    return pair


def _only(layer: FileLayer, path: Path, given: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse values that would be computed otherwise than Caffe does."""
    for key, value in wanted.items():
        if given.get(key, value) != value:
            raise ValueError(f"{path}: layer {layer.name!r} ({layer.type}) must have {key} {value}, got {given[key]}")


def _check(layer: FileLayer, path: Path, weights: tuple[int, ...], outputs: int | None) -> None:
    """Numbers fit the settings: the weights, with leading axes of 1 in old files, and as many biases as outputs."""
    needed = [math.prod(weights)] if outputs is None else [math.prod(weights), outputs]
    blobs: Sequence[Blob] = layer.blobs
    tails = [blobs[0].shape[-len(weights) :]] if blobs else []
    got = [len(blob.values) for blob in blobs]
    if got != needed or tails != [weights]:
        shapes = ", ".join(str(blob.shape) for blob in blobs)
        told = f"weights {weights}" + ("" if outputs is None else f" and {outputs} biases")
        raise DamagedFileError(
            f"{path} must have {told} for layer {layer.name!r} at byte {layer.offset}, got {shapes or 'none'}"
        )
