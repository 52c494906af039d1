"""Train a captioner: the sum of the words' cross-entropies with Adam, noisy and shifted images, averaged weights.

A little noise keeps its gradient smooth. Under more, words are guessed rather than seen, from which combinations occur:
of digits, fewer images were then given a sentence that had been held out.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ppgn.data import Batch
from ppgn.models import Captioner
from ppgn.models.captioner import padded
from ppgn.training import processes
from ppgn.training.classifier import shifted
from ppgn.training.loop import Metrics, Trainer, averaged_trainer
from ppgn.types import Schedule


def captioner_trainer(
    network: Captioner,
    captions: Sequence[str],
    *,
    learning_rate: Schedule = 2e-3,
    noise: float = 0.1,
    shift: int = 2,
    average: float = 0.995,
) -> Trainer[Batch]:
    """Trainer of a captioner on images whose label is the number of their sentence in `captions`.

    noise: each image has normal noise of a standard deviation of its own, uniform in [0, noise] (0: none).
    shift: images are moved by up to so many pixels each way, blank pixels coming in (0: off).
    average: decay a step of the averaged weights, which are the result.
    Metrics: loss, -log p(sentence | x) in nats, and the share of words that would have been guessed (`words`).
    Raises ValueError for negative noise, and for a caption with a word outside the network's vocabulary; the first step
    does if the images have no labels.
    """
    if not noise >= 0:
        raise ValueError(f"noise must not be negative, got {noise}")
    sentences = padded([network.tokens(text) for text in captions])

    def losses(batch: Batch, rng: torch.Generator) -> Metrics:
        batch.require_labels("a captioner")
        tokens = sentences.to(batch.labels.device)[batch.labels]
        logits = network(_noisy(shifted(batch.images, shift, rng), noise, rng), tokens)
        said = tokens >= 0
        log_prob = logits.log_softmax(2).gather(2, tokens.clamp(min=0)[:, :, None])[:, :, 0]
        right = (logits.detach().argmax(2) == tokens).sum() / said.sum()
        return {"loss": -torch.where(said, log_prob, 0.0).sum(1).mean(), "words": right}

    return averaged_trainer(network, losses, learning_rate=learning_rate, average=average)


def _noisy(images: Tensor, most: float, rng: torch.Generator) -> Tensor:
    """Each image under noise of its own strength."""
    if most == 0:
        return images
    levels = processes.drawn(lambda n: torch.rand(n, 1, 1, 1, generator=rng, device=images.device), len(images))
    return images + most * levels * processes.normal_like(images, rng)
