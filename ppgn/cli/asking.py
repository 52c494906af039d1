"""What `ppgn sample` can be asked for, and the conditions that this makes; several wishes are all to hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch import Tensor, nn

from ppgn import conditions, images, masks, models, pretrained, records
from ppgn.cli.labels import class_count, classes
from ppgn.conditions import (
    all_of,
    caption,
    class_label,
    in_turn,
    inpaint,
    mixture,
    region,
    similar,
    soft_label,
    text,
    unit,
)
from ppgn.conditions._objectives import Objective
from ppgn.conditions._unit import UnitObjective
from ppgn.pipeline import Pipeline
from ppgn.random import streams
from ppgn.types import Captioning, Condition, Filling

# square:SIDE, square:SIDE:random, edge:WIDTH, half:SIDE, random:SHARE
MASKS: dict[str, Callable[[tuple[int, int], str, str, int], Tensor]] = {
    "square": lambda size, side, place, n: masks.square(
        size, int(side or min(size) // 2), "random" if place == "random" else "center", n=n
    ),
    "edge": lambda size, width, _, n: masks.edge(size, int(width or min(size) // 8)),
    "half": lambda size, side, _, n: ~masks.half(size, side or "bottom"),  # type: ignore[arg-type]
    "random": lambda size, share, _, n: masks.random(size, float(share or 0.5), 0, n),
}


KNOWN, ALIKE = 0.3, 1.0  # noise of known pixels, and of features, if none is told
ASKING = ("label", "avoid", "unit", "caption", "text", "similar", "inpaint")


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What the images are to show."""

    label: Annotated[
        list[str] | None, typer.Option(help="a class, by number or name, may be repeated; all; or none: no condition")
    ] = None
    together: Annotated[
        str | None, typer.Option(help="all labels in each chain: any, one of them; blend, equal shares of each")
    ] = None
    avoid: Annotated[list[str] | None, typer.Option(help="a class that it shall not be, may be repeated")] = None
    in_turn: Annotated[
        int | None, typer.Option(min=1, help="each chain visits the labels one after another, so many steps each")
    ] = None
    classifier: Annotated[
        list[str] | None,
        typer.Option(help="instead of the model's: torchvision/NAME, timm/NAME or a file; several: all must agree"),
    ] = None
    unit: Annotated[
        str | None, typer.Option(help="of the classifier, LAYER:CHANNEL or LAYER:CHANNEL:center|mean|ROW,COLUMN")
    ] = None
    caption: Annotated[list[str] | None, typer.Option(help="a sentence, may be repeated")] = None
    captioner: Annotated[Path | None, typer.Option(help="a file of `ppgn train captioner`; the model's own")] = None
    text: Annotated[str | None, typer.Option(help="a text that the image shall fit, to --image-text")] = None
    against: Annotated[list[str] | None, typer.Option(help="rather than this text, may be repeated")] = None
    image_text: Annotated[str | None, typer.Option(help="CLIP or its kin: a folder, or user/name")] = None
    similar: Annotated[Path | None, typer.Option(help="a picture to be like, to the classifier's eyes")] = None
    inpaint: Annotated[Path | None, typer.Option(help="a picture with a hole to fill")] = None
    mask: Annotated[
        str, typer.Option(help="its hole: square:14, square:14:random, edge:4, half:bottom, random:0.5, or a picture")
    ] = "square"
    noise: Annotated[
        float | None, typer.Option(help="of known pixels about the picture's, 0.3 if not told; of features, 1")
    ] = None
    region: Annotated[str | None, typer.Option(help="all this within a mask alone, written as --mask")] = None
    start: Annotated[Path | None, typer.Option(help="begin at the code of this picture")] = None


