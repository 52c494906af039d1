"""Any unit of any network as the condition: activation maximisation, and what a hidden neuron looks for.

The authors climb units of hidden layers with the same rule as classes (Nguyen et al. 2017, Sec. 4.3): the unit's
"probability" is then a softmax across the channels of its layer at its position.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from ppgn.checks import require_eval
from ppgn.conditions._algebra import Algebra
from ppgn.conditions._objectives import RAW, all_but, place_of, scored
from ppgn.layers import Position, at_position, layer_named, output_of

UnitObjective = Literal["activation", "log_prob", "released"]


def unit(
    network: nn.Module,
    layer: str,
    channel: int | Sequence[int] | Tensor,
    position: Position = "center",
    *,
    objective: UnitObjective = "activation",
) -> Unit:
    """The unit fires: the activation of one channel of a layer, at one position or on average.

    network      x (B, C, H, W) in [0, 1] -> anything, in eval mode
    layer        its dotted name, "layer4.1.conv2", as `network.named_modules()` has it, or the end of one; "": the
                 network's own output. A layer used several times counts as it is used last
    channel      one for all chains, or one per row
    position     of maps (B, C, H, W): "center" (row H // 2, column W // 2), "mean", or (row, column); of tokens
                 (B, T, C): "center" (T // 2), "mean", or the token; of (B, C) there is none to choose
    objective    "activation" the raw unit: no nats, any size. "log_prob" the log of a softmax across the layer's
                 channels at that position, in nats. "released" the same, with its own entry's gradient alone

    Its value is as large as the network's numbers are: in sums give it a weight. No hook stays on the network. Raises
    ValueError for a network in train mode, a layer that it has not (naming the closest), a negative channel or an
    unknown objective; a channel or position out of range is told, with the range, when images are first met.

    >>> network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten()).eval()
    >>> unit(network, "1", channel=2).log_prob(torch.rand(3, 1, 8, 8)).shape
    torch.Size([3])
    """
    if not isinstance(network, nn.Module):
        raise TypeError(f"network must be an nn.Module, whose layers have names, got {type(network).__name__}")
    require_eval(network, "network")
    layer_named(network, layer)
    if objective not in get_args(UnitObjective):
        raise ValueError(f"objective must be one of {get_args(UnitObjective)}, got {objective!r}")
    channels = torch.as_tensor(channel)
    if channels.is_floating_point() or channels.ndim > 1 or channels.numel() == 0 or int(channels.min()) < 0:
        raise ValueError(f"channel must be one whole number from 0 on, or one per row, got {channel!r}")
    if isinstance(position, str) and position not in ("center", "mean"):
        raise ValueError(f"position must be 'center', 'mean', a token's number or (row, column), got {position!r}")
    chosen = channels.to(place_of(network), torch.int64, copy=True)
    return Unit(network, layer, chosen, int(channels.max()), position, objective)


@dataclass(frozen=True)
class Unit(Algebra):
    """See `unit`."""

    network: nn.Module
    layer: str
    channel: Tensor  # () or (B,), where the network's weights are
    largest: int  # of the channels: known on the host, so that checking its range never waits for a device
    position: Position
    objective: UnitObjective

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B,): the activation, or its log probability among the channels."""
        values = self.channels(x)
        return scored(values, self._column(values), self.objective)

    def log_complement(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B,): log of the softmax's share of all other channels."""
        values = self.channels(x)
        return all_but(values, self._column(values))

    def channels(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, channels of the layer) at the position."""
        return at_position(output_of(self.network, self.layer, x), self.position)

    @property
    def nats(self) -> bool:
        """All but the raw activation."""
        return self.objective not in RAW

    def rows(self, index: Tensor) -> Unit:
        """The same for those chains."""
        return self if self.channel.ndim == 0 else replace(self, channel=self.channel.to(index.device)[index])

    def _column(self, values: Tensor) -> Tensor:
        b, channels = values.shape
        if self.channel.ndim == 1 and len(self.channel) != b:
            raise ValueError(f"channel must be one number or one per row: {b} rows, got {len(self.channel)} channels")
        if self.largest >= channels:
            raise ValueError(f"channel must lie in 0..{channels - 1} in layer {self.layer!r}, got {self.largest}")
        return self.channel.to(values.device).expand(b).unsqueeze(1)
