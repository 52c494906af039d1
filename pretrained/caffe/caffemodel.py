"""What a .caffemodel or .binaryproto holds: layers, their settings and their numbers (BVLC/caffe, caffe.proto).

Nets of three ages are read alike: `layer` (since 2015), `layers` with enumerated types (V1, 2014), and `layers` with a
`layer` in each (V0, 2013, as the Places205 net). Nothing is executed and nothing allocated that the file does not pay
for: any defect is a DamagedFileError with the byte at which it was found.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ppgn.pretrained.caffe.protobuf import Schema, Source, read_message

MOST_AXES = 32  # of a blob, Caffe's own bound

SHAPE: Schema = {1: ("dim", ["int"])}
BLOB: Schema = {
    1: ("num", "int"), 2: ("channels", "int"), 3: ("height", "int"), 4: ("width", "int"), 5: ("data", "floats"),
    7: ("shape", SHAPE), 8: ("double_data", "doubles"),
}  # fmt: skip
CONVOLUTION: Schema = {
    1: ("num_output", "int"), 2: ("bias_term", "bool"), 3: ("pad", ["int"]), 4: ("kernel_size", ["int"]),
    5: ("group", "int"), 6: ("stride", ["int"]), 9: ("pad_h", "int"), 10: ("pad_w", "int"), 11: ("kernel_h", "int"),
    12: ("kernel_w", "int"), 13: ("stride_h", "int"), 14: ("stride_w", "int"), 16: ("axis", "int"),
    18: ("dilation", ["int"]),
}  # fmt: skip
INNER_PRODUCT: Schema = {
    1: ("num_output", "int"), 2: ("bias_term", "bool"), 5: ("axis", "int"), 6: ("transpose", "bool")
}  # fmt: skip
LRN: Schema = {
    1: ("local_size", "int"), 2: ("alpha", "float"), 3: ("beta", "float"), 4: ("norm_region", "int"), 5: ("k", "float")
}  # fmt: skip
POOLING: Schema = {
    1: ("pool", "int"), 2: ("kernel_size", ["int"]), 3: ("stride", ["int"]), 4: ("pad", ["int"]),
    5: ("kernel_h", "int"), 6: ("kernel_w", "int"), 7: ("stride_h", "int"), 8: ("stride_w", "int"),
    9: ("pad_h", "int"), 10: ("pad_w", "int"), 12: ("global_pooling", "bool"), 13: ("round_mode", "int"),
}  # fmt: skip
RELU: Schema = {1: ("negative_slope", "float")}
RESHAPE: Schema = {1: ("shape", SHAPE), 2: ("axis", "int"), 3: ("num_axes", "int")}
FLATTEN: Schema = {1: ("axis", "int"), 2: ("end_axis", "int")}
SOFTMAX: Schema = {2: ("axis", "int")}
LOG: Schema = {1: ("base", "float"), 2: ("scale", "float"), 3: ("shift", "float")}
TRANSFORM: Schema = {3: ("crop_size", "int"), 5: ("mean_value", ["float"])}
INPUT: Schema = {1: ("shape", [SHAPE])}
LAYER: Schema = {
    1: ("name", "name"), 2: ("type", "name"), 3: ("bottom", ["name"]), 4: ("top", ["name"]), 7: ("blobs", [BLOB]),
    100: ("transform", TRANSFORM), 106: ("convolution", CONVOLUTION), 117: ("inner_product", INNER_PRODUCT),
    118: ("lrn", LRN), 121: ("pooling", POOLING), 123: ("relu", RELU), 125: ("softmax", SOFTMAX),
    133: ("reshape", RESHAPE), 134: ("log", LOG), 135: ("flatten", FLATTEN), 143: ("input", INPUT),
}  # fmt: skip
V0_LAYER: Schema = {
    1: ("name", "name"), 2: ("type", "name"), 3: ("num_output", "int"), 4: ("bias_term", "bool"), 7: ("pad", ["int"]),
    8: ("kernel_size", ["int"]), 9: ("group", "int"), 10: ("stride", ["int"]), 11: ("pool", "int"),
    13: ("local_size", "int"), 14: ("alpha", "float"), 15: ("beta", "float"), 20: ("crop_size", "int"),
    22: ("k", "float"), 50: ("blobs", [BLOB]),
}  # fmt: skip
V1_LAYER: Schema = {
    1: ("layer", V0_LAYER), 2: ("bottom", ["name"]), 3: ("top", ["name"]), 4: ("name", "name"), 5: ("type", "int"),
    6: ("blobs", [BLOB]), 10: ("convolution", CONVOLUTION), 17: ("inner_product", INNER_PRODUCT), 18: ("lrn", LRN),
    19: ("pooling", POOLING), 30: ("relu", RELU), 36: ("transform", TRANSFORM), 39: ("softmax", SOFTMAX),
}  # fmt: skip
NET: Schema = {
    1: ("name", "name"), 2: ("layers", [V1_LAYER]), 3: ("input", ["name"]), 4: ("input_dim", ["int"]),
    8: ("input_shape", [SHAPE]), 100: ("layer", [LAYER]),
}  # fmt: skip

V1_TYPES = {
    0: "", 1: "Accuracy", 2: "BNLL", 3: "Concat", 4: "Convolution", 5: "Data", 6: "Dropout", 7: "EuclideanLoss",
    8: "Flatten", 9: "HDF5Data", 10: "HDF5Output", 11: "Im2col", 12: "ImageData", 13: "InfogainLoss",
    14: "InnerProduct", 15: "LRN", 16: "MultinomialLogisticLoss", 17: "Pooling", 18: "ReLU", 19: "Sigmoid",
    20: "Softmax", 21: "SoftmaxWithLoss", 22: "Split", 23: "TanH", 24: "WindowData", 25: "Eltwise", 26: "Power",
    27: "SigmoidCrossEntropyLoss", 28: "HingeLoss", 29: "MemoryData", 30: "ArgMax", 31: "Threshold", 32: "DummyData",
    33: "Slice", 34: "MVN", 35: "AbsVal", 36: "Silence", 37: "ContrastiveLoss", 38: "Exp", 39: "Deconvolution",
}  # fmt: skip
V0_TYPES = {
    "conv": ("Convolution", "convolution"), "data": ("Data", "transform"), "dropout": ("Dropout", ""),
    "flatten": ("Flatten", ""), "innerproduct": ("InnerProduct", "inner_product"), "lrn": ("LRN", "lrn"),
    "pool": ("Pooling", "pooling"), "relu": ("ReLU", "relu"), "softmax": ("Softmax", ""),
    "softmax_loss": ("SoftmaxWithLoss", ""), "split": ("Split", ""), "accuracy": ("Accuracy", ""),
    "images": ("ImageData", "transform"),
}  # fmt: skip
OWN = ("offset", "name", "type", "bottom", "top", "blobs")  # of every layer; the rest are settings of its type


@dataclass(frozen=True)
class Blob:
    """An array of a file: its shape, its numbers in a row (float32 or float64), its place."""

    shape: tuple[int, ...]
    values: NDArray[Any]
    offset: int


@dataclass(frozen=True)
class FileLayer:
    """A layer as the file has it; `settings` as {"convolution": {"num_output": 96, ...}}, absent where it has none."""

    name: str
    type: str
    bottom: tuple[str, ...]
    top: tuple[str, ...]
    blobs: tuple[Blob, ...]
    settings: Mapping[str, Mapping[str, Any]]
    offset: int


@dataclass(frozen=True)
class FileNet:
    """The net of a .caffemodel; `inputs` are the blobs declared as such, with their shapes, the batch included."""

    path: Path
    name: str
    layers: tuple[FileLayer, ...]
    inputs: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def read_net(path: Path | str) -> FileNet:
    """The net of a .caffemodel. Its blobs look into the file, which must stay as it is while they are in use.

    Raises FileNotFoundError, or DamagedFileError naming the file and the byte.
    """
    source = Source(str(path))
    net = read_message(_mapped(Path(path), source), NET, source)
    raw = [*net.get("layers", []), *net.get("layer", [])]
    if not raw:
        raise source.error("the layers of a Caffe network", "none", 0)
    layers = tuple(_layer(_upgraded(layer, source), source) for layer in raw)
    return FileNet(Path(path), net.get("name", ""), layers, _inputs(net, layers))


def read_blob(path: Path | str) -> Blob:
    """The one array of a .binaryproto, as a mean image (3, H, W), BGR; otherwise as `read_net`."""
    source = Source(str(path))
    return _blob(read_message(_mapped(Path(path), source), BLOB, source), source)


def _mapped(path: Path, source: Source) -> memoryview:
    """The file's bytes, mapped and not read; arrays that look into them keep the map open."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    with open(path, "rb") as file:
        if not path.stat().st_size:
            raise source.error("a message", "an empty file", 0)
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _upgraded(layer: dict[str, Any], source: Source) -> dict[str, Any]:
    """The layer with its type by name, as new files have it."""
    if "layer" in layer:
        old = layer["layer"]
        kind, group = V0_TYPES.get(old.get("type", ""), (old.get("type", ""), ""))
        settings = {group: {key: value for key, value in old.items() if key not in OWN}} if group else {}
        return {key: value for key, value in (layer | old).items() if key in OWN} | {"type": kind} | settings
    if isinstance(number := layer.get("type", ""), int):
        if number not in V1_TYPES:
            raise source.error(f"a layer type of 0 to {max(V1_TYPES)}", str(number), layer["offset"])
        return layer | {"type": V1_TYPES[number]}
    return layer


