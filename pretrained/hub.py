"""Files from huggingface.co: one cache folder, sha256 checked, offline mode, and one message when nothing is reached.

PPGN_HOME                      the cache folder, ~/.cache/ppgn if not set
PPGN_OFFLINE, HF_HUB_OFFLINE   1: nothing is asked of the network, the cache alone is served

The environment is read when a function is called, and nothing happens at import.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import huggingface_hub
from huggingface_hub import errors

from ppgn import files
from ppgn.cache import DATA, OFFLINE, home, offline, switched

__all__ = ["OFFLINE", "Cached", "cached", "fetch", "home", "offline", "unreachable"]

WEIGHTS = "give the weights as a file, weights=PATH"


@dataclass(frozen=True)
class Cached:
    """A file in the cache.

    source   where it came from, as "user/name at COMMIT", or the folder of the cache that holds it
    file     its name there
    size     bytes
    path     where it lies
    """

    source: str
    file: str
    size: int
    path: Path


def fetch(repo: str, file: str, revision: str | None = None, sha256: str | None = None, instead: str = WEIGHTS) -> Path:
    """A file of the repository "user/name" on huggingface.co, downloaded once and then served from the cache.

    revision   a commit, tag or branch; None: the newest that can be reached, or the newest in the cache
    sha256     what the file must have, hexadecimal
    instead    what to do where it cannot be fetched, for the error

    Raises DamagedFileError for another sha256, FileNotFoundError for a repository, revision or file that is not there,
    and OSError, as `unreachable` words it, where neither network nor cache has it.
    """
    what = f"{repo}/{file}" + ("" if revision is None else f" at {revision}")
    try:
        found = huggingface_hub.hf_hub_download(
            repo, file, revision=revision, cache_dir=home() / "hub", local_files_only=offline()
        )
    except errors.LocalEntryNotFoundError as error:  # also an EntryNotFoundError, so it has to come first
        raise unreachable(what, error, instead) from error
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.EntryNotFoundError) as error:
        raise FileNotFoundError(
            f"{what} must be on huggingface.co and open to you, but there is none ({type(error).__name__}); a private "
            "one needs `hf auth login` or HF_TOKEN"
        ) from error
    except errors.HFValidationError:  # no name of a repository
        raise
    except Exception as error:  # whatever its HTTP library raises, which differs by version
        raise unreachable(what, error, instead) from error
    path = Path(found)
    if sha256 is not None and (came := files.sha256(path)) != sha256:
        raise files.DamagedFileError(
            f"{what} must have sha256 {sha256}, got {came}: it was altered, cut or replaced; "
            f"delete {path.resolve()} to fetch it again"
        )
    return path


def unreachable(what: str, error: Exception, instead: str = WEIGHTS) -> OSError:
    """The error to raise where `what` could not be fetched: why not, what is cached and where, and how to go on."""
    return OSError(
        f"{what} could not be fetched: {_reason(error)}. Cached in {home()}: {_told(cached())}. To go on, connect once "
        f"(what is fetched stays there), or point PPGN_HOME to a copy of another machine's cache, or {instead}"
    )


def cached() -> list[Cached]:
    """What is in the cache but image sets, by source and file; a repository is "user/name at 0a1b2c3d", its commit."""
    found = []
    for path in home().rglob("*") if home().is_dir() else ():
        source, file = _origin(path.relative_to(home()))
        if file and path.is_file():
            found.append(Cached(source, file, path.stat().st_size, path))
    return sorted(found, key=lambda one: (one.source, one.file, str(one.path)))


def _origin(path: Path) -> tuple[str, str]:
    """(source, file) of a path below the cache folder; no file for image sets and what huggingface_hub keeps."""
    parts = path.parts
    if parts[0] == DATA or any(part.startswith(".") for part in parts):  # unfinished and locks
        return "", ""
    if parts[0] != "hub":
        return str(path.parent) if len(parts) > 1 else "", path.name
    if len(parts) < 5 or parts[2] != "snapshots":  # hub/models--user--name/snapshots/COMMIT/FILE
        return "", ""
    source = parts[1].removeprefix("models--").replace("--", "/")
    return f"{source} at {parts[3][:8]}", "/".join(parts[4:])


def _told(cache: list[Cached]) -> str:
    sources = list(dict.fromkeys(one.source or one.file for one in cache))
    shown = ", ".join(sources[:8]) + (f" and {len(sources) - 8} more" if len(sources) > 8 else "")
    return shown or "nothing"


def _reason(error: Exception) -> str:
    """In a line; huggingface_hub's own advice on what it could not look up is left out for the cause."""
    if offline():
        return f"offline mode is set ({', '.join(switched())})"
    cause = error.__cause__ if isinstance(error, errors.LocalEntryNotFoundError) and error.__cause__ else error
    lines = str(cause).strip().splitlines()
    return f"{type(cause).__name__}: {lines[0].rstrip('.')}" if lines else type(cause).__name__
