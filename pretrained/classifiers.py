"""Anybody's classifier as x -> logits for images in [0, 1]: torchvision's and timm's by name, or any module.

c = ppgn.pretrained.classifier("torchvision/resnet50")
volcano = ppgn.conditions.class_label(c, "volcano")
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal, get_args

from torch import Tensor, nn

from ppgn.pretrained.preprocessing import Preprocessing, with_channels
from ppgn.pretrained.states import frozen, load_weights, unshared
from ppgn.pretrained.zoo import PRETRAINED, timm_classifier, torchvision_classifier

Fit = Literal["official", "whole"]
LIBRARIES = {"torchvision": torchvision_classifier, "timm": timm_classifier}
Size = int | tuple[int, int]


class ImageClassifier(nn.Module):
    """x (B, C, H, W) in [0, 1], of any size, grey or RGB -> logits (B, classes).

    preprocessing    what is done to x first
    class_names      one a class, as far as known; ppgn.conditions.class_label takes them as labels
    classes          their number, if known before any image was seen
    adapt_channels   whether grey and RGB are brought to what the network takes
    source           what `classifier` made the network by, as "timm/resnet18.a1_in1k"; empty for a module
    """

    def __init__(
        self,
        network: nn.Module,
        preprocessing: Preprocessing,
        class_names: Sequence[str] = (),
        classes: int | None = None,
        adapt_channels: bool = True,
        source: str = "",
    ):
        super().__init__()
        self.network, self.preprocessing, self.class_names = network, preprocessing, tuple(class_names)
        self.classes, self.adapt_channels, self.source = classes, adapt_channels, source
        self.settings: dict[str, Any] = {"preprocessing": asdict(preprocessing), "adapt_channels": adapt_channels}

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, classes). Raises ValueError for another number of dimensions or channels."""
        if x.ndim != 4:
            raise ValueError(f"images must have shape (B, C, H, W), got {tuple(x.shape)}")
        x = with_channels(x, self.preprocessing.channels, self.adapt_channels)
        logits: Tensor = self.network(self.preprocessing(x))
        return logits


def classifier(
    source: str | nn.Module,
    *,
    weights: Path | str | None = PRETRAINED,
    fit: Fit = "official",
    size: Size | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    channels: int | None = None,
    class_names: Sequence[str] = (),
    classes: int | None = None,
    adapt_channels: bool = True,
    seed: int = 0,
) -> ImageClassifier:
    """A classifier of anybody's as the network of a condition: frozen, in eval mode, with its preprocessing inside.

    source         "torchvision/resnet50", "torchvision/resnet50.IMAGENET1K_V1", "timm/resnet18.a1_in1k", or a module;
                   a module itself stays as it is, and shares the memory of its weights
    weights        "pretrained": the library's own, downloaded once; a file (.safetensors, .pth) for the architecture
                   named, or for a copy of the module; None: random ones, drawn from `seed`
    fit            "official": resized and cropped in the middle as when it was tested; "whole": the whole image
                   resized to the input, nothing cut off
    size           side, or (height, width), of the input; None: the library's own, or for a module as it comes
    mean, std      of the channels in [0, 1]; None: the library's own, or for a module 0 and 1
    channels       that a module takes; None: what its first convolution takes
    class_names    of a module, or of weights from a file; None of them: the library's own
    classes        their number where weights from a file have another than the library's
    adapt_channels whether grey images are repeated for an RGB network, and RGB ones become luminance for a grey one

    Gradients flow to x alone. `preprocessing` of what is returned shows what is done, and how near it is to what the
    library does to an 8-bit picture. Raises ValueError for names that are not known (naming the closest), for weights
    of other keys or shapes, and for numbers that contradict each other; FileNotFoundError or DamagedFileError for the
    file; OSError where weights cannot be downloaded, saying what is cached and where; TypeError for another source.

    >>> import torch
    >>> network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> c = classifier(network, size=32, mean=[0.5] * 3, std=[0.5] * 3)
    >>> c(torch.rand(2, 1, 20, 24)).shape
    torch.Size([2, 4])
    """
    if fit not in get_args(Fit):
        raise ValueError(f"fit must be one of {', '.join(get_args(Fit))}, got {fit!r}")
    names: tuple[str, ...] = ()
    count: int | None = None
    if isinstance(source, nn.Module):
        network = _of_module(source, weights)
        record = Preprocessing(channels=channels or _channels(network, mean))
    elif isinstance(source, str):
        library, _, name = source.partition("/")
        if library not in LIBRARIES or not name:
            raise ValueError(f"source must be torchvision/NAME, timm/NAME or a module, got {source!r}")
        if channels is not None:
            raise ValueError(f"channels is for a module; {source} knows its own, got {channels}")
        asked = classes if classes is not None or not class_names else len(class_names)
        made, record, names, count = LIBRARIES[library](name, weights, asked, seed)
        network = made.eval().requires_grad_(False)
    else:
        raise TypeError(f"source must be torchvision/NAME, timm/NAME or a module, got {type(source).__name__}")
    record = _adjusted(record, fit, size, mean, std)
    known = tuple(class_names) or names
    count = classes or count or len(known) or None
    if known and len(known) != count:
        raise ValueError(f"class_names must hold one name for each of the {count} classes, got {len(known)}")
    by_name = source if isinstance(source, str) else ""
    return ImageClassifier(network, record, known, count, adapt_channels, by_name).eval()


def _of_module(module: nn.Module, weights: Path | str | None) -> nn.Module:
    """Its frozen copy, filled with the weights of a file if one is given."""
    if weights == PRETRAINED:
        return frozen(module)
    if weights is None:
        raise ValueError("weights=None draws random ones for an architecture by name; a module has its own")
    return load_weights(unshared(module), weights)


def _channels(network: nn.Module, mean: Sequence[float] | None) -> int | None:
    """What the first convolution takes; without one, as many as there are means."""
    first = next((module for module in network.modules() if isinstance(module, nn.Conv2d)), None)
    if first is not None:
        return first.in_channels
    return len(mean) if mean is not None and len(mean) > 1 else None


def _adjusted(
    record: Preprocessing, fit: Fit, size: Size | None, mean: Sequence[float] | None, std: Sequence[float] | None
) -> Preprocessing:
    """The record with what the caller asks for instead."""
    if size is not None:
        height, width = (size, size) if isinstance(size, int) else size
        if min(height, width) < 1:
            raise ValueError(f"size must be at least 1, got {size}")
        record = record.sized((height, width))
    if fit == "whole":
        record = record.whole()
    return replace(
        record,
        mean=record.mean if mean is None else tuple(mean),
        std=record.std if std is None else tuple(std),
    )
