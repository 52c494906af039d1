"""Train autoregressive networks by their exact -log p(x), and measure it on a set of images.

Dynamic binarisation (Salakhutdinov & Murray 2008): a grey is the probability of white, drawn anew in each step. Numbers
on binarised images are comparable only with those on images binarised the same way.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ppgn.data import Batch
from ppgn.models.autoregressive import Autoregressive
from ppgn.models.autoregressive_generator import AutoregressiveNetwork
from ppgn.models.likelihoods import Bernoulli, Categorical, LogisticMixture
from ppgn.random import streams
from ppgn.training import sheets
from ppgn.training.loop import Metrics, Trainer, averaged_trainer
from ppgn.training.vae import binarised
from ppgn.types import Schedule


def autoregressive_trainer(
    network: AutoregressiveNetwork,
    *,
    learning_rate: Schedule = 1e-3,
    average: float = 0.999,
    binarise: bool = False,
    clip: float | None = None,
) -> Trainer[Batch]:
    """Trainer on images (B, C, H, W) in [0, 1], and on their labels if the network has classes.

    average    decay a step of the averaged weights, which are the result
    binarise   draw black and white images anew in each step, with the greys as probabilities
    clip       greatest norm of the gradient of the nats per sub-pixel; longer ones are shortened to it

    Metrics: `loss`, nats an image; `bits_per_dim` as well, for likelihoods of grey levels (Categorical,
    LogisticMixture). Networks may run in bfloat16; what comes out of them is taken on in float32. Gradients are
    shortened by `fit`. Raises ValueError for binarise with another likelihood than Bernoulli, a clip of 0 or less, and
    in the first step for a network with classes on images without labels.

    >>> from ppgn.models import RowLSTM
    >>> network = RowLSTM((1, 4, 4), width=4, layers=1)
    >>> trainer = autoregressive_trainer(network, binarise=True, clip=1.0)
    >>> metrics = trainer.update(Batch(torch.rand(2, 1, 4, 4), torch.zeros(2)), torch.Generator())
    >>> 5 < float(metrics["loss"]) < 20  # 16 log 2 = 11.1 for a network that knows nothing
    True
    """
    if binarise and not isinstance(network.likelihood, Bernoulli):
        raise ValueError(f"binarise needs a Bernoulli likelihood, got {network.likelihood}")
    if clip is not None and not clip > 0:
        raise ValueError(f"clip must be positive, got {clip}")
    labelled = network.config.get("classes") is not None

    def losses(batch: Batch, rng: torch.Generator) -> Metrics:
        if labelled:
            batch.require_labels("a network with classes")
        x = binarised(batch.images, rng) if binarise else batch.images
        loss = -_log_prob(network, x, batch.labels if labelled else None).mean()
        if not isinstance(network.likelihood, Categorical | LogisticMixture):
            return {"loss": loss}
        return {"loss": loss, "bits_per_dim": loss.detach() * bits_per_dim(1.0, network.image_shape)}

    # Adam does not mind the scale of its loss, so nats an image are as good as nats a sub-pixel, but for this norm
    most = None if clip is None else clip * math.prod(network.image_shape)
    return averaged_trainer(
        network, losses, learning_rate=learning_rate, average=average, clip=most, sheet=sheets.drawn_pixels
    )


@torch.no_grad()
def nats(
    network: Autoregressive,
    images: Tensor,
    labels: Tensor | None = None,
    *,
    binarise_seed: int | None = None,
    chunk: int = 500,
) -> float:
    """The mean of -log p(x) over images (N, C, H, W) in [0, 1], exact but for rounding; sums are in float64.

    labels          (N,), for a network with classes
    binarise_seed   makes each image black and white, greys being probabilities: a function of the seed and the image's
                    place in the set, on every device and however many images there are
    chunk           images at a time; the result does not depend on it

    Raises ValueError for a network in training mode, no images, labels of another number, or a chunk under 1.
    """
    if network.training:
        raise ValueError("network must be in eval mode, so that dropout is off: call .eval()")
    if len(images) == 0 or chunk < 1:
        raise ValueError(f"images and chunk must be at least 1, got {len(images)} and {chunk}")
    if labels is not None and len(labels) != len(images):
        raise ValueError(f"one label an image is needed, got {len(labels)} for {len(images)} images")
    total = 0.0
    for first in range(0, len(images), chunk):
        x = images[first : first + chunk]
        if binarise_seed is not None:
            x = (streams(binarise_seed, len(x), first).uniform(x, 0, "binarise") < x).to(x)
        label = None if labels is None else labels[first : first + chunk]
        total -= float(_log_prob(network, x, label).double().sum())
    return total / len(images)


def bits_per_dim(nats: float, shape: tuple[int, int, int]) -> float:
    """Nats an image -> bits a sub-pixel, of images (C, H, W).

    >>> bits_per_dim(3072 * math.log(256), (3, 32, 32))
    8.0
    """
    return nats / (math.log(2) * math.prod(shape))


def _log_prob(network: Autoregressive, x: Tensor, label: Tensor | None) -> Tensor:
    """(B,) nats, of parameters in float32 or better."""
    parameters = network(x, label)
    if parameters.dtype in (torch.bfloat16, torch.float16):
        parameters = parameters.float()
    return network.likelihood.log_prob(parameters, x)
