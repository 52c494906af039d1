"""The networks that DGN-AM and PPGN were run with, as their authors' prototxts have them.

    caffenet    BVLC reference CaffeNet           ppgn          nets/caffenet/caffenet.prototxt
    places205   AlexNet of MIT Places205          ppgn          nets/placesCNN/places205CNN_deploy_updated.prototxt
    deepsim     generators of Dosovitskiy & Brox  ppgn          nets/generator/noiseless/generator.prototxt (fc6)
                (2016) and of PPGN                XDream        prototxt/unmodified/{fc7,fc8,pool5}/generator.prototxt

(repositories Evolving-AI-Lab/ppgn and willwx/XDream)

Both classifiers pool before they normalise; AlexNet itself (BVLC's bvlc_alexnet) normalises first.
"""

from __future__ import annotations

from typing import Any

from ppgn.models.caffe_networks import CaffeGenerator, CaffeNetwork

CLASSIFIER_INPUT, GENERATOR_INPUT = "data", "feat"
CODES = {"fc6": (4096,), "fc7": (4096,), "fc8": (1000,), "pool5": (256, 6, 6)}


def caffenet(classes: int = 1000) -> CaffeNetwork:
    """The paper's encoder and classifier, with new weights: h1 is pool5, h is fc6, forward gives fc8 (B, classes)."""
    return CaffeNetwork(caffenet_layers(classes), h1="pool5", h="fc6", output="fc8")


def places205() -> CaffeNetwork:
    """The Places205 AlexNet, with new weights: CaffeNet's layers, 205 scenes."""
    return caffenet(classes=205)


def deepsim(layer: str = "fc6", size: int = 256) -> CaffeGenerator:
    """The generator that inverts fc6, fc7, fc8 or pool5 of CaffeNet, with new weights; its centre of `size` pixels.

    Raises ValueError for another layer or a size above 256.

    >>> import torch
    >>> with torch.device("meta"):
    ...     generator = deepsim("fc6", size=227)
    >>> generator.latent_shape, sum(p.numel() for p in generator.parameters())
    ((4096,), 56097891)
    """
    if layer not in CODES:
        raise ValueError(f"layer must be one of {', '.join(CODES)}, got {layer!r}")
    return CaffeGenerator(deepsim_layers(layer), CODES[layer], (size, size))


def caffenet_layers(classes: int = 1000, norm_first: bool = False) -> list[dict[str, Any]]:
    """CaffeNet's layers; norm_first: AlexNet's order of pooling and normalisation."""
    layers = []
    layers += [convolution("conv1", "data", 3, 96, 11, stride=4), relu("relu1", "conv1")]
    layers += _pool_and_norm("1", norm_first)
    middle = "pool1" if norm_first else "norm1"
    layers += [convolution("conv2", middle, 96, 256, 5, pad=2, groups=2), relu("relu2", "conv2")]
    layers += _pool_and_norm("2", norm_first)
    middle = "pool2" if norm_first else "norm2"
    layers += [convolution("conv3", middle, 256, 384, 3, pad=1), relu("relu3", "conv3")]
    layers += [convolution("conv4", "conv3", 384, 384, 3, pad=1, groups=2), relu("relu4", "conv4")]
    layers += [convolution("conv5", "conv4", 384, 256, 3, pad=1, groups=2), relu("relu5", "conv5")]
    layers += [_pool("pool5", "conv5")]
    layers += [linear("fc6", "pool5", 9216, 4096), relu("relu6", "fc6")]
    layers += [linear("fc7", "fc6", 4096, 4096), relu("relu7", "fc7")]
    layers += [linear("fc8", "fc7", 4096, classes)]
    return [*layers, {"name": "prob", "type": "Softmax", "bottom": ["fc8"], "top": ["prob"]}]


