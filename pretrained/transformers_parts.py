"""What the adapters to transformers share: models by name, their image processors and tokenizers, differentiably.

Needs the extra ppgn[transformers], which is imported only here and only when asked for.
"""

from __future__ import annotations

import difflib
from typing import Any

from torch import nn

from ppgn.pretrained import hub
from ppgn.pretrained.preprocessing import Interpolation, Mode, Preprocessing
from ppgn.pretrained.states import frozen

RESAMPLING: dict[int, Interpolation] = {0: "nearest", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers


def transformers_for(what: str) -> Any:
    """The library. Raises ImportError saying what needs it and how it is installed."""
    try:
        import transformers
    except ImportError as error:
        raise ImportError(f"{what} needs transformers: pip install 'ppgn[transformers]'") from error
    return transformers


def loaded(
    library: Any, model: nn.Module | str, tokenizer: Any, processor: Any
) -> tuple[nn.Module, Any, Preprocessing]:
    """A frozen copy of the model, the tokenizer, and what is done to images; names are loaded, None is the model's own.

    Weights are read from safetensors alone, into the same cache as all else, and nothing of a repository is run. Raises
    TypeError for something else than a model or name, ValueError for a model without tokenizer or processor, or an
    architecture that the library does not have.
    """
    if isinstance(model, str):
        tokenizer = model if tokenizer is None else tokenizer
        processor = model if processor is None else processor
        model = _by_name(library, model)
    if not isinstance(model, library.PreTrainedModel):
        raise TypeError(f"model must be one of transformers' or a name, got {type(model).__name__}")
    for name, part in (("tokenizer", tokenizer), ("processor", processor)):
        if part is None:
            raise ValueError(f"{name} must be given for a model that is not loaded by name")
    if isinstance(tokenizer, str):
        tokenizer = library.AutoTokenizer.from_pretrained(tokenizer, **_cache())
    if isinstance(processor, str):
        processor = library.AutoImageProcessor.from_pretrained(processor, **_cache())
    made = processor if isinstance(processor, Preprocessing) else of_processor(processor)
    return frozen(model), tokenizer, made


def of_processor(processor: Any) -> Preprocessing:
    """What an image processor of transformers does to RGB pictures.

    Raises ValueError for one that resizes by another rule than to two sides or the shortest, or does not rescale bytes
    to [0, 1].
    """
    wants: dict[str, Any] = processor.to_dict()
    if not wants.get("do_rescale", True) or abs(255 * wants.get("rescale_factor", 1 / 255) - 1) > 1e-6:
        raise ValueError(f"processor must rescale bytes by 1/255, got {wants.get('rescale_factor')}")
    resize: tuple[int, int] | None = None
    mode: Mode = "center"
    if wants.get("do_resize"):
        resize, mode = _size(wants["size"])
    crop = _size(wants["crop_size"])[0] if wants.get("do_center_crop") else None
    resample = int(wants.get("resample", 2))
    if resample not in RESAMPLING:
        raise ValueError(f"processor must resample by one of {', '.join(RESAMPLING.values())}, got {resample}")
    normal = bool(wants.get("do_normalize"))
    mean, std = (tuple(wants[f"image_{name}"]) if normal else (value,) for name, value in (("mean", 0.0), ("std", 1.0)))
    return Preprocessing(resize, crop, mode, RESAMPLING[resample], True, mean, std, 3)


def known_words(tokenizer: Any, text: str) -> list[int]:
    """The text's tokens, without a beginning or an end.

    Raises ValueError for an empty text, or a word that the tokenizer does not know, naming the nearest that it does.
    """
    if not text.strip():
        raise ValueError("caption must have a word, got an empty one")
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    unknown = tokenizer.unk_token_id
    if unknown is not None and unknown in ids:
        for word in text.split():
            if unknown in tokenizer(word, add_special_tokens=False)["input_ids"]:
                near = difflib.get_close_matches(word, list(tokenizer.get_vocab()), n=3, cutoff=0.4)
                told = f"; the nearest are {', '.join(map(repr, near))}" if near else ""
                raise ValueError(f"caption must be made of words that the tokenizer knows, got {word!r}{told}")
    return ids


def _by_name(library: Any, name: str) -> nn.Module:
    config = library.AutoConfig.from_pretrained(name, **_cache())
    architecture = (config.architectures or [""])[0]
    kind = getattr(library, architecture, None)
    if kind is None:
        raise ValueError(f"{name} must name an architecture of transformers', got {architecture!r}")
    model: nn.Module = kind.from_pretrained(name, use_safetensors=True, **_cache())
    return model


def _cache() -> dict[str, Any]:
    """Where files are kept, and whether the network may be asked."""
    return {"cache_dir": hub.home() / "hub", "local_files_only": hub.offline()}


def _size(size: Any) -> tuple[tuple[int, int], Mode]:
    sides = {name: value for name, value in dict(size).items() if value is not None}
    if set(sides) == {"height", "width"}:
        return (sides["height"], sides["width"]), "squash"
    if set(sides) == {"shortest_edge"}:
        return (sides["shortest_edge"], sides["shortest_edge"]), "center"
    raise ValueError(f"processor must resize to height and width or by the shortest edge, got {sides}")
