"""From a .caffemodel to a network of ours.

The file's own layers are used where they say enough: types that we have, settings, an image or a code to begin with.
Training nets lose their data and loss layers. Where a file says less, or has layers beside that we do not know, but
the learned layers of CaffeNet or of a DeePSiM generator are in it by name, the layout is theirs and the numbers are the
file's, as Caffe itself does with a deploy.prototxt.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ppgn.files import DamagedFileError
from ppgn.models import CaffeGenerator, CaffeNetwork
from ppgn.models.caffe_layers import LEARNED, SETTINGS
from ppgn.models.caffe_layouts import caffenet_layers, deepsim_layers
from ppgn.models.caffe_networks import BGR_MEAN
from ppgn.pretrained.caffe.caffemodel import Blob, FileLayer, FileNet, read_blob, read_net
from ppgn.pretrained.caffe.settings import settings_of

Layers = list[dict[str, Any]]
Mean = tuple[float, float, float] | Path | str
USUAL_SIZE = 227  # of CaffeNet's images
FED = ("Data", "DummyData", "HDF5Data", "ImageData", "Input", "MemoryData", "WindowData")
TRAINING = (
    "Accuracy", "ArgMax", "ContrastiveLoss", "EuclideanLoss", "HingeLoss", "InfogainLoss", "MultinomialLogisticLoss",
    "SigmoidCrossEntropyLoss", "Silence", "SoftmaxWithLoss",
)  # fmt: skip


def read_caffe(
    path: Path | str, *, mean: Mean | None = None, size: int | None = None, clamp: bool = True
) -> CaffeNetwork | CaffeGenerator:
    """The network of a .caffemodel, frozen and in eval mode: an image's classifier, or a generator of images.

    mean   a .binaryproto, or three numbers R, G, B of [0, 255]; default: the file's own, else 123, 117, 104
    size   side of the images, where the file does not say (227), or of the centre a generator keeps (all)
    clamp  whether a generator's images are cut off at 0 and 1; False, as the authors' walks have it, leaves them

    Raises FileNotFoundError; DamagedFileError naming the byte; ValueError for a net that is none of ours, listing the
    layer types that are.
    """
    net = read_net(path)
    blobs = {layer.name: layer.blobs for layer in net.layers if layer.blobs}
    layers = _layers(net, blobs)
    known = {layer["name"]: blobs[layer["name"]] for layer in layers if layer["type"] in LEARNED}
    average = _mean(mean, net)
    with torch.device("meta"):  # shapes first: only numbers that are in the file take memory
        network = _network(layers, net, average.shape, size, clamp)
    network.load_state_dict({**_state(network, known, net), "mean": average}, assign=True)
    return network.eval().requires_grad_(False)


def _layers(net: FileNet, blobs: Mapping[str, Sequence[Blob]]) -> Layers:
    """The layers to run, sizes taken from the numbers' shapes."""
    own = _connected([layer for layer in net.layers if layer.type not in FED + TRAINING])
    unknown = sorted({layer.type for layer in own} - set(SETTINGS))
    bare = [layer.name for layer in own if not layer.bottom or not layer.top or _lacks_settings(layer)]
    for layout in _layouts(net):
        learned = {layer["name"] for layer in layout if layer["type"] in LEARNED}
        # a generator saved with the nets that it was trained with is taken out of them
        among_others = layout[-1]["name"] == "deconv0" and learned < set(blobs)
        if learned <= set(blobs) and (unknown or bare or not own or among_others):
            return _sized(layout, blobs)
    supported = f"{net.path} must be made of the layer types {', '.join(SETTINGS)}"
    if unknown or not own:
        raise ValueError(f"{supported}; it has {', '.join(unknown[:10]) or 'none with numbers'}")
    if bare:
        raise ValueError(f"{supported}, with their settings; {', '.join(bare[:5])} lack them")
    return [
        {"name": layer.name, "type": layer.type, "bottom": list(layer.bottom), "top": list(layer.top)}
        | settings_of(layer, net.path)
        for layer in own
    ]


def _connected(layers: Sequence[FileLayer]) -> list[FileLayer]:
    """The layers that follow from what the first learned layer looks at; labels and what is made of them fall away."""
    first = next((i for i, layer in enumerate(layers) if layer.blobs), None)
    if first is None or not layers[first].bottom:
        return [] if first is None else list(layers)
    root = layers[first].bottom[0]
    for layer in reversed(layers[:first]):
        if root in layer.top and layer.bottom:
            root = layer.bottom[0]
    have, kept = {root}, []
    for layer in layers:
        if set(layer.bottom) <= have:
            kept.append(layer)
            have |= set(layer.top)
    return kept


def _lacks_settings(layer: FileLayer) -> bool:
    group = {"Convolution": "convolution", "Deconvolution": "convolution", "Pooling": "pooling"}.get(layer.type, "")
    return (bool(group) and group not in layer.settings) or (layer.type in LEARNED and not layer.blobs)


