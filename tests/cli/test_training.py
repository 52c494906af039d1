"""`ppgn train`: what its options do to the networks that come out, and what it says of those that do not fit."""

from __future__ import annotations

import io
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from ppgn import files, models, pretrained


@pytest.fixture
def train(call):
    def trained(family, out, *arguments):
        """Three steps of 8 images: (exit status, standard output, standard error)."""
        few = ["--device", "cpu", "--steps", 3, "--batch-size", 8, "--no-progress"]
        return call("train", family, "--out", out, *few, *arguments)

    return trained


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Thirty colour pictures of 20 x 24, in two classes."""
    path = tmp_path_factory.mktemp("pictures") / "p.zip"
    x = np.random.default_rng(0).integers(0, 256, (30, 20, 24, 3), dtype=np.uint8)
    with ZipFile(path, "w") as archive:
        for i in range(30):
            stream = io.BytesIO()
            Image.fromarray(x[i]).save(stream, "PNG")
            archive.writestr(f"{'ab'[i % 2]}/{i}.png", stream.getvalue())
    return path


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A small autoencoder in a file of ours."""
    path = tmp_path_factory.mktemp("tiny") / "tiny.safetensors"
    models.save(models.build(lambda: models.TinyAutoencoder(4, 8, pooled=False), 0), path)
    return path


@pytest.fixture(scope="module")
def squeezenet(tmp_path_factory):
    """Random weights of torchvision's, in a file without a header, as others write them."""
    path = tmp_path_factory.mktemp("squeezenet") / "s.safetensors"
    network = pretrained.classifier("torchvision/squeezenet1_1", weights=None).network
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, path)
    return path


def result(out):
    return models.load(out / "model.safetensors"), files.read_tensors(out / "model.safetensors")[1]["trained"]


def weights(out):
    return files.sha256(out / "model.safetensors")


def test_options_of_a_classifier(train, tmp_path, pictures):
    out = tmp_path / "a"
    options = ["--size", 16, "--width", 3, "--code", 5, "--flip", "--precision", "bfloat16"]
    status, _, err = train("classifier", out, "--data", pictures, *options)
    assert status == 0, err
    network, record = result(out)
    assert network.config == {"image_shape": [3, 16, 16], "classes": 2, "width": 3, "code": 5}
    assert {name: record[name] for name in ("size", "width", "code", "flip", "precision")} == {
        "size": 16, "width": 3, "code": 5, "flip": True, "precision": "bfloat16",
    }  # fmt: skip
    assert all(value.dtype == torch.float32 for value in network.parameters())


def test_flips_and_precisions_change_what_is_learned(train, tmp_path, small_digits):
    runs = {"plain": [], "again": [], "flip": ["--flip"], "rounded": ["--precision", "bfloat16"]}
    for name, options in runs.items():
        assert train("classifier", tmp_path / name, "--data", small_digits, "--width", 2, *options)[0] == 0
    assert weights(tmp_path / "plain") != weights(tmp_path / "flip")
    plain, again, rounded = (result(tmp_path / name)[0].state_dict() for name in ("plain", "again", "rounded"))
    assert all(torch.equal(plain[name], again[name]) for name in plain)
    assert not all(torch.equal(plain[name], rounded[name]) for name in plain)
    assert all(torch.allclose(plain[name].float(), rounded[name].float(), atol=0.02) for name in plain)


def test_a_run_goes_on_with_the_options_it_began_with(train, tmp_path, small_digits):
    common = ["--data", small_digits, "--width", 2, "--precision", "bfloat16"]
    assert train("classifier", tmp_path / "a", *common, "--flip")[0] == 0
    assert "had been made before" in train("classifier", tmp_path / "a", *common, "--flip", "--resume")[1]
    err = train("classifier", tmp_path / "a", *common, "--resume")[2]
    assert "flip: saved True, now False" in err
    err = train("classifier", tmp_path / "a", *common[:-2], "--flip", "--resume")[2]
    assert "precision: saved bfloat16, now float32" in err.replace("'", "")


def test_several_sets_for_a_generator(train, tmp_path, small_digits):
    """Their images are one set; a record tells both, and what they hold."""
    path = tmp_path / "more.npz"
    np.savez(path, x_train=np.full((9, 8, 8), 200, np.uint8), y_train=np.zeros(9, int))
    models.save(models.build(lambda: models.ConvClassifier((1, 8, 8), width=4, code=16), 0), tmp_path / "e.safetensors")
    common = ["--data", small_digits, "--encoder", tmp_path / "e.safetensors", "--part", "0:40", "--widths", "6,4"]
    assert train("joint", tmp_path / "one", *common)[0] == 0
    assert train("joint", tmp_path / "two", *common, "--data", path)[0] == 0
    (network, one), (_, two) = (result(tmp_path / name) for name in ("one", "two"))
    assert network.config["widths"] == one["widths"] == [6, 4]
    assert one["data"] == small_digits
    assert two["data"] == [small_digits, str(path)]
    assert two["images_sha256"][:64] == one["images_sha256"]
    assert len(two["images_sha256"]) == 128
    assert weights(tmp_path / "one") != weights(tmp_path / "two")


