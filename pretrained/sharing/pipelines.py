"""Whole pipelines as a folder that can be passed on: save, push to huggingface.co, load from there or from a disk.

    config.json               the parts, their settings, the sha256 of each file
    NAME.safetensors          one for each network, as generator, prior.denoiser, classifier
    tensors.safetensors       means, spreads and the like, if there are any
    README.md                 what it is and how to load it

Loading opens safetensors and JSON alone, checks every file's sha256, and runs no code from the folder.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import huggingface_hub
import torch
from torch import nn

from ppgn import files
from ppgn.pipeline import Pipeline
from ppgn.pretrained import hub
from ppgn.pretrained.sharing import kinds, modelcard, parts, rebuild
from ppgn.pretrained.sharing.saved import (
    CONFIG,
    README,
    REPOSITORY,
    SCHEMA,
    TENSORS,
    config_of,
    earlier_on_hub,
    place_of,
    require_earlier,
)  # fmt: skip
from ppgn.types import Condition, Density, Prior

PARTS: dict[str, Any] = {
    "generator": nn.Module, "prior": Prior, "classifier": nn.Module | None, "condition": Condition,
    "start": Density | None, "encoder": nn.Module | None,
}  # fmt: skip
UNFIT = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


def save(
    pipeline: Pipeline, folder: str | Path, *, description: str = "", licence: str = "", overwrite: bool = False
) -> None:
    """Write a pipeline, its networks, condition and recommended sampler, to a new folder, all or nothing.

    description   a sentence for its README
    licence       an identifier that huggingface.co knows, as "mit" or "apache-2.0"
    overwrite     replace an earlier pipeline there: a folder with its config.json and no file that it does not list

    Networks are those of `ppgn.models`, those that `ppgn.pretrained` made by name, or any nn.Module, which then has to
    be given again to `from_pretrained`. Raises TypeError naming the part that cannot be saved (as a function of your
    own for a prior, a condition or a schedule); FileExistsError, ValueError, NotADirectoryError or PermissionError for
    the folder, as `Samples.save`.

    >>> import ppgn, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ppgn.pretrained.save(ppgn.load("mnist"), f"{folder}/digits", description="Handwritten digits.")
    ...     digits = ppgn.pretrained.from_pretrained(f"{folder}/digits")
    >>> digits.latent_shape
    (128,)
    """
    config, kept = _described(pipeline, description, licence)
    if overwrite:
        require_earlier(Path(folder))
    with files.new_folder(Path(folder), CONFIG if overwrite else None) as new:
        _fill(new, Path(folder).name, config, kept)


def push(
    pipeline: Pipeline, repo: str, *, private: bool = False, description: str = "", licence: str = "", message: str = ""
) -> str:
    """Save a pipeline and upload it to "user/name" on huggingface.co; returns the commit, to be given as `revision`.

    private   make the repository private; one that is there and public is refused then
    message   of the commit

    An earlier pipeline there is replaced; files that it does not list are left alone. Log in with `hf auth login` or
    HF_TOKEN. Raises as `save`, ValueError for a name that is none or a public repository where private is asked,
    FileExistsError for a repository that holds anything but a pipeline, OSError offline or where the upload fails.
    """
    if not REPOSITORY.fullmatch(repo):
        raise ValueError(f'repo must be "user/name", got {repo!r}')
    if hub.offline():
        raise OSError(f"push to {repo} needs the network, but offline mode is set (PPGN_OFFLINE or HF_HUB_OFFLINE)")
    config, kept = _described(pipeline, description, licence)
    with tempfile.TemporaryDirectory() as temporary:
        _fill(Path(temporary), repo, config, kept)
        api = huggingface_hub.HfApi()
        api.create_repo(repo, private=private, exist_ok=True)
        found = api.model_info(repo)
        if private and not found.private:
            raise ValueError(f"{repo} must be private as asked, but it is there and public; nothing was uploaded")
        commit = api.upload_folder(
            repo_id=repo,
            folder_path=temporary,
            commit_message=message or f"Pipeline of ppgn {version('ppgn')}",
            delete_patterns=earlier_on_hub(api, repo, found),
            parent_commit=found.sha,  # what was looked at is what is replaced
        )
    oid: str = commit.oid
    return oid


def from_pretrained(
    source: str | Path,
    revision: str | None = None,
    modules: Mapping[str, nn.Module] | None = None,
    *,
    device: torch.device | str = "cpu",
) -> Pipeline:
    """A saved pipeline, from a folder or from "user/name" on huggingface.co: networks frozen and in eval mode.

    revision   a commit (what `push` returned), tag or branch on huggingface.co; None: the newest
    modules    networks by their name there, as {"generator": network}, for those that are not ours: a copy of each
               takes the saved weights. They also may replace any other

    Raises FileNotFoundError for what is not there, OSError where neither network nor cache has it, DamagedFileError for
    a file with another sha256 or a config.json that no `save` wrote, ValueError for another schema or for modules that
    are missing, unknown or do not fit.
    """
    place = place_of(source, revision).pinned()
    config = config_of(place)
    given = dict(modules or {})
    unknown = given.keys() - config["networks"].keys()
    if unknown:
        raise ValueError(f"modules must be among {', '.join(config['networks'])}, got {', '.join(sorted(unknown))}")
    checksums = config["sha256"]
    kept = parts.Kept(tensors=place.tensors(TENSORS, checksums) if TENSORS in checksums else {})
    for name, entry in config["networks"].items():
        network = rebuild.read(entry, name, place.tensors(entry.get("file"), checksums), given.get(name))
        kept.networks[name] = network.to(device)
    try:
        return _pipeline(config, kept, place.origin())
    except UNFIT as error:  # whatever the builders say to what no `save` wrote
        what = f"{CONFIG} of {source} must describe a pipeline as `save` does"
        raise files.DamagedFileError(f"{what}, but {type(error).__name__}: {error}") from error


def _pipeline(config: dict[str, Any], kept: parts.Kept, origin: dict[str, str]) -> Pipeline:
    """The pipeline that config.json describes, its sampler tried. Raises DamagedFileError or one of UNFIT."""
    shape, size = config["latent_shape"], config["batch_size"]
    kinds.require(shape, list[int] | None, "latent_shape")
    kinds.require(size, int | None, "batch_size")
    made = {part: parts.decode(config.get(part), kept) for part in PARTS}  # an encoder is new
    for part, kind in PARTS.items():
        kinds.require(made[part], kind, part)
    pipeline = Pipeline(
        **made,
        sampler=parts.decode_sampler(config["sampler"], kept),
        latent_shape=None if shape is None else tuple(shape),
        batch_size=size,
        origin={**config["origin"], **origin},
    )
    if pipeline.sampler is not None:
        pipeline.sampler(pipeline)  # settings of the wrong kind are told now, not at the first run
    return pipeline


def _described(pipeline: Pipeline, description: str, licence: str) -> tuple[dict[str, Any], parts.Kept]:
    """config.json but for the files, and what goes into them."""
    kept = parts.Kept()
    described = {part: parts.encode(getattr(pipeline, part), part, kept) for part in PARTS}
    config = {
        "schema": SCHEMA,
        "ppgn": version("ppgn"),
        "description": description,
        "licence": licence,
        **described,
        "sampler": parts.encode_sampler(pipeline, kept),
        "latent_shape": None if pipeline.latent_shape is None else list(pipeline.latent_shape),
        "batch_size": pipeline.batch_size,
        "origin": dict(pipeline.origin),
    }
    return config, kept


def _fill(folder: Path, source: str, config: dict[str, Any], kept: parts.Kept) -> None:
    """Write all files of a pipeline into an empty folder."""
    if kept.tensors:
        files.write_tensors(folder / TENSORS, kept.tensors, {})
    networks = {
        name: rebuild.write(network, name, folder / f"{name}.safetensors", kept.sources.get(name))
        for name, network in kept.networks.items()
    }
    checksums = {path.name: files.sha256(path) for path in sorted(folder.glob("*.safetensors"))}
    whole = {**config, "networks": networks, "sha256": checksums}
    files.write_json(folder / CONFIG, whole)
    files.write_bytes(folder / README, modelcard.text(whole, source).encode())