def _layouts(net: FileNet) -> list[Layers]:
    """The layouts that a file may have by the names of its learned layers."""
    names = [layer.name for layer in net.layers]
    norm_first = "norm1" in names and "pool1" in names and names.index("norm1") < names.index("pool1")
    return [deepsim_layers("pool5"), deepsim_layers("fc6"), caffenet_layers(norm_first=norm_first)]


def _sized(layout: Layers, blobs: Mapping[str, Sequence[Blob]]) -> Layers:
    """A layout with the widths of the file's numbers."""
    sized = [{**layer, **_widths(layer, blobs.get(layer["name"], ()))} for layer in layout]
    for i, layer in enumerate(sized):
        if layer["type"] == "Reshape":  # between defc5, its ReLU and deconv5
            numbers, channels = sized[i - 2]["outputs"], sized[i + 1]["inputs"]
            layer["shape"] = [channels, *[math.isqrt(numbers // channels)] * 2]
    return sized


def _widths(layer: Mapping[str, Any], blobs: Sequence[Blob]) -> dict[str, Any]:
    """What a learned layer's numbers say of its sizes."""
    shape = blobs[0].shape if blobs and layer["type"] in LEARNED else ()
    if layer["type"] == "InnerProduct" and len(shape) > 1:
        return {"outputs": shape[-2], "inputs": shape[-1], "bias": len(blobs) > 1}
    if len(shape) != 4:
        return {}
    widths = {"inputs": shape[1] * layer["groups"], "outputs": shape[0]}
    if layer["type"] == "Deconvolution":
        widths = {"inputs": shape[0], "outputs": shape[1] * layer["groups"]}
    return {**widths, "kernel": list(shape[2:]), "bias": len(blobs) > 1}


def _network(
    layers: Layers, net: FileNet, mean_shape: Sequence[int], size: int | None, clamp: bool
) -> CaffeNetwork | CaffeGenerator:
    """Which of the two it is shows in the first learned layer and the last."""
    learned = [layer for layer in layers if layer["type"] in LEARNED]
    first, last = learned[0], learned[-1]
    given = net.inputs.get(layers[0]["bottom"][0], ())
    if first["type"] == "Convolution" and first["inputs"] == 3 and last["type"] == "InnerProduct":
        tops = [layer["top"][0] for layer in layers]
        h1, h = ("pool5", "fc6") if {"pool5", "fc6"} <= set(tops) else (None, None)
        return CaffeNetwork(layers, _image_size(net, given, size), h1, h, last["top"][0], tuple(mean_shape))
    if last["outputs"] == 3 and last["type"] in ("Convolution", "Deconvolution"):
        code = tuple(given[1:]) or ((first["inputs"],) if first["type"] == "InnerProduct" else (first["inputs"], 6, 6))
        kept = None if size is None else (size, size)
        return CaffeGenerator(layers, code, kept, tuple(mean_shape), clamp)
    ends = f"{first['name']} ({first['type']}) and {last['name']} ({last['type']})"
    raise ValueError(
        f"{net.path} must go from images of 3 channels to an InnerProduct, or from a code to 3 channels, got {ends}"
    )


def _image_size(net: FileNet, given: Sequence[int], size: int | None) -> tuple[int, int]:
    if size is not None:
        return size, size
    if len(given) == 4:
        return given[2], given[3]
    crops = [layer.settings.get("transform", {}).get("crop_size", 0) for layer in net.layers]
    side = next((crop for crop in crops if crop), USUAL_SIZE)
    return side, side


def _mean(mean: Mean | None, net: FileNet) -> Tensor:
    """BGR in [0, 255], (3, 1, 1) or (3, H, W)."""
    if isinstance(mean, Path | str):
        blob = read_blob(mean)
        shape = blob.shape[1:] if len(blob.shape) == 4 and blob.shape[0] == 1 else blob.shape
        if len(shape) != 3 or shape[0] != 3:
            raise ValueError(f"{mean} must hold a mean image (3, H, W), got shape {blob.shape}")
        return torch.from_numpy(blob.values.reshape(shape).astype(np.float32))
    own = [layer.settings.get("transform", {}).get("mean_value", []) for layer in net.layers]
    bgr = next((tuple(values) for values in own if len(values) == 3), BGR_MEAN) if mean is None else tuple(mean)[::-1]
    if len(bgr) != 3:
        raise ValueError(f"mean must be three numbers R, G, B, got {len(bgr)}")
    return torch.tensor(bgr, dtype=torch.float32)[:, None, None]


def _state(
    network: CaffeNetwork | CaffeGenerator, blobs: Mapping[str, Sequence[Blob]], net: FileNet
) -> dict[str, Tensor]:
    """Copies of the numbers by name in the network, in the shapes it needs: old files have four axes for all."""
    needed, state = network.state_dict(), {}
    for layer, numbers in blobs.items():
        for part, blob in zip(("weight", "bias"), numbers, strict=False):
            name = f"{network.names[layer]}.{part}"
            if len(blob.values) != needed[name].numel():
                told = f"at byte {blob.offset}, got {blob.shape}"
                raise DamagedFileError(f"{net.path} must have numbers {tuple(needed[name].shape)} for {name} {told}")
            state[name] = torch.from_numpy(blob.values.astype(np.float32)).reshape(needed[name].shape)
    return state
