"""Small nets with CaffeNet's and DeePSiM's structure, as `caffe_files.encode` takes them."""

from __future__ import annotations

import numpy as np


def caffenet(seed=0, widths=(8, 16, 12, 12, 8, 20, 16, 10), side=99, norm_first=False):
    """All of CaffeNet's layers with fewer channels; every number random, so that no mistake can hide behind zeros."""
    rng = np.random.default_rng(seed)
    w1, w2, w3, w4, w5, w6, w7, w8 = widths
    pool = {"pooling": {"pool": 0, "kernel_size": 3, "stride": 2}}
    lrn = {"lrn": {"local_size": 5, "alpha": 1e-4, "beta": 0.75}}
    layers = [_conv(rng, "conv1", "data", 3, w1, 11, stride=4), _relu("relu1", "conv1")]
    layers += _pool_and_norm("1", pool, lrn, norm_first)
    layers += [_conv(rng, "conv2", layers[-1][3][0], w1, w2, 5, pad=2, group=2), _relu("relu2", "conv2")]
    layers += _pool_and_norm("2", pool, lrn, norm_first)
    layers += [_conv(rng, "conv3", layers[-1][3][0], w2, w3, 3, pad=1), _relu("relu3", "conv3")]
    layers += [_conv(rng, "conv4", "conv3", w3, w4, 3, pad=1, group=2), _relu("relu4", "conv4")]
    layers += [_conv(rng, "conv5", "conv4", w4, w5, 3, pad=1, group=2), _relu("relu5", "conv5")]
    layers += [("pool5", "Pooling", ["conv5"], ["pool5"], pool, [])]
    layers += [_linear(rng, "fc6", "pool5", w5 * pooled(side) ** 2, w6), _relu("relu6", "fc6"), _drop("drop6", "fc6")]
    layers += [_linear(rng, "fc7", "fc6", w6, w7), _relu("relu7", "fc7"), _drop("drop7", "fc7")]
    layers += [_linear(rng, "fc8", "fc7", w7, w8)]
    return [*layers, ("prob", "Softmax", ["fc8"], ["prob"], {}, [])]


def pooled(side: int) -> int:
    """The side of pool5 for an image's side: 6 for 227."""
    for kernel, stride in ((11, 4), (3, 2), (3, 2), (3, 2)):
        side = -(-(side - kernel) // stride) + 1 if kernel == 3 else (side - kernel) // stride + 1
    return side


def training(layers):
    """The same as a training run saves it: data before, split labels, loss and accuracy after, no softmax."""
    data = ("data", "Data", [], ["data", "label"], {"transform": {"crop_size": 99}}, [])
    split = ("label_split", "Split", ["label"], ["label_0", "label_1"], {}, [])
    ends = [
        ("fc8_split", "Split", ["fc8"], ["fc8_0", "fc8_1"], {}, []),
        ("loss", "SoftmaxWithLoss", ["fc8_0", "label_0"], ["loss"], {}, []),
        ("accuracy", "Accuracy", ["fc8_1", "label_1"], ["accuracy"], {}, []),
    ]
    return [data, split, *layers[:-1], *ends]


def stripped(layers):
    """Only names and numbers, as a file has them from which the settings were taken."""
    return [(name, "", [], [], {}, arrays) for name, _, _, _, _, arrays in layers if arrays]


def generator(kind="fc6", seed=0, code=12, hidden=64, widths=(4, 4, 6, 4, 4, 4, 4, 3, 2)):
    """DeePSiM's layers with fewer channels, 256 pixels; hidden must be 16 widths[0]."""
    rng = np.random.default_rng(seed)
    first, *outs = widths[0], *widths[1:], 3
    if kind == "pool5":
        layers = [_conv(rng, "Rconv6", "feat", code, 6, 3, pad=1), _relu("Rrelu6", "Rconv6", 0.3)]
        layers += [_conv(rng, "Rconv7", "Rconv6", 6, 5, 3, pad=1), _relu("Rrelu7", "Rconv7", 0.3)]
        layers += [_conv(rng, "Rconv8", "Rconv7", 5, first, 3), _relu("Rrelu8", "Rconv8", 0.3)]
        below = "Rconv8"
    else:
        layers = [_linear(rng, "defc7", "feat", code, 10), _relu("relu_defc7", "defc7", 0.3)]
        layers += [_linear(rng, "defc6", "defc7", 10, 8), _relu("relu_defc6", "defc6", 0.3)]
        layers += [_linear(rng, "defc5", "defc6", 8, hidden), _relu("relu_defc5", "defc5", 0.3)]
        reshape = {"reshape": {"shape": {"dim": [64, first, 4, 4]}}}
        layers += [("reshape", "Reshape", ["defc5"], ["reshape_defc5"], reshape, [])]
        below = "reshape_defc5"
    names = ["deconv5", "conv5_1", "deconv4", "conv4_1", "deconv3", "conv3_1", "deconv2", "deconv1", "deconv0"]
    ins = first
    for name, out in zip(names, outs, strict=True):
        kernel, stride = (3, 1) if name.endswith("_1") else (4, 2)
        layers += [_conv(rng, name, below, ins, out, kernel, stride, pad=1, kind="Deconvolution")]
        layers += [_relu(f"relu_{name}", name, 0.3)]
        below, ins = name, out
    layers = layers[:-1]
    name, kind, bottoms, _, settings, arrays = layers[-1]
    weights = arrays[0] * 150  # pixels of about +-100
    return [*layers[:-1], (name, kind, bottoms, ["generated"], settings, [weights, arrays[1]])]


def _conv(rng, name, bottom, ins, outs, kernel, stride=1, pad=0, group=1, kind="Convolution"):
    settings = {"num_output": outs, "kernel_size": [kernel]}
    settings |= {"stride": [stride]} if stride > 1 else {}
    settings |= {"pad": [pad]} if pad else {}
    settings |= {"group": group} if group > 1 else {}
    shape = (outs, ins // group, kernel, kernel) if kind == "Convolution" else (ins, outs // group, kernel, kernel)
    fan = ins // group * kernel**2 / (stride**2 if kind == "Deconvolution" else 1)
    arrays = [rng.normal(0, (2 / fan) ** 0.5, shape).astype(np.float32), rng.normal(0, 0.5, outs).astype(np.float32)]
    return (name, kind, [bottom], [name], {"convolution": settings}, arrays)


def _linear(rng, name, bottom, ins, outs):
    arrays = [rng.normal(0, (2 / ins) ** 0.5, (outs, ins)), rng.normal(0, 0.5, outs)]
    arrays = [values.astype(np.float32) for values in arrays]
    return (name, "InnerProduct", [bottom], [name], {"inner_product": {"num_output": outs}}, arrays)


def _relu(name, blob, slope=0.0):
    return (name, "ReLU", [blob], [blob], {"relu": {"negative_slope": slope}} if slope else {}, [])


def _drop(name, blob):
    return (name, "Dropout", [blob], [blob], {}, [])


def _pool_and_norm(number, pool, lrn, norm_first):
    conv, p, n = f"conv{number}", f"pool{number}", f"norm{number}"
    if norm_first:
        return [(n, "LRN", [conv], [n], lrn, []), (p, "Pooling", [n], [p], pool, [])]
    return [(p, "Pooling", [conv], [p], pool, []), (n, "LRN", [p], [n], lrn, [])]
