"""Where official weights come from: other tools' caches, ours, or nowhere, which is told."""

from __future__ import annotations

from pathlib import Path
from urllib.error import URLError

import huggingface_hub
import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file

from ppgn.pretrained import classifier, zoo

X = torch.rand(1, 3, 40, 50, generator=torch.Generator().manual_seed(0))
SQUEEZENET = "squeezenet1_1-b8a52dc0.pth"


@pytest.fixture
def caches(tmp_path, monkeypatch) -> Path:
    """Empty ones, and no network."""
    monkeypatch.setenv("PPGN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("PPGN_OFFLINE", "1")
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: None)
    return tmp_path


def test_what_is_not_cached_is_told_with_what_is(caches):
    (caches / "home" / "torchvision").mkdir(parents=True)
    (caches / "home" / "torchvision" / "resnet18-f37072fd.pth").write_bytes(b"")
    for name, told in (
        ("torchvision/squeezenet1_1", rf"torchvision/squeezenet1_1\.IMAGENET1K_V1 \({SQUEEZENET}, not in \S+ either\)"),
        ("timm/resnet18.a1_in1k", r"timm/resnet18\.a1_in1k"),
        ("timm/legacy_seresnet18.in1k", r"timm/legacy_seresnet18\.in1k \(http\S+\.pth\)"),
    ):
        with pytest.raises(
            OSError, match=rf"^{told}\S* could not be fetched: .*offline.*home: torchvision.*weights=PATH"
        ):
            classifier(name)


def test_no_network_is_told(caches, monkeypatch):
    def broken(*_, **__):
        raise URLError("Name or service not known")

    monkeypatch.delenv("PPGN_OFFLINE")
    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", broken)
    with pytest.raises(OSError, match=r"could not be fetched: URLError: .*Name or service .*nothing.*weights=PATH"):
        classifier("torchvision/squeezenet1_1")
    monkeypatch.setattr(timm.models._builder, "load_state_dict_from_url", broken)
    with pytest.raises(OSError, match=r"^timm/legacy_seresnet18\.in1k could not be fetched: URLError"):
        classifier("timm/legacy_seresnet18.in1k")


@pytest.mark.parametrize("folder", ["home/torchvision", "torch/hub/checkpoints"])
def test_torchvisions_weights_from_a_cache(caches, folder):
    trained = classifier("torchvision/squeezenet1_1", weights=None, seed=5)
    (caches / folder).mkdir(parents=True)
    torch.save(trained.network.state_dict(), caches / folder / SQUEEZENET)
    made = classifier("torchvision/squeezenet1_1")
    assert torch.equal(made(X), trained(X))
    assert not made.training


@pytest.mark.parametrize("theirs", [True, False])
def test_timms_weights_from_a_cache(caches, monkeypatch, theirs):
    trained = classifier("timm/test_vit.r160_in1k", weights=None, seed=5)
    path = caches / "model.safetensors"
    save_file(trained.network.state_dict(), path)
    asked = []

    def found(repo, file, revision=None):
        asked.append((repo, file))
        return str(path)

    if theirs:
        monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", found)
    else:
        monkeypatch.setattr(zoo.hub, "fetch", found)
    assert torch.equal(classifier("timm/test_vit.r160_in1k")(X), trained(X))
    assert asked == [("timm/test_vit.r160_in1k", "model.safetensors")]


def test_a_repository_without_safetensors_has_the_other_file(caches, monkeypatch):
    trained = classifier("timm/test_vit.r160_in1k", weights=None, seed=5)
    path = caches / "pytorch_model.bin"
    torch.save(trained.network.state_dict(), path)

    def fetch(repo, file, revision=None):
        if file != path.name:
            raise FileNotFoundError(file)
        return path

    monkeypatch.setattr(zoo.hub, "fetch", fetch)
    assert torch.equal(classifier("timm/test_vit.r160_in1k")(X), trained(X))
