"""PyTorch weights of the DeePSiM generators as other repositories publish them, into ours.

    upconvGAN    Animadversio/ActMax-Optimizer-Dev, core/GAN_utils.py    Caffe's layer names, before some "G." or a ".1"
    XDream       willwx/XDream, xdream/torch_nets/deepsim.py             names of its own, no biases in the upper half

Both keep Caffe's order of axes and its BGR less a mean; the shapes of the weights agree with the .caffemodel's.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ppgn.models import CaffeGenerator, deepsim
from ppgn.models.caffe_networks import BGR_MEAN
from ppgn.pretrained.states import load_weights, read_state

XDREAM = {
    "fc7": "defc7", "fc6": "defc6", "fc5": "defc5", "conv6": "Rconv6", "conv7": "Rconv7", "conv8": "Rconv8",
    "tconv5_0": "deconv5", "tconv5_1": "conv5_1", "tconv4_0": "deconv4", "tconv4_1": "conv4_1", "tconv3_0": "deconv3",
    "tconv3_1": "conv3_1", "tconv2": "deconv2", "tconv1": "deconv1", "tconv0": "deconv0",
}  # fmt: skip


def read_deepsim(
    weights: Path | str | Mapping[str, Tensor], size: int = 256, checksum: str | None = None
) -> CaffeGenerator:
    """The generator of a file of weights (.pt, .safetensors) or of tensors by name, frozen and in eval mode.

    Which layer it inverts shows in its first weights; fc6's and fc7's have the same shapes. size: see `models.deepsim`.
    Raises as `pretrained.read_state`, and ValueError for the names of another network.
    """
    state = dict(weights) if isinstance(weights, Mapping) else read_state(weights, checksum)
    named = _caffe_names(state)
    source = "the weights" if isinstance(weights, Mapping) else str(weights)
    if "Rconv6.weight" in named:
        layer = "pool5"
    elif "defc7.weight" in named:
        layer = "fc8" if named["defc7.weight"].shape[-1:] == (1000,) else "fc6"
    else:
        some = ", ".join(list(state)[:5]) or "none"
        raise ValueError(f"{source} must hold defc7.weight (fc6, fc7, fc8) or Rconv6.weight (pool5), got {some}")
    with torch.device("meta"):  # no weights drawn only to be replaced
        generator = deepsim(layer, size)
    shapes = {name: value.shape for name, value in generator.state_dict().items()}
    absent = {name: torch.zeros(shape) for name, shape in shapes.items() if _may_lack(name)}
    mean = torch.tensor(BGR_MEAN)[:, None, None]
    load_weights(generator.to_empty(device="cpu"), {**absent, "mean": mean, **named})
    return generator.eval().requires_grad_(False)


def _may_lack(name: str) -> bool:
    """The biases of the transposed convolutions, which were not trained (their learning rate is 0): zeros."""
    return name.endswith(".bias") and name.startswith(("conv", "deconv"))


def _caffe_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors by Caffe's layer names."""
    found = {}
    for name, value in state.items():
        layer, _, part = name.removeprefix("G.").replace(".1.", ".").rpartition(".")
        found[f"{XDREAM.get(layer, layer)}.{part}"] = value
    return found
