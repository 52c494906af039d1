"""Where downloads are kept, and whether anything may be downloaded.

PPGN_HOME                      the cache folder, ~/.cache/ppgn if not set
PPGN_OFFLINE, HF_HUB_OFFLINE   1: nothing is asked of the network, the cache alone is served

The environment is read when a function is called, and nothing happens at import.
"""

from __future__ import annotations

import os
from pathlib import Path

OFFLINE = ("PPGN_OFFLINE", "HF_HUB_OFFLINE")
TRUE = ("1", "true", "yes", "on")
DATA = "data"  # of the cache folder: image sets, which are no networks


def home() -> Path:
    """The cache folder: $PPGN_HOME, or ~/.cache/ppgn; it need not be there yet."""
    return Path(os.environ.get("PPGN_HOME") or Path.home() / ".cache" / "ppgn").expanduser()


def offline() -> bool:
    """Whether PPGN_OFFLINE or HF_HUB_OFFLINE is set to 1 (or true, yes, on)."""
    return bool(switched())


def switched() -> list[str]:
    """Names of the variables that ask for it."""
    return [name for name in OFFLINE if os.environ.get(name, "").lower() in TRUE]
