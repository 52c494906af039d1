"""Train a classifier: cross-entropy with Adam, small shifts of the image, an average of the weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ppgn.data import Batch
from ppgn.training import processes
from ppgn.training.loop import Metrics, Trainer, averaged_trainer
from ppgn.types import Schedule


def classifier_trainer(
    network: nn.Module, *, learning_rate: Schedule = 1e-3, shift: int = 2, average: float = 0.995
) -> Trainer[Batch]:
    """Trainer for any network x (B, C, H, W) in [0, 1] -> logits (B, classes).

    shift: images are moved by up to so many pixels each way, blank pixels coming in (0: off).
    average: decay a step of the averaged weights, which are the result.
    The first step raises ValueError if the images have no labels.
    """

    def losses(batch: Batch, rng: torch.Generator) -> Metrics:
        batch.require_labels("a classifier")
        logits = network(shifted(batch.images, shift, rng))
        loss = functional.cross_entropy(logits, batch.labels)
        accuracy = (logits.detach().argmax(1) == batch.labels).float().mean()
        return {"loss": loss, "accuracy": accuracy}

    return averaged_trainer(network, losses, learning_rate=learning_rate, average=average)


def shifted(images: Tensor, most: int, rng: torch.Generator) -> Tensor:
    """Each image moved by its own whole number of pixels in [-most, most], both ways, filled with zeros."""
    if most == 0:
        return images
    b, _, height, width = images.shape
    moves = processes.drawn(
        lambda n: torch.randint(0, 2 * most + 1, (2, n, 1), generator=rng, device=images.device), b, dim=1
    )
    rows = torch.arange(height, device=images.device) + moves[0]
    columns = torch.arange(width, device=images.device) + moves[1]
    padded = functional.pad(images, (most, most, most, most))
    chain = torch.arange(b, device=images.device)[:, None, None]
    return padded.movedim(1, -1)[chain, rows[:, :, None], columns[:, None, :]].movedim(-1, 1)
