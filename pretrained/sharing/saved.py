"""Where a saved pipeline lies, and whether what lies there is one: checked before anything is read or replaced."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import huggingface_hub
from torch import Tensor

from ppgn import files
from ppgn.pretrained import hub

SCHEMA = 1
CONFIG, TENSORS, README = "config.json", "tensors.safetensors", "README.md"
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
PLAIN = re.compile(r"[A-Za-z0-9][\w.-]*\.safetensors")
INSTEAD = "give from_pretrained a folder, a copy of the repository"


@dataclass(frozen=True)
class Place:
    """Where a saved pipeline lies: a folder, or a repository of which `folder` is then a snapshot in the cache."""

    folder: Path | None = None
    repo: str = ""
    revision: str | None = None

    def file(self, name: str, checksum: str | None = None) -> Path:
        """The file of that name, checked."""
        if self.folder is None:
            return hub.fetch(self.repo, name, self.revision, checksum, INSTEAD)
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


def place_of(source: str | Path, revision: str | None) -> Place:
    """The folder or repository of that name. Raises FileNotFoundError or, for a folder with a revision, ValueError."""
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


def config_of(place: Place) -> dict[str, Any]:
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
    odd = [name for name, entry in config["networks"].items() if type(entry) is not dict]
    odd += [name for name, checksum in config["sha256"].items() if type(checksum) is not str]
    if odd:
        raise files.DamagedFileError(
            f"{path} must describe each network and have a sha256 for each file, not so {', '.join(odd)}"
        )
    return config


def require_earlier(folder: Path) -> None:
    """Raise FileExistsError for a folder that holds anything that no `save` has written there."""
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if names:
        other = [name for name in names if name not in {CONFIG, README, *_weights_of(folder / CONFIG)}]
        if other or CONFIG not in names:
            told = ", ".join(other[:5]) + (" ..." if len(other) > 5 else "")
            raise FileExistsError(
                f"only an earlier pipeline, with a {CONFIG} that lists its files, is overwritten: {folder} holds "
                f"{told or 'none'}"
            )


def earlier_on_hub(api: huggingface_hub.HfApi, repo: str, found: huggingface_hub.ModelInfo) -> list[str]:
    """The weights of the pipeline that is there; FileExistsError if the repository holds something else."""
    names = {one.rfilename for one in found.siblings or ()}
    if names <= {README, ".gitattributes"}:  # as huggingface.co makes them
        return []
    listed: list[str] = []
    if CONFIG in names:
        with tempfile.TemporaryDirectory() as temporary:
            path = api.hf_hub_download(repo, CONFIG, revision=found.sha, local_dir=temporary)
            listed = _weights_of(Path(path))
    if not listed:
        raise FileExistsError(
            f"{repo} must be new or hold an earlier pipeline of ppgn, but it holds {', '.join(sorted(names)[:5])}; "
            "nothing was uploaded"
        )
    return listed


def _weights_of(path: Path) -> list[str]:
    """The files that the config.json of a pipeline lists; none for any other file of that name."""
    try:
        config = files.read_json(path)
    except (files.DamagedFileError, OSError):
        return []
    listed = config.get("sha256")
    if config.get("schema") != SCHEMA or "ppgn" not in config or not isinstance(listed, dict):
        return []
    return [name for name in listed if PLAIN.fullmatch(name)]
