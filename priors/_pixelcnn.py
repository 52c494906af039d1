"""The density that a network of pixels in order gives to images, made one of real numbers.

log p(x) = sum over sub-pixels i of log sum_k P(k | x_1 ... x_(i-1)) N(x_i; k / (levels - 1), sigma^2)

P is the network's (PixelCNN or PixelRNN: van den Oord et al. 2016, arXiv:1601.06759, arXiv:1606.05328), which knows
whole levels only; under normal noise its images have a score everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ppgn.checks import require_eval
from ppgn.models.autoregressive import Autoregressive, draw
from ppgn.models.dequantised import DequantisedPixels
from ppgn.priors._images import check_sigma, gradient
from ppgn.records import of_device
from ppgn.types import Rng


def pixelcnn(network: Autoregressive, sigma: float | None = None, *, label: int | None = None) -> PixelDensity:
    """The prior of images as codes, h = x (B, C, H, W), by an autoregressive network: a Density, drawn from exactly.

    network   GatedPixelCNN, PixelCNN, RowLSTM or DiagonalBiLSTM of `ppgn.models`; in eval mode
    sigma     standard deviation, in units of x, of the noise its images are thought under; None for a network with the
              Normal likelihood, whose density is taken as it is
    label     the class of all images, for a network that was trained with labels

    The score is the gradient of `log_prob`, through all that the network makes of a pixel for those after it. The
    network is shown pixels with the noise taken off as far as the pixels before them tell, not noisy ones
    (`ppgn.models.dequantised`), and so p is normalised, but near the convolution of the network's p with
    N(0, sigma^2), not equal to it. `at` gives the same at other noise levels, for `ppgn.samplers.annealed`.

    Raises ValueError for a network in train mode, a sigma that is not positive, that a likelihood of levels lacks or a
    Normal has no use for.

    >>> from ppgn import models
    >>> from ppgn.random import streams
    >>> network = models.GatedPixelCNN((1, 4, 4), width=4, layers=2, kernel=3).eval()
    >>> prior = pixelcnn(network, sigma=0.2)
    >>> x = prior.sample(2, streams(seed=0, n=2))
    >>> prior.log_prob(x).shape, prior.score(x, x).shape
    (torch.Size([2]), torch.Size([2, 1, 4, 4]))
    """
    require_eval(network, "network")
    check_sigma(network.likelihood, sigma, needed=True)
    return PixelDensity(network, sigma, label)


@dataclass(frozen=True)
class PixelDensity:
    """See `pixelcnn`."""

    network: Autoregressive
    sigma: float | None = None
    label: int | None = None

    def at(self, sigma: float) -> PixelDensity:
        """The same network under other noise. Raises ValueError as `pixelcnn`."""
        check_sigma(self.network.likelihood, sigma, needed=True)
        return replace(self, sigma=sigma)

    def score(self, h: Tensor, x: Tensor) -> Tensor:
        """d log_prob(h) / dh; x is not looked at."""
        return gradient(self.log_prob, h)

    def log_prob(self, h: Tensor) -> Tensor:
        """(B, C, H, W), any real numbers, -> (B,) nats per unit of x, differentiable."""
        model = self._model()
        return model.likelihood.log_prob(model(h, self._labels(h)), h)

    def sample(self, n: int, rng: Rng, step: int = 0) -> Tensor:
        """n images (n, C, H, W) on the network's device, some outside [0, 1]; other steps give other draws.

        All pixels at once, again and again until nothing changes: C H W times at most, each two calls of the network.
        """
        device, dtype = of_device(self.network)
        like = torch.empty((n, *self.network.image_shape), device=device, dtype=dtype)
        model = self._model()
        return draw(model, model.likelihood.noise(like, rng, step), self._labels(like), way="fixed_point").images

    def _model(self) -> Autoregressive:
        return self.network if self.sigma is None else DequantisedPixels(self.network, self.sigma)

    def _labels(self, h: Tensor) -> Tensor | None:
        """(B,), or none."""
        return None if self.label is None else torch.full((len(h),), self.label, device=h.device)