def deepsim_layers(layer: str = "fc6") -> list[dict[str, Any]]:
    """The layers of a generator for that code; spatial layers are transposed convolutions but for pool5's first."""
    if layer == "pool5":
        layers = [convolution("Rconv6", "feat", 256, 512, 3, pad=1), relu("Rrelu6", "Rconv6", 0.3)]
        layers += [convolution("Rconv7", "Rconv6", 512, 512, 3, pad=1), relu("Rrelu7", "Rconv7", 0.3)]
        layers += [convolution("Rconv8", "Rconv7", 512, 512, 3), relu("Rrelu8", "Rconv8", 0.3)]
        below, channels = "Rconv8", 512
    else:
        layers = [linear("defc7", "feat", CODES[layer][0], 4096), relu("relu_defc7", "defc7", 0.3)]
        layers += [linear("defc6", "defc7", 4096, 4096), relu("relu_defc6", "defc6", 0.3)]
        layers += [linear("defc5", "defc6", 4096, 4096), relu("relu_defc5", "defc5", 0.3)]
        shape = {"name": "reshape", "type": "Reshape", "bottom": ["defc5"], "top": ["reshape_defc5"]}
        layers += [{**shape, "shape": [256, 4, 4]}]
        below, channels = "reshape_defc5", 256
    up = [("deconv5", 256, 4), ("conv5_1", 512, 3), ("deconv4", 256, 4), ("conv4_1", 256, 3), ("deconv3", 128, 4),
          ("conv3_1", 128, 3), ("deconv2", 64, 4), ("deconv1", 32, 4), ("deconv0", 3, 4)]  # fmt: skip
    for name, outputs, kernel in up:
        stride = 2 if kernel == 4 else 1
        layers += [convolution(name, below, channels, outputs, kernel, stride, pad=1, kind="Deconvolution")]
        layers += [relu(f"relu_{name}", name, 0.3)]
        below, channels = name, outputs
    return layers[:-1]  # the image has no nonlinearity


def convolution(
    name: str, bottom: str, inputs: int, outputs: int, kernel: int, stride: int = 1, pad: int = 0, groups: int = 1,
    kind: str = "Convolution",
) -> dict[str, Any]:  # fmt: skip
    """A square convolution, or a transposed one (kind="Deconvolution")."""
    return {
        "name": name, "type": kind, "bottom": [bottom], "top": [name], "inputs": inputs, "outputs": outputs,
        "kernel": [kernel, kernel], "stride": [stride, stride], "pad": [pad, pad], "dilation": [1, 1],
        "groups": groups, "bias": True,
    }  # fmt: skip


def linear(name: str, bottom: str, inputs: int, outputs: int) -> dict[str, Any]:
    """A fully connected layer."""
    return {
        "name": name, "type": "InnerProduct", "bottom": [bottom], "top": [name], "inputs": inputs, "outputs": outputs,
        "bias": True,
    }  # fmt: skip


def relu(name: str, blob: str, negative_slope: float = 0.0) -> dict[str, Any]:
    """A ReLU in place."""
    return {"name": name, "type": "ReLU", "bottom": [blob], "top": [blob], "negative_slope": negative_slope}


def _pool(name: str, bottom: str) -> dict[str, Any]:
    return {
        "name": name, "type": "Pooling", "bottom": [bottom], "top": [name], "method": "MAX", "kernel": [3, 3],
        "stride": [2, 2], "pad": [0, 0],
    }  # fmt: skip


def _norm(name: str, bottom: str) -> dict[str, Any]:
    made = {"name": name, "type": "LRN", "bottom": [bottom], "top": [name]}
    return {**made, "size": 5, "alpha": 1e-4, "beta": 0.75, "k": 1.0}


def _pool_and_norm(number: str, norm_first: bool) -> list[dict[str, Any]]:
    conv, pool, norm = f"conv{number}", f"pool{number}", f"norm{number}"
    return [_norm(norm, conv), _pool(pool, norm)] if norm_first else [_pool(pool, conv), _norm(norm, pool)]
