"""Pictures to look at, with captions, into a folder.

    python benchmarks/gallery.py                         # all, about 40 minutes on one core
    python benchmarks/gallery.py --only clothes faces
    python benchmarks/gallery.py --only photographs-walk --kind jpg --out benchmarks     # the README's

Every module gallery_*.py beside this one has a table PICTURES, name -> `pictures.Picture` (function, caption). What a
picture needs and is not there, a file or a bundle, is told by a FileNotFoundError; it is left out then.
"""

from __future__ import annotations

import argparse
import importlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pictures import Picture, captioned

HERE = Path(__file__).resolve().parent


def pictures(folder: Path = HERE) -> dict[str, Picture]:
    """The tables of all modules. Raises ValueError for a name that two of them have."""
    found: dict[str, Picture] = {}
    for path in sorted(folder.glob("gallery_*.py")):
        table = importlib.import_module(path.stem).PICTURES
        if found.keys() & table.keys():
            raise ValueError(
                f"names of pictures must differ, {path.name} repeats {sorted(found.keys() & table.keys())}"
            )
        found |= table
    return found


def write(chosen: Mapping[str, Picture], out: Path, kind: str = "png") -> list[str]:
    """Draw them into out/NAME.kind; the names of those that could be."""
    out.mkdir(parents=True, exist_ok=True)
    made = []
    for name, (draw, caption) in chosen.items():
        began = time.perf_counter()
        try:
            image, told = draw()
        except FileNotFoundError as missing:
            print(f"{name}: left out, {missing}", flush=True)
            continue
        captioned(image, f"{caption} {told}").save(out / f"{name}.{kind}", optimize=True)
        print(f"{name}: {time.perf_counter() - began:.0f} s. {told}", flush=True)
        made.append(name)
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    known = pictures()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=list(known), help=f"of {', '.join(known)}")
    parser.add_argument("--kind", choices=["png", "jpg"], default="png", help="of the files; jpg for photographs")
    parser.add_argument("--out", type=Path, default=HERE.parent / "gallery")
    chosen = parser.parse_args(arguments)
    write({name: known[name] for name in chosen.only or known}, chosen.out, chosen.kind)


if __name__ == "__main__":
    main()
