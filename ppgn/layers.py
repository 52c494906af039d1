"""What a layer of anybody's network gives, by its dotted name; no hook stays behind.

A layer goes by the name that `network.named_modules()` has for it, as "layer4.1.conv2", or by the end of it where that
is one layer's alone: a classifier of `ppgn.pretrained` keeps the network that it was made of inside.
"""

from __future__ import annotations

import difflib
from typing import Any, Literal

from torch import Tensor, nn

from ppgn.checks import shown

Position = Literal["center", "mean"] | int | tuple[int, int]
"""Of maps (B, C, H, W): row H // 2 and column W // 2, the mean, or (row, column); of tokens (B, T, C) likewise."""


def layer_named(network: nn.Module, layer: str) -> nn.Module:
    """The layer of that name; "" is the network itself. Raises ValueError for none or several, naming the closest.

    >>> layer_named(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), "1")
    ReLU()
    """
    modules: dict[str, nn.Module] = dict(network.named_modules())
    if layer in modules:
        return modules[layer]
    found = [name for name in modules if layer and name.endswith(f".{layer}")]
    if len(found) == 1:
        return modules[found[0]]
    if found:
        raise ValueError(f"layer {layer!r} could be any of {', '.join(found)}; give the whole name")
    raise ValueError(f"layer must be one of {type(network).__name__}'s{_closest(layer, list(modules))}, got {layer!r}")


def output_of(network: nn.Module, layer: str, x: Tensor) -> Tensor:
    """What the layer gives when the network sees x, with its graph; of a layer used several times, what it gave last.

    Raises ValueError for a layer that was not used, TypeError for one that gives no tensor.
    """
    module = layer_named(network, layer)
    if module is network:
        return _tensor(shown(network, x, "network"), layer)
    seen: list[Any] = []
    hook = module.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    try:
        shown(network, x, "network")
    finally:
        hook.remove()
    if not seen:
        raise ValueError(f"layer {layer!r} must be used when the network sees an image, but it was not")
    return _tensor(seen[-1], layer)


def at_position(output: Tensor, position: Position) -> Tensor:
    """What a layer gave, (B, C, H, W), tokens (B, T, C) or (B, C) -> (B, C). Raises ValueError where it has none such.

    >>> import torch
    >>> at_position(torch.arange(9.0).view(1, 1, 3, 3), "center")
    tensor([[4.]])
    """
    if output.ndim == 2 and isinstance(position, str):
        return output
    if output.ndim not in (3, 4):
        raise ValueError(
            f"a layer must give maps (B, C, H, W) or tokens (B, T, C) to have position {position!r}, "
            f"got shape {tuple(output.shape)}"
        )
    maps = output if output.ndim == 4 else output.movedim(2, 1)
    sides = maps.shape[2:]
    if position == "mean":
        return maps.flatten(2).mean(2)
    if isinstance(position, str):
        place = tuple(side // 2 for side in sides)
    else:
        place = position if isinstance(position, tuple) else (position,)
    if len(place) != len(sides) or not all(0 <= at < side for at, side in zip(place, sides, strict=True)):
        raise ValueError(f"position must lie within the layer's {' x '.join(map(str, sides))}, got {position!r}")
    index: list[slice | int] = [slice(None), slice(None), *place]
    return maps[tuple(index)]


def _tensor(output: Any, layer: str) -> Tensor:
    if not isinstance(output, Tensor):
        raise TypeError(f"layer {layer!r} must give a tensor, got a {type(output).__name__}; take one inside it")
    return output


def _closest(layer: str, names: list[str]) -> str:
    """Names alike by spelling, or by their last part."""
    last = layer.rpartition(".")[2]
    near = difflib.get_close_matches(layer, names, n=4, cutoff=0.5)
    near += [name for name in names if last and name.rpartition(".")[2] == last][:4]
    near = near or [name for name in names if name][:6]
    return f" (the closest are {', '.join(dict.fromkeys(near))})"
