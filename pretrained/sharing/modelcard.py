"""The README of a saved pipeline: what it is, under which licence, and how to load it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SHOWN = 60  # characters of a part's description


def text(config: Mapping[str, Any], source: str) -> str:
    """The README of the pipeline that config.json describes; `source` is what it is loaded from."""
    licence = config["licence"]
    front = ["---", "library_name: ppgn", *([f"license: {licence}"] if licence else []), "tags:", "- ppgn", "---"]
    return "\n".join([
        *front, "", f"# {source.rpartition('/')[2]}", "",
        *([config["description"], ""] if config["description"] else []),
        "A pipeline of `ppgn`, plug-and-play samplers for PyTorch: a generator x = G(h), a prior on its codes and a",
        "condition make p(h | y) ∝ p(h) · p(y | G(h)), and a sampler walks on it.", "",
        *_loading(config, source), "",
        *_parts(config), "",
        *_files(config), "",
        f"Licence: {licence or 'not stated'}. Made with ppgn {config['ppgn']}. Every file is checked against the",
        "sha256 in config.json when it is loaded, and nothing in this folder is run.", "",
    ])  # fmt: skip


def _loading(config: Mapping[str, Any], source: str) -> list[str]:
    foreign = {name: entry["class"] for name, entry in config["networks"].items() if "class" in entry}
    pairs = ", ".join(f'"{name}": {name.replace(".", "_")}' for name in foreign)
    modules = f", modules={{{pairs}}}" if foreign else ""
    own = [f"    # {name.replace('.', '_')}: your {of}, with any weights" for name, of in foreign.items()]
    asked, then = "pipeline", []
    if config["condition"] == {"is": "unconditional"} and config["classifier"] is not None:
        then = ["asked = pipeline.given(ppgn.conditions.class_label(pipeline.classifier, 0))"]
        asked = "asked"
    sampler = "" if config["sampler"] else ', sampler="auto"'
    return [
        "```python",
        "import ppgn",
        "",
        *own,
        f'pipeline = ppgn.pretrained.from_pretrained("{source}"{modules})',
        *then,
        f"samples = ppgn.sample({asked}, n=16, steps=200, seed=0{sampler})",
        "```",
    ]


def _parts(config: Mapping[str, Any]) -> list[str]:
    shape = config["latent_shape"]
    rows = {name: config[name] for name in ("generator", "prior", "condition", "classifier", "start", "sampler")}
    networks = {name: holds(entry) for name, entry in config["networks"].items()}
    return [
        "| part | |",
        "| --- | --- |",
        *(
            f"| {name} | `{networks.get(call(described), call(described))}` |"
            for name, described in rows.items()
            if described is not None
        ),
        *([] if shape is None else [f"| one code | shape {tuple(shape)} |"]),
    ]


def _files(config: Mapping[str, Any]) -> list[str]:
    networks = {entry["file"]: entry for entry in config["networks"].values()}
    return [
        "| file | holds | sha256 |",
        "| --- | --- | --- |",
        *(
            f"| {name} | {holds(networks[name]) if name in networks else 'tensors'} | `{checksum}` |"
            for name, checksum in config["sha256"].items()
        ),
    ]


def call(described: Any) -> str:
    """A described part as the call that makes it, as `dae(denoiser=prior.denoiser, sigma=0.3)`."""
    if isinstance(described, list):
        text = f"[{', '.join(call(one) for one in described)}]"
        return text if len(text) <= SHOWN else f"{text[:SHOWN]} ...]"
    if not isinstance(described, Mapping):
        return str(described)
    if "is" not in described:  # a reference: {"network": name}
        return ", ".join(call(name) for name in described.values())
    inside = ", ".join(f"{name}={call(value)}" for name, value in described.items() if name != "is")
    return f"{described['is']}({inside})"


def holds(entry: Mapping[str, Any]) -> str:
    """What a network's entry is, in a word."""
    return str(entry.get("architecture") or entry.get("source") or entry.get("class"))
