"""What a run says about itself: its parts, their weights and settings, and the versions it ran with."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from itertools import chain
from types import CodeType, FunctionType
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from ppgn import files, models

LARGEST = 1000  # numbers of a tensor that a record spells out


@runtime_checkable
class WithSettings(Protocol):
    """A network with settings beside its weights, as an image classifier's preprocessing."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Numbers and words by name."""
        ...


def versions() -> dict[str, str]:
    """Of ppgn, Python and what the numbers depend on."""
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in ("ppgn", "torch", "numpy")},
    }


def device_name(device: torch.device | str) -> str:
    """What numbers were computed on: "cpu, 1 thread", or the accelerator's own name.

    >>> device_name("cpu").partition(",")[0]
    'cpu'
    """
    found = torch.device(device)
    if found.type == "cuda":
        return torch.cuda.get_device_name(found)
    threads = torch.get_num_threads()
    return f"cpu, {threads} thread{'s' * (threads > 1)}" if found.type == "cpu" else found.type


def describe(value: Any) -> Any:
    """`value` as JSON: records by name and fields (no caches), networks by class and settings, tensors by numbers.

    Networks inside a network are told by theirs under "inside". Tensors of more than 1,000 numbers are told by shape,
    type and sha256; numbers that JSON has not, "inf" and "nan", as text.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return str(float(value))
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Tensor):
        return describe(value.tolist()) if value.numel() <= LARGEST else _fingerprint(value)
    if isinstance(value, Mapping):
        return {str(key): describe(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [describe(v) for v in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            "is": type(value).__name__,
            **{f.name: describe(getattr(value, f.name)) for f in dataclasses.fields(value) if f.compare},
        }
    if isinstance(value, FunctionType):  # another function of the same name is told by its code
        return {"is": value.__qualname__, "code": hashlib.sha256(_code(value.__code__).encode()).hexdigest()[:16]}
    if isinstance(value, nn.Module):
        described = {name: {"is": type(one).__name__, **_settings(one)} for name, one in value.named_modules()}
        inside = {name: one for name, one in described.items() if name and len(one) > 1}
        return described[""] | ({"inside": inside} if inside else {})
    return {"is": type(value).__name__}


def _settings(network: nn.Module) -> dict[str, Any]:
    """What a network is beside its weights, if it says so: its settings, or the config of one of our models."""
    own: Any = network.settings if isinstance(network, WithSettings) else None
    if own is None and isinstance(network, tuple(models.ARCHITECTURES.values())):
        own = network.config
    return describe(own) if isinstance(own, Mapping) else {}


def _fingerprint(tensor: Tensor) -> dict[str, Any]:
    plain = tensor.detach().cpu().contiguous()
    digest = hashlib.sha256(plain.view(-1).view(torch.uint8).numpy().tobytes()).hexdigest()
    return {"shape": list(plain.shape), "dtype": str(plain.dtype).removeprefix("torch."), "sha256": digest}


def _code(code: CodeType) -> str:
    """What a function does, without the addresses that the functions inside it would show."""
    constants = [_code(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return repr((code.co_code, constants, code.co_names))


def differences(saved: Mapping[str, Any], now: Mapping[str, Any], name: str = "") -> list[str]:
    """`dotted.name: saved X, now Y` for every entry that differs, long values cut short."""
    found: list[str] = []
    for key in sorted({*saved, *now}):
        a, b, dotted = saved.get(key), now.get(key), f"{name}.{key}".lstrip(".")
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += differences(a, b, dotted)
        elif a != b:
            found.append(f"{dotted}: saved {_short(a)}, now {_short(b)}")
    return found


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:56]} ..."


def networks(part: Any, name: str = "") -> Iterator[tuple[str, nn.Module]]:
    """(dotted name, network) of every network inside a record of ours, as `prior.encoder` of a pipeline."""
    if isinstance(part, nn.Module):
        yield name, part
    elif dataclasses.is_dataclass(part) and not isinstance(part, type):
        for field in dataclasses.fields(part):
            yield from networks(getattr(part, field.name), f"{name}.{field.name}".lstrip("."))
    elif isinstance(part, tuple | list):
        for i, one in enumerate(part):
            yield from networks(one, f"{name}.{i}")


def weights(part: Any) -> dict[str, str]:
    """The sha256 of the weights of every network inside a record of ours, by its dotted name."""
    return {name: files.fingerprint(network) for name, network in networks(part)}


def of_device(part: Any, otherwise: Tensor | None = None) -> tuple[torch.device, torch.dtype]:
    """Where a network's weights are and of which type; for what has none, as `otherwise`, or the CPU and float32."""
    tensors = chain(part.parameters(), part.buffers()) if isinstance(part, nn.Module) else ()
    own: Tensor | None = next((tensor for tensor in tensors if tensor.is_floating_point()), None)
    found = otherwise if own is None else own
    return (torch.device("cpu"), torch.float32) if found is None else (found.device, found.dtype)
