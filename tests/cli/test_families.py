"""`ppgn train` of the baselines: what comes out of each family is what its options say."""

from __future__ import annotations

import pytest
import torch

from ppgn import files, models
from ppgn.data import ImageSet, batches


@pytest.fixture
def train(call, small_digits):
    def trained(family, out, *arguments):
        """Three steps of 8 images of 8 x 8: (exit status, standard output, standard error)."""
        few = ["--data", small_digits, "--device", "cpu", "--steps", 3, "--batch-size", 8, "--no-progress"]
        return call("train", *family.split(), "--out", out, *few, *arguments)

    return trained


CASES = {
    "pixelcnn --layers 1 --width 4 --kernel 3": ("GatedPixelCNN", {"width": 4, "layers": 1, "kernel": 3}),
    "pixelcnn --layers 1 --width 4 --conditional --dropout 0.1": ("GatedPixelCNN", {"classes": 10, "dropout": 0.1}),
    "pixelcnn --arch plain --width 4 --likelihood categorical:4": (
        "PixelCNN", {"likelihood": {"name": "Categorical", "levels": 4}},
    ),
    "pixelrnn --arch row --layers 1 --width 4": ("RowLSTM", {"width": 4, "layers": 1, "classes": None}),
    "pixelrnn --layers 1 --width 4 --conditional": ("DiagonalBiLSTM", {"classes": 10}),
    "vae --width 4 --latent 3 --likelihood normal:shared": ("VAE", {"latent": 3, "width": 4}),
    "vae --arch dense --hidden 9,8 --activation tanh": ("DenseVAE", {"hidden": [9, 8], "activation": "tanh"}),
    "autoencoder --width 4 --latent 3 --sigma 0.2": ("Autoencoder", {"latent": 3}),
    "gan --arch upconv --widths 8,4 --latent 5 --discriminator-widths 4,8": (
        "UpconvGenerator", {"code": 5, "widths": [8, 4]},
    ),
    "gan --arch dcgan --widths 8 --discriminator-widths 4 --norm batch": ("DCGANGenerator", {"widths": [8]}),
    "gan --discriminator-widths 4 --loss relativistic --r1 1 --r2 1 --translation 0.1": ("ResidualGenerator", {}),
    "gan --discriminator-widths 4 --loss hinge --norm spectral --critic-steps 2 --width 4": (
        "ResidualGenerator", {"width": 4, "latent": 64},
    ),
    "vaegan --width 4 --discriminator-widths 4,8 --gamma 0.1": ("VAE", {"width": 4}),
    "dae --sigma 0.2": ("ImageDenoiser", {"image_shape": [1, 8, 8]}),
}  # fmt: skip


@pytest.mark.parametrize("family", CASES)
def test_a_run_of_each_family_and_its_resumption(train, tmp_path, family):
    architecture, config = CASES[family]
    status, out, err = train(family, tmp_path / "a")
    assert status == 0, err
    assert out.startswith("3 steps, the last with ")
    path = tmp_path / "a" / "model.safetensors"
    header = files.read_tensors(path)[1]
    assert header["architecture"] == architecture
    assert header["trained"]["family"] == family.split()[0]
    assert {name: header["config"][name] for name in config} == config
    assert "had been made before" in train(family, tmp_path / "a", "--resume")[1]
    assert all(bool(value.isfinite().all()) for value in models.load(path).state_dict().values())


def test_adversarial_runs_leave_their_discriminator(train, tmp_path):
    for family in ("gan", "vaegan"):
        assert train(family, tmp_path / family, "--discriminator-widths", "4,8")[0] == 0
        judge = models.load(tmp_path / family / "discriminator.safetensors")
        assert judge(torch.zeros(2, 1, 8, 8)).shape == (2,)


@pytest.mark.parametrize(
    ("family", "message"),
    [
        ("pixelcnn --arch deep", "arch must be one of gated, plain, got 'deep'"),
        ("pixelcnn --arch plain --conditional", "conditional and dropout are of the gated network"),
        ("pixelrnn --arch column", "arch must be one of row, diagonal, got 'column'"),
        ("pixelrnn --likelihood poisson", "likelihood must be bernoulli, categorical[:LEVELS], mixture[:LOGISTICS]"),
        ("vae --likelihood mixture:x", "got 'mixture:x'"),
        ("vae --arch flat", "arch must be one of conv, dense, got 'flat'"),
        ("vae --arch dense --hidden 5,", "hidden must be whole numbers with commas between"),
        ("gan --loss wasserstein", "loss must be one of minimax, non-saturating, hinge, relativistic, got 'wasserst"),
        ("gan --norm layer", "norm must be one of none, batch, spectral, got 'layer'"),
        ("gan --arch style", "arch must be one of residual, dcgan, upconv, got 'style'"),
        ("gan --arch dcgan --widths 8,4", "dcgan with 2 widths makes images (1, 16, 16), but those of the set are (1,"),
        ("gan --arch upconv --widths 4,4,4,4,4", "image sides must be multiples of 16 for 5 widths, got 8x8"),
        ("dae --sigma-min 0.1 --sigma-max 2", "images are denoised at one level: give --sigma alone, or an --encoder"),
        ("dae --crop 4", "images are denoised at one level"),
        ("vae --clip 0", "clip must be positive, got 0.0"),
    ],
)  # fmt: skip
def test_options_that_do_not_fit(train, tmp_path, family, message):
    status, _, err = train(family, tmp_path / "a")
    assert status == 1
    assert err.count("\n") == 1
    assert message in err
    assert not (tmp_path / "a").exists()


def test_a_conditional_model_needs_labels(call, tmp_path):
    from PIL import Image

    (tmp_path / "flat").mkdir()
    for i in range(9):
        Image.new("L", (8, 8), 20 * i).save(tmp_path / "flat" / f"{i}.png")
    common = ["--data", tmp_path / "flat", "--out", tmp_path / "a", "--steps", 1, "--batch-size", 2, "--no-progress"]
    for family in (["pixelcnn", "--conditional"], ["classifier"]):
        status, _, err = call("train", *family, *common)
        assert status == 1
        assert "needs labels" in err
    assert call("train", "vae", "--width", 4, *common)[0] == 0


def test_gradients_are_shortened_where_asked(train, tmp_path):
    for name, options in {"plain": [], "clipped": ["--clip", 1e-3]}.items():
        assert train("pixelcnn --layers 1 --width 4", tmp_path / name, *options)[0] == 0
    a, b = (models.load(tmp_path / name / "model.safetensors").state_dict() for name in ("plain", "clipped"))
    assert not all(torch.equal(a[name], b[name]) for name in a)


def test_a_set_that_does_not_fit_the_device_is_brought_over_batch_by_batch(train, tmp_path, monkeypatch):
    """The same run, as far as a machine without an accelerator can tell."""
    assert train("vae --width 4", tmp_path / "resident")[0] == 0

    def full(self, device):
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(ImageSet, "to", full)
    assert train("vae --width 4", tmp_path / "streamed")[0] == 0
    a, b = (models.load(tmp_path / name / "model.safetensors").state_dict() for name in ("resident", "streamed"))
    assert all(torch.equal(a[name], b[name]) for name in a)
    batch = next(batches(ImageSet(torch.zeros(4, 1, 2, 2, dtype=torch.uint8), torch.zeros(4)), 2, 0, device="meta"))
    assert batch.images.device.type == batch.labels.device.type == "meta"
