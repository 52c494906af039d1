"""Classifiers of torchvision and timm by name: what the libraries say of them, weights of one's own, and each error."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from ppgn.conditions import class_label
from ppgn.pretrained import classifier

untouched = pytest.mark.usefixtures("global_randomness_untouched")
X = torch.rand(2, 3, 20, 24, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("resnet18", {}, "source must be torchvision/NAME, timm/NAME or a module, got 'resnet18'"),
        ("torchvision/resnet19", {}, r"torchvision must know .* none called 'resnet19' .*; the closest are resnet18, "),
        ("timm/resnet19", {}, r"timm must know .* none called 'resnet19' among its \d+; the closest are resnet18"),
        ("timm/zzz", {}, r"timm must know .* none called 'zzz' among its \d+$"),
        ("torchvision/resnet50.V9", {}, "must be one of IMAGENET1K_V1, IMAGENET1K_V2, got 'V9'"),
        ("timm/resnet18.a9_in1k", {}, r"timm/resnet18 has the weights resnet18\.a1_in1k, .*, got 'resnet18\.a9_in1k'"),
        ("timm/mixer_s32_224", {}, "timm has no weights for mixer_s32_224: give a file, weights=PATH, or weights=None"),
        ("torchvision/resnet18", {"classes": 10}, "have 1000 classes, got classes=10; give your own, weights=PATH, or"),
        ("torchvision/resnet18", {"classes": 0}, "classes must be at least 1, got 0"),
        ("timm/test_vit", {"channels": 1}, "channels is for a module; timm/test_vit knows its own, got 1"),
        ("timm/vit_small_patch14_dinov2", {"weights": None}, "is no classifier: its weights end in features; give"),
    ],
)
def test_bad_names(source, options, message):
    with pytest.raises(ValueError, match=message):
        classifier(source, **options)


def test_bad_sources():
    with pytest.raises(TypeError, match="source must be torchvision/NAME, timm/NAME or a module, got int"):
        classifier(3)
    with pytest.raises(FileNotFoundError, match=r"there is no file nowhere\.safetensors"):
        classifier("torchvision/squeezenet1_1", weights="nowhere.safetensors")


@untouched
def test_random_weights_are_of_their_seed():
    first, again, other = (classifier("timm/test_vit", weights=None, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first(X), again(X))
    assert not torch.equal(first(X), other(X))


@pytest.mark.parametrize("name", ["torchvision/squeezenet1_1", "timm/test_vit.r160_in1k"])
def test_what_a_library_says_of_its_network(name):
    made = classifier(name, weights=None)
    assert (made.classes, len(made.class_names), made.class_names[980]) == (1000, 1000, "volcano")
    assert class_label(made, "volcano").label == 980
    assert not made.training and not any(p.requires_grad for p in made.parameters())
    side, share = (160, 0.95) if "timm" in name else (224, 224 / 256)
    mean = (0.5,) * 3 if "timm" in name else (0.485, 0.456, 0.406)
    record = made.preprocessing
    assert (record.crop, record.resize) == ((side, side), (int(side / share),) * 2)
    assert (record.mean, record.channels) == (mean, 3)
    whole = classifier(name, weights=None, fit="whole", mean=[0.1] * 3).preprocessing
    assert (whole.resize, whole.mode, whole.mean) == ((side, side), "squash", (0.1,) * 3)


def test_names_of_other_sets_of_imagenet():
    from ppgn.pretrained.zoo import timm_names

    for count in (11821, 21841, 21843):
        assert len(timm_names({"num_classes": count})) == count
    assert timm_names({"num_classes": 10}) == ()
    own = {"num_classes": 2, "label_names": ["n1", "n2"], "label_descriptions": {"n1": "tench"}}
    assert timm_names(own) == ("tench", "n2")


@untouched
@pytest.mark.parametrize("name", ["torchvision/squeezenet1_1", "timm/test_vit"])
def test_ones_own_weights_may_have_other_classes(name, tmp_path):
    trained = classifier(name, weights=None, class_names=["cat", "dog"], seed=3)
    assert trained.classes == 2
    save_file(trained.network.state_dict(), tmp_path / "w.safetensors")
    made = classifier(name, weights=tmp_path / "w.safetensors", class_names=["cat", "dog"])
    assert torch.equal(made(X), trained(X))
    assert class_label(made, "dog").label == 1
    assert classifier(name, weights=tmp_path / "w.safetensors", classes=2).class_names == ()
    with pytest.raises(ValueError, match=r"w\.safetensors must hold the .* of another shape: .* \(2,"):
        classifier(name, weights=tmp_path / "w.safetensors")


def test_heads_of_training_may_be_in_the_file_or_not(tmp_path):
    import torchvision

    with torch.random.fork_rng():
        official = torchvision.models.googlenet(weights=None, aux_logits=True, init_weights=False).eval()
    official.transform_input = True  # as torchvision sets it with its own weights
    state = official.state_dict()
    assert any(key.startswith("aux1.") for key in state)
    for kept in (state, {key: value for key, value in state.items() if not key.startswith("aux")}):
        torch.save(kept, tmp_path / "w.pth")
        made = classifier("torchvision/googlenet", weights=tmp_path / "w.pth")
        x = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
        assert torch.allclose(made.network(x), official(x), atol=1e-6)
