"""The picture of the paper's variants: the same digits by each of them, from the same seed."""

from __future__ import annotations

import torch
import variants
from pictures import Drawn, Picture, rows
from variants import Way

from ppgn import evaluation

EACH, SEED = 10, 0  # of a digit are judged, of which the first is shown


def side_by_side(each: int = EACH, steps: int = variants.STEPS) -> Drawn:
    """A row for each way, its digits 0 to 9; the judge's agreement with all that were drawn before it."""
    drawn = [one_of_each(way, each, steps) for way in variants.WAYS]
    names = [f"{way.variant} {agreed:.0%}" for way, (_, agreed) in zip(variants.WAYS, drawn, strict=True)]
    told = (
        f"{steps} steps, seed {SEED}, the first chain of each digit whatever came of it; settings as in "
        f"benchmarks/README.md. Beside the names: how many of {10 * each} digits a judge that was never the condition "
        "reads as what was asked. None is exact."
    )
    images = torch.cat([shown for shown, _ in drawn])
    return Drawn(rows(images, [name for name in names for _ in range(10)], columns=10), told)


def one_of_each(way: Way, each: int, steps: int) -> tuple[torch.Tensor, float]:
    """The first chain of each digit (10, 1, 28, 28), and the share of all that the judge agrees with."""
    labels = torch.arange(10).repeat_interleave(each)
    samples = variants.walk(way, labels, len(labels), steps, SEED)
    return samples.images[::each], evaluation.agreement(variants.JUDGE, samples.images, labels)


PICTURES = {
    "variants": Picture(
        side_by_side,
        "The same ten digits by the annealed walk and by the five variants of the paper. Walks on pixels often end in "
        "what is no digit (ppgn-x); without a prior on codes digits are overdrawn, to the edge of the frame (dgn-am).",
    ),
}
