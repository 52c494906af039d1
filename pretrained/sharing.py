"""Whole pipelines as a folder that can be passed on: save, push to huggingface.co, load from there or from a disk.

    config.json               the parts, their settings, the sha256 of each file
    NAME.safetensors          one for each network, as generator, prior.denoiser, classifier
    tensors.safetensors       means, spreads and the like, if there are any
    README.md                 what it is and how to load it

Loading opens safetensors and JSON alone, checks every file's sha256, and runs no code from the folder.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import huggingface_hub
import torch
from torch import Tensor, nn

from ppgn import files
from ppgn.pipeline import Pipeline
from ppgn.pretrained import hub, modelcard, parts, rebuild

SCHEMA = 1
CONFIG, TENSORS = "config.json", "tensors.safetensors"
PARTS = ("generator", "prior", "classifier", "condition", "start")
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
PLAIN = re.compile(r"[A-Za-z0-9][\w.-]*\.safetensors")


def save(
    pipeline: Pipeline, folder: str | Path, *, description: str = "", licence: str = "", overwrite: bool = False
) -> None:
    """Write a pipeline, its networks, condition and recommended sampler, to a new folder, all or nothing.

    description   a sentence for its README
    licence       an identifier that huggingface.co knows, as "mit" or "apache-2.0"
    overwrite     replace an earlier pipeline there

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
    with files.new_folder(Path(folder), CONFIG if overwrite else None) as new:
        _fill(new, Path(folder).name, config, kept)


def push(
    pipeline: Pipeline, repo: str, *, private: bool = False, description: str = "", licence: str = "", message: str = ""
) -> str:
    """Save a pipeline and upload it to "user/name" on huggingface.co; returns the commit, to be given as `revision`.

    private   make the repository private; one that is there and public is refused then
    message   of the commit

    Log in with `hf auth login` or HF_TOKEN. Raises as `save`, ValueError for a name that is none or a public repository
    where private is asked, OSError offline or where the upload fails.
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
        if private and not api.model_info(repo).private:
            raise ValueError(f"{repo} must be private as asked, but it is there and public; nothing was uploaded")
        commit = api.upload_folder(
            repo_id=repo,
            folder_path=temporary,
            commit_message=message or f"Pipeline of ppgn {version('ppgn')}",
            delete_patterns=["*.safetensors"],  # of an earlier pipeline there
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
    place = _place(source, revision).pinned()
    config = _config(place)
    given = dict(modules or {})
    unknown = given.keys() - config["networks"].keys()
    if unknown:
        raise ValueError(f"modules must be among {', '.join(config['networks'])}, got {', '.join(sorted(unknown))}")
    checksums = config["sha256"]
    kept = parts.Kept(tensors=place.tensors(TENSORS, checksums) if TENSORS in checksums else {})
    for name, entry in config["networks"].items():
        network = rebuild.read(entry, name, place.tensors(entry.get("file"), checksums), given.get(name))
        kept.networks[name] = network.to(device)
    return Pipeline(
        **{part: parts.decode(config[part], kept) for part in PARTS},
        sampler=parts.decode_sampler(config["sampler"], kept),
        latent_shape=None if config["latent_shape"] is None else tuple(config["latent_shape"]),
        batch_size=config["batch_size"],
        origin={**config["origin"], **place.origin()},
    )


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
    files.write_bytes(folder / "README.md", modelcard.text(whole, source).encode())


@dataclass(frozen=True)
class Place:
    """Where a saved pipeline lies: a folder, or a repository of which `folder` is then a snapshot in the cache."""

    folder: Path | None = None
    repo: str = ""
    revision: str | None = None

    def file(self, name: str, checksum: str | None = None) -> Path:
        """The file of that name, checked."""
        if self.folder is None:
            return hub.fetch(self.repo, name, self.revision, checksum)
        path = self.folder / name
        if not path.is_file():
            raise FileNotFoundError(f"a saved pipeline must have a {name}, but there is none in {self.folder}")
        files.check_sha256(path, checksum)
        return path

    def tensors(self, name: Any, checksums: Mapping[str, str]) -> dict[str, Tensor]:
        """The tensors of a file that config.json lists."""
        if not isinstance(name, str) or not PLAIN.fullmatch(name) or name not in checksums:
            raise files.DamagedFileError(
                f"a file of a saved pipeline must be a plain name.safetensors with its sha256, got {name!r}"
            )
        tensors, _ = files.read_tensors(self.file(name, checksums[name]))
        return tensors

    def pinned(self) -> Place:
        """The same at the one commit that its config.json was found at, so that all files belong together."""
        if self.folder is not None:
            return self
        return Place(repo=self.repo, revision=self.file(CONFIG).parent.name)

    def origin(self) -> dict[str, str]:
        """For the records of runs; a folder may be moved and is no origin."""
        return {} if self.folder is not None else {"repository": self.repo, "revision": self.revision or ""}


def _place(source: str | Path, revision: str | None) -> Place:
    if Path(source).is_dir():
        if revision is not None:
            raise ValueError(f"revision belongs to a repository on huggingface.co, but {source} is a folder")
        return Place(folder=Path(source))
    if isinstance(source, str) and REPOSITORY.fullmatch(source):
        return Place(repo=source, revision=revision)
    raise FileNotFoundError(
        f'a saved pipeline must be a folder, or "user/name" on huggingface.co, but {str(source)!r} is neither; '
        "bundled ones are had by ppgn.load"
    )


def _config(place: Place) -> dict[str, Any]:
    """config.json, with all that is needed in it."""
    path = place.file(CONFIG)
    config = files.read_json(path)
    if config.get("schema") != SCHEMA:
        raise ValueError(
            f"{path} must have schema {SCHEMA}, got {config.get('schema')!r}; it was written by ppgn "
            f"{config.get('ppgn', 'of unknown version')}, this is {version('ppgn')}"
        )
    objects = ("generator", "prior", "condition", "origin", "networks", "sha256")
    needed = (*objects, "classifier", "start", "sampler", "latent_shape", "batch_size")
    missing = [name for name in needed if name not in config or (name in objects and type(config[name]) is not dict)]
    if missing:
        raise files.DamagedFileError(f"{path} must describe a whole pipeline, but lacks {', '.join(missing)}")
    return config
