"""What a classifier wants done to an image first, as torchvision's and timm's records of it say, differentiably.

resize, centre crop, (x - mean) / std        torchvision.transforms._presets.ImageClassification,
                                             timm.data.transforms_factory.transforms_imagenet_eval
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, get_args

import torch
from torch import Tensor
from torch.nn import functional

Mode = Literal["center", "squash", "border"]
Interpolation = Literal["nearest", "bilinear", "bicubic"]
LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601, what Pillow's convert("L") weighs by


@dataclass(frozen=True)
class Preprocessing:
    """From images in [0, 1] of any size to a network's input.

    resize          (h, w) that the image is brought to before the crop; None: as it comes
    crop            (h, w) of the middle that is kept; None: all
    mode            "center"   the sides keep their ratio, and the image covers `resize`
                    "squash"   each side is resized to its own
                    "border"   the sides keep their ratio, and the image fits into `resize`; the mean around it
    interpolation   "nearest", "bilinear" or "bicubic"
    antialias       whether a smaller image is averaged down, as Pillow does
    mean, std       of each channel, in [0, 1]; one number stands for all
    channels        that the network takes; None: as they come

    The same, to rounding, as the library's own transform of the picture as a float tensor. Its transform of an 8-bit
    picture differs where it resizes, and only by Pillow's rounding: after each of the two axes to whole levels of
    1/255, with what bicubic overshoots beyond black and white cut off. That is 1 level for bilinear, 1.1 for bicubic,
    and some 10 for bicubic beside pixels that are full black or white.
    """

    resize: tuple[int, int] | None = None
    crop: tuple[int, int] | None = None
    mode: Mode = "center"
    interpolation: Interpolation = "bilinear"
    antialias: bool = True
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    channels: int | None = None

    def __post_init__(self) -> None:
        for name, options in (("mode", Mode), ("interpolation", Interpolation)):
            if getattr(self, name) not in get_args(options):
                raise ValueError(f"{name} must be one of {', '.join(get_args(options))}, got {getattr(self, name)!r}")
        if not all(value > 0 for value in self.std):
            raise ValueError(f"std must be positive, got {self.std}")
        for name in ("mean", "std"):
            count = len(getattr(self, name))
            if count not in (1, self.channels):
                each = "" if self.channels is None else f", or one for each of {self.channels} channels"
                raise ValueError(f"{name} must hold one number{each}, got {count}")

    def __call__(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, h, w), normalised."""
        return self.normalised(self.fitted(x))

    def fitted(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, h, w): resized and cropped, still in [0, 1] but for what bicubic overshoots."""
        size = self._resized(x.shape[-2], x.shape[-1])
        if size != tuple(x.shape[-2:]):
            smooth = self.interpolation != "nearest"
            x = functional.interpolate(
                x, size, mode=self.interpolation, align_corners=False if smooth else None,
                antialias=self.antialias and smooth,
            )  # fmt: skip
        return x if self.crop is None else self._cropped(x, *self.crop)

    def normalised(self, x: Tensor) -> Tensor:
        """(x - mean) / std, channel by channel."""
        return (x - _planes(self.mean, x)) / _planes(self.std, x)

    def whole(self) -> Preprocessing:
        """The same without a crop: the whole image is brought to the input's size."""
        return self if self.crop is None else replace(self, resize=self.crop, mode="squash")

    def sized(self, size: tuple[int, int]) -> Preprocessing:
        """The same for another size of the input; the share that is cropped stays."""
        if self.resize is None or self.crop is None:
            return replace(self, resize=size, crop=size)
        h, w = (round(new * r / old) for new, r, old in zip(size, self.resize, self.crop, strict=True))
        return replace(self, resize=(h, w), crop=size)

    def _resized(self, height: int, width: int) -> tuple[int, int]:
        """(h, w) of an image after the resize, rounded as the libraries round it."""
        if self.resize is None:
            return height, width
        if self.mode == "squash":
            return self.resize
        if self.mode == "center" and self.resize[0] == self.resize[1]:  # torchvision's Resize of the shorter side
            short = self.resize[0]
            if height <= width:
                return short, int(short * width / height)
            return int(short * height / width), short
        ratios = height / self.resize[0], width / self.resize[1]
        ratio = max(ratios) if self.mode == "border" else min(ratios)
        return round(height / ratio), round(width / ratio)

    def _cropped(self, x: Tensor, height: int, width: int) -> Tensor:
        """The middle; what is missing is filled, where borders are, with the mean in whole levels, else with black."""
        h, w = max(0, height - x.shape[-2]), max(0, width - x.shape[-1])
        if h or w:
            edges = (w // 2, (w + 1) // 2, h // 2, (h + 1) // 2)
            levels = [round(255 * value) / 255 if self.mode == "border" else 0.0 for value in self.mean]
            fill = _planes(levels, x)
            x = functional.pad(x - fill, edges) + fill
        top, left = round((x.shape[-2] - height) / 2.0), round((x.shape[-1] - width) / 2.0)
        return x[..., top : top + height, left : left + width]


def with_channels(x: Tensor, channels: int | None, adapt: bool = True) -> Tensor:
    """Images (B, C, H, W) with the channels a network takes: grey is repeated, RGB becomes luminance (ITU-R 601).

    Raises ValueError if they differ and may not, or cannot, be adapted.
    """
    if channels is None or x.shape[1] == channels:
        return x
    kinds = {1: "grey", 3: "RGB"}
    if x.shape[1] in kinds and channels in kinds and adapt:
        if channels == 3:
            return x.expand(-1, 3, -1, -1)
        return (x * _planes(LUMINANCE, x)).sum(1, keepdim=True)
    wanted, got = (kinds.get(count, f"{count}-channel") for count in (channels, x.shape[1]))
    hint = "; adapt_channels=True repeats grey and takes the luminance of RGB" if not adapt else ""
    raise ValueError(
        f"{wanted} classifier on {got} generator: images must have {channels} channels, got {x.shape[1]}{hint}"
    )


class Preset(Protocol):
    """torchvision's transform of a classifier."""

    resize_size: list[int]
    crop_size: list[int]
    mean: list[float]
    std: list[float]
    interpolation: Any
    antialias: bool | None


def of_torchvision(preset: Preset) -> Preprocessing:
    """What `weights.transforms()` does."""
    resize, crop = _pair(preset.resize_size), _pair(preset.crop_size)
    return Preprocessing(
        resize, crop, "center", preset.interpolation.value, bool(preset.antialias), tuple(preset.mean),
        tuple(preset.std), len(preset.mean),
    )  # fmt: skip


def of_timm(config: Mapping[str, Any]) -> Preprocessing:
    """What `timm.data.create_transform(**config)` does; config as of `timm.data.resolve_model_data_config`."""
    channels, height, width = config["input_size"]
    share = config["crop_pct"]
    return Preprocessing(
        (math.floor(height / share), math.floor(width / share)), (height, width), config["crop_mode"] or "center",
        config["interpolation"], True, tuple(config["mean"]), tuple(config["std"]), channels,
    )  # fmt: skip


def _pair(size: list[int]) -> tuple[int, int]:
    return (size[0], size[-1])


def _planes(values: Sequence[float], x: Tensor) -> Tensor:
    """(C, 1, 1) as x, made where x is: a tensor of the host's would make each step wait for the device."""
    return torch.stack([x.new_full((1, 1), value) for value in values])
