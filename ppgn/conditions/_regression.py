"""A network's numbers as the condition: what they are to be, or those of a picture that the image is to be like.

log p(target | x) = -sum over the network's outputs of (f(x) - target)^2 / (2 noise^2)

The normal density's constant is left out, so that a perfect fit is 0 and no fit is above it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ppgn.checks import require_eval, shown
from ppgn.conditions._algebra import Algebra
from ppgn.conditions._objectives import place_of
from ppgn.layers import layer_named, output_of


def regression(
    network: Callable[[Tensor], Tensor], target: float | Sequence[float] | Tensor, *, noise: float, layer: str = ""
) -> Regression:
    """The network gives `target` for the image, up to normal noise.

    network   x (B, C, H, W) in [0, 1] -> numbers (B,), (B, 1) or (B, ...), in eval mode
    target    of networks of one number: one for all chains, or one per row (B,). Of several: (1, ...) for all, or
              (B, ...), shaped as what the network gives
    noise     standard deviation about the target, in the network's units: small pins it, large lets go
    layer     the output of this layer, by its dotted name; "": the network's own

    log p is in nats up to the normal density's constant. Raises ValueError for a network in train mode, a noise that is
    not positive, a target that is not finite, or a layer there is not; a target of another shape than the network's
    numbers is told when images are first met.

    >>> brightness = regression(lambda x: x.flatten(1).mean(1), 0.5, noise=0.1)
    >>> brightness.log_prob(torch.full((2, 1, 4, 4), 0.25))
    tensor([-3.1250, -3.1250])
    """
    require_eval(network, "network")
    numbers = torch.as_tensor(target)
    numbers = numbers if numbers.is_floating_point() else numbers.to(torch.get_default_dtype())
    if not bool(torch.isfinite(numbers).all()):
        raise ValueError(f"target must be finite, got {target}")
    if not noise > 0:
        raise ValueError(f"noise must be positive, got {noise}")
    if layer and not isinstance(network, nn.Module):
        raise TypeError(f"network must be an nn.Module to have layers, got {type(network).__name__}")
    if isinstance(network, nn.Module):
        layer_named(network, layer)
    return Regression(network, numbers.to(place_of(network), copy=True), noise, layer)


def similar(network: nn.Module, image: Tensor, *, noise: float, layer: str = "") -> Regression:
    """The image is like a reference picture, to a network's eyes: the features of `image` as the target.

    network   as of `regression`; its deeper layers see what is shown, its first ones each stroke
    image     (C, H, W) or (1, C, H, W) for all chains, or one per row (B, C, H, W), in [0, 1]
    noise     standard deviation of each feature about the picture's own, in the features' units
    layer     the features' layer, by its dotted name; "": the network's output

    >>> import ppgn
    >>> digits = ppgn.load("mnist")
    >>> like = similar(digits.classifier, torch.zeros(1, 28, 28), noise=1.0)
    >>> bool(like.log_prob(torch.zeros(1, 1, 28, 28)) == 0)
    True
    """
    if image.ndim not in (3, 4) or not image.is_floating_point():
        raise ValueError(f"image must be float (C, H, W) or (B, C, H, W), got {image.dtype} {tuple(image.shape)}")
    require_eval(network, "network")
    with torch.no_grad():
        shown = image if image.ndim == 4 else image[None]
        features = output_of(network, layer, shown.to(place_of(network)))
    return regression(network, features, noise=noise, layer=layer)


@dataclass(frozen=True)
class Regression(Algebra):
    """See `regression`."""

    network: Callable[[Tensor], Tensor]
    target: Tensor  # (), (B,), (1, ...) or (B, ...), where the network's weights are
    noise: float
    layer: str = ""

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B,), nats up to a constant."""
        if isinstance(self.network, nn.Module):
            found = output_of(self.network, self.layer, x)
        else:
            found = shown(self.network, x, "network")
        if found.shape[:1] != x.shape[:1]:
            raise ValueError(f"network must give numbers (B, ...) with B = {len(x)}, got shape {tuple(found.shape)}")
        found = found.flatten() if found.shape[1:] == (1,) else found
        target = self.target.to(found)
        target = target.flatten() if found.ndim == 1 and target.shape[1:] == (1,) else target
        if target.shape[1:] != found.shape[1:] or (target.ndim and len(target) not in (1, len(x))):
            raise ValueError(
                f"target must be shaped as the network's numbers, one for all or one per row of {len(x)}, "
                f"{tuple(found.shape)}, got {tuple(target.shape)}"
            )
        return -0.5 * ((found - target) / self.noise).view(len(x), -1).square().sum(1)

    def rows(self, index: Tensor) -> Regression:
        """The same for those chains."""
        shared = self.target.ndim == 0 or len(self.target) == 1
        return self if shared else replace(self, target=self.target.to(index.device)[index])