def _layer(raw: Mapping[str, Any], source: Source) -> FileLayer:
    return FileLayer(
        name=raw.get("name", ""),
        type=raw.get("type", ""),
        bottom=tuple(raw.get("bottom", ())),
        top=tuple(raw.get("top", ())),
        blobs=tuple(_blob(blob, source) for blob in raw.get("blobs", ())),
        settings={key: value for key, value in raw.items() if key not in OWN},
        offset=raw["offset"],
    )


def _blob(raw: Mapping[str, Any], source: Source) -> Blob:
    """Check that there are as many numbers as the shape says; shapes of old files have four axes."""
    if "shape" in raw:
        shape = tuple(raw["shape"].get("dim", ()))
    else:
        shape = tuple(raw.get(key, 0) for key in ("num", "channels", "height", "width"))
    values = raw.get("double_data", np.empty(0))
    if not len(values):
        values = raw.get("data", np.empty(0, np.float32))
    if len(shape) > MOST_AXES or min(shape, default=1) < 1 or math.prod(shape) != len(values):
        needed = f"as many numbers as its shape {str(shape)[:80]} has"
        raise source.error(f"a blob with {needed}", f"{len(values)}", raw["offset"])
    return Blob(shape, values, raw["offset"])


def _inputs(net: Mapping[str, Any], layers: tuple[FileLayer, ...]) -> dict[str, tuple[int, ...]]:
    """Declared inputs with their shapes, () where the file has none."""
    names = net.get("input", [])
    shapes = [tuple(shape.get("dim", ())) for shape in net.get("input_shape", [])]
    dims = net.get("input_dim", [])
    shapes = shapes or [tuple(dims[i : i + 4]) for i in range(0, len(dims), 4)]
    found = {name: shapes[i] if i < len(shapes) else () for i, name in enumerate(names)}
    for layer in layers:
        given = [tuple(shape.get("dim", ())) for shape in layer.settings.get("input", {}).get("shape", [])]
        for i, top in enumerate(layer.top if layer.type == "Input" else ()):
            found[top] = given[min(i, len(given) - 1)] if given else ()
    return found