def asked(pipeline: Pipeline, wishes: Wishes, n: int, objective: Objective = "log_prob") -> tuple[Pipeline, int]:
    """The pipeline under what is wished for, and how many chains there are: n for each label or sentence.

    objective   of classes and units, see `ppgn.conditions.class_label`
    """
    if wishes.label and wishes.caption:
        raise ValueError("chains are asked for labels or for captions, got both")
    for option in ("in_turn", "together"):
        if getattr(wishes, option) is not None and wishes.label in (None, ["none"]):
            raise ValueError(f"--{option.replace('_', '-')} is about several labels; give --label for each")
    if wishes.together not in (None, "any", "blend") or (wishes.together and wishes.in_turn):
        raise ValueError(f"--together must be any or blend, without --in-turn, got {wishes.together!r}")
    shape = image_shape(pipeline)
    guides = _guides(pipeline, wishes)
    labels = _labels(guides, wishes.label or [], shape)
    apart = labels if wishes.in_turn is None and wishes.together is None else []
    chains = n * max(1, len(wishes.caption or apart))
    found = list(_shown(pipeline, wishes, guides, labels, n, objective))
    whole = _sum(found) if found else None
    if wishes.region is not None:
        if whole is None:
            raise ValueError("--region says where something is to be shown; ask for something, as by --label")
        whole = region(whole, mask(wishes.region, shape, chains))
    if wishes.inpaint is not None:
        picture = images.read(wishes.inpaint, shape)
        whole = inpaint(picture, mask(wishes.mask, shape, chains), noise=wishes.noise or KNOWN, inside=whole)
    return (pipeline if whole is None else pipeline.given(whole)), chains


def _shown(
    pipeline: Pipeline, wishes: Wishes, guides: list[nn.Module], labels: list[int | str], n: int,
    objective: Objective,
) -> Iterator[Condition]:  # fmt: skip
    """The conditions on the image as a whole, n rows for each label or sentence."""

    def shows(label: int | str | list[int | str]) -> Condition:
        return _sum([class_label(guide, label, objective=objective) for guide in guides])

    if labels and wishes.in_turn:
        yield in_turn([shows(label) for label in labels], wishes.in_turn)
    elif labels and wishes.together:
        each: list[Condition] = [
            mixture(guide, labels)
            if wishes.together == "any"
            else soft_label(guide, labels, [1 / len(labels)] * len(labels))
            for guide in guides
        ]
        yield _sum(each)
    elif labels:
        yield shows([label for label in labels for _ in range(n)])
    for label in _labels(guides, wishes.avoid or [], image_shape(pipeline)):
        yield ~class_label(_only(guides, "--avoid"), label)
    if wishes.unit is not None:
        layer, channel, position = _place(wishes.unit)
        chosen: UnitObjective = "released" if objective == "released" else "activation"
        yield unit(_only(guides, "--unit"), layer, channel, position, objective=chosen)
    if wishes.caption:
        yield caption(_captioner(pipeline, wishes), [text for text in wishes.caption for _ in range(n)])
    if wishes.text is not None:
        if wishes.image_text is None:
            raise ValueError("--text needs a network that knows images and texts; give --image-text")
        network = pretrained.image_text(wishes.image_text).to(records.of_device(pipeline.generator)[0])
        yield text(network, wishes.text, against=wishes.against or ())
    if wishes.similar is not None:
        picture = images.read(wishes.similar, image_shape(pipeline))
        yield similar(_only(guides, "--similar"), picture, noise=wishes.noise or ALIKE)


def _sum(every: list[Condition]) -> Condition:
    return every[0] if len(every) == 1 else all_of(every)


def _guides(pipeline: Pipeline, wishes: Wishes) -> list[nn.Module]:
    """The networks that are asked: those named, or the model's own, where one is needed."""
    if not (wishes.label not in (None, ["none"]) or wishes.avoid or wishes.unit or wishes.similar):
        return []
    if wishes.classifier:
        device, _ = records.of_device(pipeline.generator)
        return [_network(source).to(device) for source in wishes.classifier]
    if pipeline.classifier is None:
        raise ValueError("labels and units need a classifier, and the model was saved without one; give --classifier")
    return [pipeline.classifier]


