"""What `ppgn sample` can be asked for: each wish makes the condition that it says, on real runs of a few steps."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from PIL import Image

import ppgn
from ppgn import images, models
from ppgn.cli.asking import Wishes, asked, mask, started

FAST = ["--variant", "joint", "--n", 2, "--steps", 3, "--device", "cpu"]


@pytest.fixture(scope="module")
def joint():
    return ppgn.load("mnist", "joint")


@pytest.fixture(scope="module")
def picture(tmp_path_factory, joint):
    """A digit as a file."""
    path = tmp_path_factory.mktemp("pictures") / "digit.png"
    code = joint.start.sample(1, ppgn.random.streams(3, 1))
    Image.fromarray(images.to_uint8(joint.generator(code))[0, 0].numpy()).save(path)
    return path


@pytest.fixture
def sample(call, tmp_path):
    """Run the command: (what its record says of the condition, its samples, what it said)."""

    def run(*arguments, fast=FAST):
        status, out, err = call("sample", "--out", tmp_path / "out", *fast, *arguments)
        assert status == 0, err
        record = json.loads((tmp_path / "out" / "run.json").read_text())
        return record["condition"], ppgn.Samples.load(tmp_path / "out"), out + err

    return run


def test_a_unit(sample):
    condition, samples, _ = sample("--unit", "lower.3:5:2,3")
    assert (condition["is"], condition["layer"], condition["channel"]) == ("Unit", "lower.3", 5)
    assert condition["position"] == [2, 3]
    assert samples.labels is None


def test_a_picture_with_a_hole(sample, picture, tmp_path, joint):
    condition, samples, said = sample("--inpaint", picture, "--mask", "square:10:random", "--label", 3)
    assert condition["is"] == "Inpaint"
    assert condition["inside"]["is"] == "ClassLabel"
    assert samples.labels.tolist() == [3, 3]
    hole = mask("square:10:random", (1, 28, 28), 2)
    known = images.read(picture, (1, 28, 28)).expand(2, -1, -1, -1)
    assert torch.equal(samples.filled, torch.where(hole[:, None], samples.images, known))
    assert "filled in" in said
    assert (tmp_path / "out" / "filled.png").exists()


def test_an_annealed_walk_limits_the_pull_of_known_pixels(sample, picture):
    condition, samples, _ = sample("--inpaint", picture, fast=["--n", 1, "--steps", 2, "--device", "cpu"])
    assert condition["noise"] == 0.3
    assert samples.record["sampler"]["limit"] == 1.0
    _, samples, _ = sample("--inpaint", picture, "--limit", 0.5, fast=["--n", 1, "--steps", 2, "--overwrite"])
    assert samples.record["sampler"]["limit"] == 0.5


def test_classes_in_turn_and_several_networks(sample, tmp_path):
    models.save(ppgn.pretrained.network("mnist", "judge"), tmp_path / "judge.safetensors")
    both = ["--classifier", tmp_path / "judge.safetensors"] * 2
    condition, samples, _ = sample("--label", 3, "--label", 8, "--in-turn", 2, *both)
    assert (condition["is"], condition["every"], len(condition["conditions"])) == ("InTurn", 2, 2)
    assert [part["label"] for part in condition["conditions"][0]["conditions"]] == [3, 3]
    assert len(samples.images) == 2


def test_labels_together_and_avoided(sample):
    condition, samples, _ = sample("--label", 3, "--label", 8, "--together", "any")
    assert (condition["is"], condition["labels"], condition["weights"]) == ("Mixture", [3, 8], [1.0, 1.0])
    assert len(samples.images) == 2
    condition, _, _ = sample("--label", 3, "--label", 8, "--together", "blend", "--avoid", 0, "--overwrite")
    soft, opposite = condition["conditions"]
    assert (soft["is"], soft["shares"]) == ("SoftLabel", [0.5, 0.5])
    assert (opposite["is"], opposite["condition"]["label"]) == ("Complement", 0)


def test_likeness_and_regions_add_up(sample, picture):
    condition, samples, _ = sample("--label", 1, "--similar", picture, "--noise", 2, "--region", "half:top")
    assert condition["is"] == "Region"
    assert torch.tensor(condition["mask"])[:, 0].tolist() == [True] * 14 + [False] * 14
    assert [part["is"] for part in condition["condition"]["conditions"]] == ["ClassLabel", "Regression"]
    assert samples.labels.tolist() == [1, 1]


def test_the_start_is_the_pictures_code(sample, picture, joint):
    _, samples, _ = sample("--label", 2, "--start", picture, fast=[*FAST[:-4], "--steps", 0, "--device", "cpu"])
    code = joint.encode(images.read(picture, (1, 28, 28)))
    assert torch.equal(samples.codes, code.expand(2, -1))


def test_an_annealed_walk_begins_in_its_noise(picture):
    pipeline = ppgn.load("mnist", settings={"sigma_max": 3.0})
    start = started(pipeline, Wishes(start=picture), 500, seed=0)
    spread = (start - pipeline.encode(images.read(picture, (1, 28, 28)))).std()
    assert float(spread) == pytest.approx(3.0, rel=4 / (2 * 500 * 128) ** 0.5)


def test_what_is_good_is_kept(sample, tmp_path):
    _, samples, said = sample("--label", 3, "--thin", 1, "--restart", 2, "--keep-above", "1e-9")
    assert samples.record["sampler"]["name"] == "restarting"
    kept = ppgn.kept(ppgn.load("mnist", "joint"), samples, above=-20.7)
    assert f"{len(kept.images)} of 6 codes have a probability above 1e-09" in said
    assert (tmp_path / "out" / "kept.png").exists()


@pytest.mark.parametrize("name", ppgn.recipes.names())
def test_recipes_say_and_do_what_the_authors_did(name, sample, picture, tmp_path):
    recipe = ppgn.recipes.recipe(name)
    wish = {
        "label": ["--label", 3, "--label", 5], "unit": ["--unit", "lower.3:5"],
        "caption": ["--caption", "a thin narrow one leaning right"], "inpaint": ["--inpaint", picture],
    }[recipe.asks]  # fmt: skip
    wish += ["--start", picture] if recipe.start == "image" and recipe.asks != "inpaint" else []
    condition, samples, said = sample("--recipe", name, *wish, fast=["--n", 1, "--steps", 2, "--device", "cpu"])
    assert recipe.told() in said
    walk = samples.record["sampler"]
    walk = walk["sampler"] if recipe.restart else walk
    assert (walk["mode"], walk["eps_prior"], walk["eps_noise"]) == ("released", recipe.eps_prior, recipe.eps_noise)
    assert walk["bounds"] == [0.0, 30.0]
    assert samples.record["origin"]["variant"] == "noiseless"
    assert condition["is"] == {"released/classes-in-turn": "InTurn"}.get(
        name, {"label": "ClassLabel", "unit": "Unit", "caption": "Caption", "inpaint": "Inpaint"}[recipe.asks]
    )
    assert (tmp_path / "out" / "seen.png").exists() == (recipe.asks == "unit")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--unit", "upper.9:1"], "layer must be one of ConvClassifier's (the closest are "),
        (["--unit", "upper.1"], "unit must be LAYER:CHANNEL or LAYER:CHANNEL:center|mean|ROW,COLUMN, got 'upper.1'"),
        (["--unit", "upper.1:999"], "channel must lie in 0.."),
        (["--label", 1, "--caption", "a seven"], "chains are asked for labels or for captions, got both"),
        (["--in-turn", 5, "--unit", "lower.3:1"], "--in-turn is about several labels; give --label for each"),
        (["--label", 1, "--together", "all"], "--together must be any or blend, without --in-turn, got 'all'"),
        (["--text", "a cat"], "--text needs a network that knows images and texts; give --image-text"),
        (["--region", "half:top", "--label", "none"], "--region says where something is to be shown"),
        (["--inpaint", "nowhere.png"], "there is no file nowhere.png"),
        (["--inpaint", "PICTURE", "--mask", "square:99"], "mask 'square:99': hole must fit into the image of 28x28"),
        (["--inpaint", "PICTURE", "--mask", "hole.png"], "there is no file hole.png"),
        (["--start", "PICTURE", "--model", "mnist-gan"], "encode needs a pipeline with an encoder"),
        (["--recipe", "released/clas"], "recipe must be one of released/class,"),
        (["--recipe", "released/class"], "released/class needs --label"),
        (["--recipe", "released/from-image", "--label", 1], "released/from-image begins at a picture; give --start"),
        (["--recipe", "released/class", "--label", 1, "--eps-prior", 1], "--recipe walks with numbers of its own"),
        (["--label", 1, "--keep-above", 0.5], "--keep-above is a probability between 0 and 1, of the codes of --thin"),
        (["--unit", "lower.3:1", "--thin", 1, "--keep-above", 0.5], "--keep-above is a probability, which a unit's"),
        (["--label", 1, "--crop"], "--crop shows what a --unit sees; give one"),
        (["--caption", "a seven", "--model", "mnist-gan"], "captions need a captioner, and mnist-gan has none"),
        (["--unit", "0:1", "--classifier", "torchvision/resnet81"], "torchvision"),
    ],
)  # fmt: skip
def test_wishes_that_cannot_be(call, tmp_path, picture, arguments, message):
    given = [picture if one == "PICTURE" else one for one in arguments]
    status, _, err = call("sample", "--out", tmp_path / "x", "--n", 1, "--steps", 1, "--device", "cpu", *given)
    assert status == 1
    assert message in err
    assert not (tmp_path / "x").exists()


def test_a_model_without_a_classifier_says_so(joint):
    with pytest.raises(ValueError, match=r"labels and units need a classifier.*give --classifier"):
        asked(replace(joint, classifier=None), Wishes(label=["3"]), 1)
