"""Does a walk under a sentence show what it says? Judged by measures of the images, and an independent judge's digit.

    python benchmarks/captions.py --data mnist.npz             # about 12 minutes of one core

The sentences asked for are those that no image was ever trained on; thickness, width and slant are measured in the
sampled images themselves (`ppgn.strokes`), the digit is the judge's, who was never a condition.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import tables
import torch
from torch import Tensor

import ppgn
from ppgn import data, evaluation, files, models, pretrained, strokes
from ppgn.strokes import SENTENCES
from ppgn.types import Condition

STEPS = 200
JUDGE = pretrained.network("mnist", "judge")
HEADER = files.read_tensors(pretrained.card("mnist", "captioner").path)[1]["trained"]
LIMITS = strokes.from_json(HEADER["thirds"])
HEAD = ["", "sentences", "digit", "thickness", "width", "slant", "all four"]
COLUMNS = len(HEAD) - 2


def captioner() -> models.Captioner:
    found = pretrained.network("mnist", "captioner")
    assert isinstance(found, models.Captioner)
    return found


def parts(numbers: Tensor) -> Tensor:
    """Numbers of sentences (N,) -> digit, thickness, width, slant (N, 4)."""
    return torch.stack([numbers // 27, numbers // 9 % 3, numbers // 3 % 3, numbers % 3], 1)


def shown(images: Tensor, digits: Tensor) -> Tensor:
    """(N, 4): the judge's digit, and the levels measured, the width as that of `digits`."""
    found = strokes.levels(strokes.measure(images), digits, LIMITS)
    return torch.cat([evaluation.in_parts(JUDGE, images).argmax(1, keepdim=True), found], 1)


def right(asked: Tensor, images: Tensor) -> Tensor:
    """(N, 5): which of digit, thickness, width, slant, and all of them, an image shows as its sentence asks."""
    wanted = parts(asked)
    hits = shown(images, wanted[:, 0]) == wanted
    return torch.cat([hits, hits.all(1, keepdim=True)], 1).double()


def row(name: str, asked: Tensor, hits: Tensor) -> list[str]:
    """Means over sentences, with the standard error over them."""
    kinds = asked.unique()
    each = torch.stack([hits[asked == kind].mean(0) for kind in kinds])
    return [name, str(len(kinds)), *(tables.mean_and_error((100 * each[:, i]).tolist(), ".1f") for i in range(COLUMNS))]


def sampled(condition: Condition, n: int, seed: int, gamma: float = 1.0) -> Tensor:
    pipeline = pretrained.load("mnist", settings={"gamma": gamma}, batch_size=200)
    return ppgn.sample(pipeline.given(condition), n, STEPS, seed, frames=0).images


def of_real_images(test: data.ImageSet, held_out: Tensor) -> list[list[str]]:
    """The floor of the measures: the captioner's own sentences of real images, and the generator's reconstructions."""
    x, network = data.to_float(test.images), captioner()
    told = [text for part in x.split(500) for text in network.describe(part)]
    known = torch.tensor([text in SENTENCES for text in told])
    said = torch.tensor([SENTENCES.index(text) for text in told if text in SENTENCES])
    own = strokes.numbers(strokes.levels(strokes.measure(x), test.labels, LIMITS), test.labels)
    asked = torch.isin(own, held_out)
    codes = evaluation.features(pretrained.network("mnist", "encoder"), x[asked])
    rebuilt = evaluation.in_parts(pretrained.network("mnist", "generator-noiseless"), codes)
    share = torch.stack([(parts(own)[:, i] == parts(held_out)[:, i, None]).double().mean(1) for i in range(4)], 1)
    together = (own == held_out[:, None]).double().mean(1, keepdim=True)
    return [
        row("real test images, their own captions", said, right(said, x[known])),
        row("reconstructions of real test images with such captions", own[asked], right(own[asked], rebuilt)),
        row("chance: any real test image", held_out, torch.cat([share, together], 1)),
    ]


def conditions(texts: Sequence[str], digits: Tensor) -> dict[str, tuple[Condition, float]]:
    """What is compared: name -> condition and gamma."""
    asked = ppgn.conditions.caption(captioner(), texts)
    label = ppgn.conditions.class_label(pretrained.network("mnist", "classifier"), digits)
    return {
        "`class_label` of the digit alone": (label, 1.0),
        "`caption`": (asked, 1.0),
        "`caption`, gamma 3": (asked, 3.0),
        "`caption + class_label`, gamma 3": (asked + label, 3.0),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="MNIST as .npz")
    parser.add_argument("--each", type=int, default=8, help="chains a sentence")
    arguments = parser.parse_args()
    held_out = torch.tensor([SENTENCES.index(text) for text in HEADER["held_out"]])
    rows = of_real_images(data.load(str(arguments.data), "test"), held_out)
    trained = torch.tensor([i for i in range(len(SENTENCES)) if i not in held_out.tolist()])
    some = trained[torch.randperm(len(trained), generator=torch.Generator().manual_seed(0))[: len(held_out)]]
    for kind, numbers in (("never trained on", held_out), ("trained on", some)):
        asked = numbers.repeat_interleave(arguments.each)
        texts = [SENTENCES[i] for i in asked]
        for name, (condition, gamma) in conditions(texts, asked // 27).items():
            if kind == "trained on" and name != "`caption`, gamma 3":
                continue
            hits = right(asked, sampled(condition, len(asked), 0, gamma))
            rows.append(row(f"{name}; sentences {kind}", asked, hits))
            print(rows[-1], flush=True)
    card = pretrained.card("mnist", "captioner")
    note = (
        f"Share in %, means over sentences with the standard error over them; {arguments.each} chains a sentence, "
        f"{STEPS} steps of `mnist`'s default walk, seed 0. Digit: the bundle's judge "
        f"(sha256 {pretrained.card('mnist', 'judge').sha256[:12]}); thickness, width and slant: thirds of the training "
        f"images of the captioner (sha256 {card.sha256[:12]}), measured in the samples themselves. No walk is exact."
    )
    tables.write("captions", HEAD, rows, note)


if __name__ == "__main__":
    main()
