"""Caffe's layers once more, in plain loops over numpy arrays as BVLC/caffe's *_layer.cpp count them, in double."""

from __future__ import annotations

import numpy as np


def convolution(x, w, b, stride=(1, 1), pad=(0, 0), dilation=(1, 1), groups=1):
    batch, _, height, width = x.shape
    outs, ins, kh, kw = w.shape
    padded = np.pad(x, ((0, 0), (0, 0), (pad[0], pad[0]), (pad[1], pad[1])))
    oh = (height + 2 * pad[0] - dilation[0] * (kh - 1) - 1) // stride[0] + 1
    ow = (width + 2 * pad[1] - dilation[1] * (kw - 1) - 1) // stride[1] + 1
    y = np.zeros((batch, outs, oh, ow))
    for o in range(outs):
        g = o // (outs // groups)
        part = padded[:, g * ins : (g + 1) * ins]
        for i in range(oh):
            for j in range(ow):
                top, left = i * stride[0], j * stride[1]
                window = part[
                    :, :, top : top + dilation[0] * kh : dilation[0], left : left + dilation[1] * kw : dilation[1]
                ]
                y[:, o, i, j] = (window[:, :, :kh, :kw] * w[o]).sum((1, 2, 3)) + (0 if b is None else b[o])
    return y


def deconvolution(x, w, b, stride=(1, 1), pad=(0, 0), dilation=(1, 1), groups=1):
    """Every input number spreads its kernel over the output: the adjoint of the convolution."""
    batch, ins, height, width = x.shape
    _, outs, kh, kw = w.shape
    oh, ow = (stride[i] * (n - 1) + dilation[i] * (k - 1) + 1 for i, n, k in ((0, height, kh), (1, width, kw)))
    y = np.zeros((batch, outs * groups, oh, ow))
    for c in range(ins):
        group = slice(c // (ins // groups) * outs, (c // (ins // groups) + 1) * outs)
        for u in range(kh):
            for v in range(kw):
                top, left = u * dilation[0], v * dilation[1]
                rows = slice(top, top + stride[0] * (height - 1) + 1, stride[0])
                columns = slice(left, left + stride[1] * (width - 1) + 1, stride[1])
                y[:, group, rows, columns] += x[:, c, None] * w[c, :, u, v, None, None]
    y = y[:, :, pad[0] : oh - pad[0], pad[1] : ow - pad[1]]
    return y if b is None else y + b[None, :, None, None]


def pooling(x, method, kernel, stride=(1, 1), pad=(0, 0)):
    batch, channels, height, width = x.shape
    sides = []
    for side, k, s, p in zip((height, width), kernel, stride, pad, strict=True):
        n = int(np.ceil((side + 2 * p - k) / s)) + 1
        if p and (n - 1) * s >= side + p:
            n -= 1
        sides.append(n)
    y = np.zeros((batch, channels, *sides))
    for i in range(sides[0]):
        for j in range(sides[1]):
            top, left = i * stride[0] - pad[0], j * stride[1] - pad[1]
            bottom, right = min(top + kernel[0], height + pad[0]), min(left + kernel[1], width + pad[1])
            size = (bottom - top) * (right - left)
            window = x[:, :, max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
            y[:, :, i, j] = window.max((2, 3)) if method == "MAX" else window.sum((2, 3)) / size
    return y


def lrn(x, size, alpha, beta, k=1.0):
    channels = x.shape[1]
    y = np.zeros_like(x)
    for c in range(channels):
        near = x[:, max(0, c - size // 2) : min(channels, c + size // 2 + 1)]
        y[:, c] = x[:, c] / (k + alpha / size * (near**2).sum(1)) ** beta
    return y


def inner_product(x, w, b):
    flat = x.reshape(len(x), -1)
    return np.stack([(flat * row).sum(1) for row in w], axis=1) + (0 if b is None else b)


def relu(x, slope=0.0):
    return np.where(x > 0, x, slope * x)


def softmax(x):
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def image_in(x, size, mean):
    """RGB in [0, 1] -> the centre in BGR of [0, 255] less the mean (3,) or (3, H, W), in BGR."""
    bgr = x[:, ::-1] * 255.0
    top, left = (x.shape[2] - size[0]) // 2, (x.shape[3] - size[1]) // 2
    bgr = bgr[:, :, top : top + size[0], left : left + size[1]]
    if mean.ndim == 3:
        top, left = (mean.shape[1] - size[0]) // 2, (mean.shape[2] - size[1]) // 2
        return bgr - mean[:, top : top + size[0], left : left + size[1]]
    return bgr - mean[None, :, None, None]


def run(layers, x, first):
    """Every layer's output by its name, and the blobs: layers as `caffe_files.encode` takes them."""
    blobs, outputs = {first: x}, {}
    for name, kind, bottoms, tops, settings, arrays in layers:
        bottom = blobs[bottoms[0]]
        arrays = [np.asarray(a, np.float64) for a in arrays] + [None, None]
        given = {key: value for values in settings.values() for key, value in values.items()}
        made = _one(kind, bottom, given, arrays)
        outputs[name] = made
        blobs.update({top: made for top in tops})
    return outputs, blobs


def _one(kind, x, given, arrays):
    def pair(one, each, default):
        if f"{each}_h" in given:
            return given[f"{each}_h"], given[f"{each}_w"]
        value = given.get(one, default)
        value = value if isinstance(value, list) else [value]
        return (value[0], value[-1])

    if kind in ("Convolution", "Deconvolution"):
        compute = convolution if kind == "Convolution" else deconvolution
        return compute(x, *arrays[:2], pair("stride", "stride", 1), pair("pad", "pad", 0), pair("dilation", "", 1),
                       given.get("group", 1))  # fmt: skip
    if kind == "Pooling":
        kernel = x.shape[2:] if given.get("global_pooling") else pair("kernel_size", "kernel", 1)
        return pooling(
            x, ("MAX", "AVE")[given.get("pool", 0)], kernel, pair("stride", "stride", 1), pair("pad", "pad", 0)
        )
    if kind == "LRN":
        return lrn(x, given.get("local_size", 5), given.get("alpha", 1.0), given.get("beta", 0.75), given.get("k", 1.0))
    if kind == "InnerProduct":
        return inner_product(x, *arrays[:2])
    if kind == "ReLU":
        return relu(x, given.get("negative_slope", 0.0))
    if kind == "Reshape":
        return x.reshape(len(x), *given["shape"]["dim"][1:])
    return {"Softmax": softmax, "Log": np.log, "Flatten": lambda a: a.reshape(len(a), -1)}.get(kind, lambda a: a)(x)
