"""Pictures of holes in digits, filled several times: where what is known says which digit it was, and where not.

The network that tells is trained at first, in about five minutes of one core.
"""

from __future__ import annotations

import inpainting
import thirdparty
import torch
from inpainting import Holes
from pictures import Drawn, Picture, beside, rows
from PIL import Image
from torch import Tensor

from ppgn import data, evaluation

DIGITS = thirdparty.SHARED / "data" / "mnist.npz"
SEED, SIDE, SHOWN, FILLS = 0, 56, 8, 8
SEARCHED = 40  # test digits of each class
UNKNOWN = (0.30, 0.50, 0.85)  # the colour of a hole


def holes() -> Drawn:
    """Rows of a digit, its hole and its fills; left the surest hole of some digits, right holes that are open."""
    train = data.load(str(DIGITS))
    candidates = inpainting.holes_in(data.load(str(DIGITS), "test").per_class(SEARCHED), SEED)
    order = inpainting.nearest(candidates, data.to_float(train.images), inpainting.NEIGHBOURS)
    says = inpainting.shares(train.labels[order])
    unclear = inpainting.both_open(inpainting.read(inpainting.reader(train), candidates), says)[:SHOWN]
    clear = torch.tensor([surest(candidates, says, digit) for digit in range(10)][:SHOWN])
    parts, told = [], []
    for title, chosen in (("What is known says it", clear), ("What is known leaves it open", unclear)):
        image, right = block(candidates.rows(chosen), says[chosen])
        parts.append((title, image))
        told.append(right)
    sentence = (
        f"From the left: a test digit, its hole (blue), {FILLS} fills by one walk each, none left out, seed {SEED}; "
        f"before them the labels that a fifth or more of the {inpainting.NEIGHBOURS} training images nearest on the "
        "known pixels have. "
        f"A judge that was never the condition reads {told[0]:.0%} of the fills on the left as the digit it was, "
        f"{told[1]:.0%} on the right."
    )
    return Drawn(beside(parts), sentence)


def surest(candidates: Holes, says: Tensor, digit: int) -> int:
    """The hole that takes most ink of a digit, of those whose neighbours all agree; else the one they agree on most."""
    ink = torch.where(candidates.hole[:, None], candidates.images, 0.0).flatten(1).sum(1)
    own = candidates.labels == digit
    agreed = torch.where(own, says[:, digit], -1.0)
    return int(torch.where(agreed == agreed.max(), ink, -1.0).argmax())


def block(holes: Holes, says: Tensor) -> tuple[Image.Image, float]:
    """The rows of some holes, and the share of fills that the judge reads as the digit it was."""
    of = torch.arange(len(holes.images)).repeat_interleave(FILLS)
    fills, _, _ = inpainting.walked(holes.rows(of), SEED)
    filled = holes.rows(of).filled(fills)
    right = evaluation.agreement(inpainting.JUDGE, filled, holes.labels[of])
    colour = torch.tensor(UNKNOWN)[:, None, None]
    marked = torch.where(holes.hole[:, None], colour, holes.images)
    shown = torch.cat([holes.images.expand(-1, 3, -1, -1)[:, None], marked[:, None],
                       filled.expand(-1, 3, -1, -1).unflatten(0, (-1, FILLS))], 1)  # fmt: skip
    # a row for each, of those too that are asked alike
    names = [name for i, one in enumerate(says) for name in [" " * i + asked(one)] * (FILLS + 2)]
    return rows(shown.flatten(0, 1), names, FILLS + 2, SIDE), right


def asked(says: Tensor) -> str:
    """The likeliest labels, as "4 or 9": those with a fifth of the neighbours or more."""
    likely = says.argsort(descending=True, stable=True)[:3].tolist()
    return " or ".join(str(label) for label in likely if says[label] >= 0.2) or str(likely[0])


PICTURES = {
    "holes-in-digits": Picture(
        holes, f"Holes of {inpainting.HOLE}x{inpainting.HOLE} in digits, filled by the annealed walk under "
        "`ppgn.conditions.inpaint`, no class given.",
    ),
}  # fmt: skip