def _network(source: str) -> nn.Module:
    return models.load(Path(source)) if Path(source).is_file() else pretrained.classifier(source)


def _only(guides: list[nn.Module], option: str) -> nn.Module:
    if len(guides) > 1:
        raise ValueError(f"{option} asks one network, got {len(guides)} by --classifier")
    return guides[0]


def _labels(guides: list[nn.Module], label: list[str], shape: tuple[int, ...]) -> list[int | str]:
    """The classes by number or name, as the first of the networks knows them."""
    return [] if label in ([], ["none"]) else classes(guides[0], label, class_count(guides[0], shape))


def _captioner(pipeline: Pipeline, wishes: Wishes) -> Captioning:
    if wishes.captioner is not None:
        found = models.load(wishes.captioner)
    else:
        name = pipeline.origin.get("model", "")
        if not name or "captioner" not in pretrained.describe(name)["networks"]:
            raise ValueError(f"captions need a captioner, and {name or 'this model'} has none; give --captioner")
        found = pretrained.network(name, "captioner")
    if not isinstance(found, Captioning):
        raise ValueError(f"captioner must be one of `ppgn train captioner`, got a {type(found).__name__}")
    return found


def _place(text: str) -> tuple[str, int, Any]:
    """(layer, channel, position) of LAYER:CHANNEL[:POSITION]."""
    layer, _, rest = text.partition(":")
    channel, _, position = rest.partition(":")
    numbers = position.split(",")
    if not channel.isdigit() or not (position in ("", "center", "mean") or all(map(str.isdigit, numbers))):
        raise ValueError(f"unit must be LAYER:CHANNEL or LAYER:CHANNEL:center|mean|ROW,COLUMN, got {text!r}")
    if position in ("", "center", "mean"):
        return layer, int(channel), position or "center"
    return layer, int(channel), int(numbers[0]) if len(numbers) == 1 else tuple(map(int, numbers))


def nothing_asked(wishes: Wishes) -> bool:
    """Whether nothing is said of what the images are to show."""
    return not any(getattr(wishes, name) for name in ASKING)


def started(pipeline: Pipeline, wishes: Wishes, n: int, seed: int) -> Tensor | None:
    """(n, *latent) the code of the picture to begin at, if one is given: with the picture's mean in a hole, and under
    the noise that the pipeline's walk begins in."""
    if wishes.start is None:
        return None
    picture = images.read(wishes.start, image_shape(pipeline))
    filling = next((one for one in conditions.walk(pipeline.condition) if isinstance(one, Filling)), None)
    if filling is not None:
        blank = picture.mean((2, 3), keepdim=True).expand(n, *picture.shape[1:])
        picture = filling.composite(blank)
    code = pipeline.encode(picture.to(records.of_device(pipeline.generator)[0]))
    code = code.expand(n, *code.shape[1:])
    sigma = 0.0 if pipeline.sampler is None else pipeline.sampler(pipeline).settings.get("sigma_max", 0.0)
    return code + sigma * streams(seed, n).normal(code, 0, "start") if sigma else code


def mask(text: str, shape: tuple[int, ...], n: int) -> Tensor:
    """A mask (H, W), or one a row (n, H, W), as `square:14:random` or a picture's path says."""
    kind, _, rest = text.partition(":")
    size = (shape[1], shape[2])
    if kind not in MASKS:
        return masks.from_file(Path(text), size)
    number, _, place = rest.partition(":")
    try:
        return MASKS[kind](size, number, place, n)
    except ValueError as error:
        raise ValueError(f"mask {text!r}: {error}") from None


@torch.no_grad()
def image_shape(pipeline: Pipeline) -> tuple[int, ...]:
    """(C, H, W) of what the generator makes."""
    if pipeline.latent_shape is None:
        raise ValueError("the model must say the shape of its codes (latent_shape), and was saved without")
    device, dtype = records.of_device(pipeline.generator)
    return tuple(pipeline.generator(torch.zeros(1, *pipeline.latent_shape, device=device, dtype=dtype)).shape[1:])
