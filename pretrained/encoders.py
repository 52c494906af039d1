"""Encoders cut out of pretrained classifiers: x -> h1 -> h, the two codes that a generator of PPGN learns to invert.

Many networks of torchvision (AlexNet, VGG, SqueezeNet, DenseNet, MobileNet, EfficientNet, ...) keep their trunk in one
nn.Sequential, `features`; the paper's CaffeNet is cut at pool5 and fc6 (Nguyen et al. 2017, Sec. 3.4).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ppgn.pretrained.classifiers import ImageClassifier
from ppgn.pretrained.states import frozen


def encoder(classifier: ImageClassifier, *, h1: int, h: int, pool: int | None = None) -> TrunkEncoder:
    """x (B, 3, H, W) in [0, 1] -> h1, the output of the first `h1` layers of its `features`, -> h, of the first `h`.

    classifier   see `ppgn.pretrained.classifier`. Its mean and std are taken over, its resizing is not: the encoder
                 sees images of the size they come in
    pool         average h to a map of pool x pool; None: as it is

    The network is not changed and its parameters get no gradient. Raises ValueError if its `features` is no Sequential
    of so many layers.

    >>> import torch
    >>> from ppgn.pretrained import classifier
    >>> cut = encoder(classifier("torchvision/squeezenet1_1", weights=None), h1=8, h=13, pool=4)
    >>> cut(torch.zeros(1, 3, 128, 128)).shape
    torch.Size([1, 512, 4, 4])
    """
    trunk = dict(classifier.network.named_children()).get("features")
    layers = len(trunk) if isinstance(trunk, nn.Sequential) else 0
    if not isinstance(trunk, nn.Sequential) or not 0 < h1 < h <= layers:
        kind = type(classifier.network).__name__
        raise ValueError(f"features must be a Sequential with 0 < h1 < h <= {layers} layers in {kind}, got {h1}, {h}")
    return TrunkEncoder(classifier, h1, h, pool).eval()


class TrunkEncoder(nn.Module):
    """See `encoder`."""

    mean: Tensor
    std: Tensor

    def __init__(self, classifier: ImageClassifier, h1: int, h: int, pool: int | None):
        super().__init__()
        self.classifier, self.h1, self.h, self.pool = classifier, h1, h, pool
        trunk = classifier.network.get_submodule("features")
        assert isinstance(trunk, nn.Sequential)
        self.lower, self.upper = frozen(trunk[:h1]), frozen(trunk[h1:h])
        for module in self.upper.modules():  # the caller's h1 stays as it is
            if "inplace" in vars(module):
                vars(module)["inplace"] = False
        mean, std = classifier.preprocessing.mean, classifier.preprocessing.std
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1), persistent=False)

    def x_to_h1(self, x: Tensor) -> Tensor:
        """(B, C, H, W) in [0, 1] -> a map (B, c, h, w)."""
        h1: Tensor = self.lower((x - self.mean) / self.std)
        return h1

    def h1_to_h(self, h1: Tensor) -> Tensor:
        """The map (B, c, h, w) -> the code, a map too."""
        h: Tensor = self.upper(h1)
        return h if self.pool is None else functional.adaptive_avg_pool2d(h, self.pool)

    def features(self, x: Tensor) -> Tensor:
        """x -> h."""
        return self.h1_to_h(self.x_to_h1(x))

    def forward(self, x: Tensor) -> Tensor:
        """x -> h."""
        return self.features(x)