def test_a_generator_on_torchvisions_trunk(train, tmp_path, pictures, squeezenet):
    """h is the map of 256 channels behind SqueezeNet's 8 layers, averaged to 2 x 2: four doublings make 32 x 32."""
    out = tmp_path / "j"
    common = ["--data", pictures, "--size", 32, "--encoder", squeezenet, "--noise", 0, "--weight-h", 0]
    common += ["--widths", "4,4,4,4,4", "--architecture", "torchvision/squeezenet1_1", "--cut"]
    status, _, err = train("joint", out, *common, "3,8,2")
    assert status == 0, err
    network, record = result(out)
    assert network.config == {"code": [256, 2, 2], "image_shape": [3, 32, 32], "widths": [4] * 5}
    assert record["cut"] == "3,8,2"
    assert models.load(out / "discriminator.safetensors").config["code"] == 256 * 4
    for cut, message in {
        "3,8,1": "a map of (channels, 2, 2) to grow to 32x32 by 5 widths, got (256, 1, 1)",
        "3,8": "cut must be three numbers: layers up to h1, layers up to h, side of its map; got '3,8'",
        "8,3,2": "0 < h1 < h <= 13 layers in SqueezeNet, got 8, 3",
    }.items():
        assert message in train("joint", tmp_path / "k", *common, cut)[2]
    assert not (tmp_path / "k").exists()


def test_a_denoiser_of_latent_maps(train, tmp_path, pictures, tiny):
    """Latents of 24 x 24 pictures are 3 x 3, those of 16 x 32 ones 2 x 4; both are cut to 2 x 2, in turn."""
    path = tmp_path / "wide.npz"
    np.savez(
        path, x_train=np.random.default_rng(1).integers(0, 256, (9, 16, 32, 3), np.uint8), y_train=np.zeros(9, int)
    )
    out = tmp_path / "d"
    small = tmp_path / "square.npz"
    np.savez(
        small, x_train=np.random.default_rng(2).integers(0, 256, (9, 24, 24, 3), np.uint8), y_train=np.zeros(9, int)
    )
    common = ["--data", small, "--data", path, "--encoder", tiny, "--sigma-min", 0.1, "--sigma-max", 5]
    options = ["--widths", "8,8", "--crop", 2, "--precision", "bfloat16"]
    status, _, err = train("dae", out, *common, *options)
    assert status == 0, err
    network, record = result(out)
    assert (network.config["channels"], network.config["widths"]) == (4, [8, 8])
    assert (record["crop"], record["widths"], record["data"]) == (2, [8, 8], [str(small), str(path)])
    encoder = models.load(tiny)
    z = [encoder.encode(torch.tensor(np.load(p)["x_train"]).permute(0, 3, 1, 2) / 255) for p in (small, path)]
    places = torch.cat([part.movedim(1, -1).flatten(0, -2) for part in z])
    assert torch.allclose(network.mean, places.mean(0), atol=0.01)  # of bfloat16
    assert "had been made before" in train("dae", out, *common, *options, "--resume")[1]


def test_an_encoder_of_other_makers(train, tmp_path, pictures):
    """A file without a header, of the architecture's own configuration."""
    save_file(models.build(models.TinyAutoencoder, 0).state_dict(), tmp_path / "t.safetensors")
    common = ["--data", pictures, "--size", 8, "--encoder", tmp_path / "t.safetensors", "--sigma-min", 0.1]
    common += ["--sigma-max", 5, "--widths", "8"]
    assert train("dae", tmp_path / "d", *common, "--architecture", "TinyAutoencoder")[0] == 0
    assert result(tmp_path / "d")[0].config["channels"] == 32
    err = train("dae", tmp_path / "e", *common)[2]
    assert "must name an architecture of" in err
    assert "got None" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sigma", 0.5], "latent maps need a ladder of noise: give --sigma-min and --sigma-max"),
        ([], "latent maps need a ladder of noise"),
        (["--sigma-min", 0.1, "--sigma-max", 5], "image sides must be multiples of 8, got 20x24"),
        (["--sigma-min", 0.1, "--sigma-max", 5, "--size", 16, "--widths", "8,x"], "widths must be whole numbers with"),
        (["--sigma-min", 5, "--sigma-max", 1, "--size", 16], "0 < sigma_min < sigma_max is needed, got 5.0 and 1.0"),
    ],
)
def test_what_latent_maps_need(train, tmp_path, pictures, tiny, arguments, message):
    status, _, err = train("dae", tmp_path / "d", "--data", pictures, "--encoder", tiny, *arguments)
    assert status == 1
    assert err.count("\n") == 1
    assert message in err
    assert not (tmp_path / "d").exists()


def test_options_that_do_not_go_together(train, tmp_path, small_digits, pictures, tiny):
    models.save(models.build(lambda: models.ConvClassifier((1, 8, 8), width=4, code=16), 0), tmp_path / "e.safetensors")
    flat = ["--data", small_digits, "--encoder", tmp_path / "e.safetensors"]
    for option in (["--widths", "8"], ["--crop", 4]):
        err = train("dae", tmp_path / "d", *flat, *option)[2]
        assert f"{option[0][2:]} is of latent maps, but the encoder's codes are flat" in err
    err = train("classifier", tmp_path / "d", "--data", small_digits, "--precision", "float16")[2]
    assert err == "ppgn: precision must be one of float32, bfloat16, got 'float16'\n"
    err = train("joint", tmp_path / "d", *flat, "--widths", "8,-4")[2]
    assert "widths must be whole numbers with commas between, as 96,48,24, got '8,-4'" in err
    err = train("joint", tmp_path / "d", "--data", pictures, "--encoder", tiny)[2]
    assert "encoder must be a ConvClassifier, " in err
    assert "holds a TinyAutoencoder" in err
    err = train("joint", tmp_path / "d", *flat, "--data", pictures)[2]
    assert "images of all sets must have one shape, got [(1, 8, 8), (3, 20, 24)]; --size brings pictures to one" in err
    err = train("classifier", tmp_path / "d", "--data", small_digits, "--size", 8)[2]
    assert "size is for a folder or .zip of pictures" in err
    assert not (tmp_path / "d").exists()
