"""Sizes, crops and rounding are the libraries' own."""

from __future__ import annotations

import pytest
import timm
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as official

from ppgn.pretrained import Preprocessing
from ppgn.pretrained.preprocessing import of_timm, with_channels

sklearn_datasets = pytest.importorskip("sklearn.datasets")

SIZES = [(300, 211), (211, 300), (97, 96), (64, 64), (40, 333)]
CONFIG = {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.25, 0.3)}


@pytest.fixture(scope="module")
def photographs() -> list[Image.Image]:
    return [Image.fromarray(image) for image in sklearn_datasets.load_sample_images().images]


def picture(photographs, height, width) -> Image.Image:
    return photographs[0].crop((100, 50, 100 + width, 50 + height))


def tensor(image) -> torch.Tensor:
    return official.to_tensor(image)[None]


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize("crop_pct", [0.875, 1.0, 0.9])
@pytest.mark.parametrize("size", [(96, 96), (64, 96)])
@pytest.mark.parametrize("mode", ["center", "squash"])
def test_timms_transform_of_a_float_tensor(photographs, mode, size, crop_pct, interpolation):
    config = {
        "input_size": (3, *size), "crop_pct": crop_pct, "crop_mode": mode, "interpolation": interpolation, **CONFIG
    }  # fmt: skip
    transform, own = timm.data.create_transform(**config), of_timm(config)
    for height, width in SIZES:
        x = tensor(picture(photographs, height, width))
        assert torch.allclose(own(x), transform(x), atol=1e-5), (height, width)


@pytest.mark.parametrize("size", [(96, 96), (64, 96)])
@pytest.mark.parametrize("crop_pct", [0.875, 1.0])
def test_timms_borders(photographs, size, crop_pct):
    """timm fills them with the mean in whole levels, and only on an 8-bit picture: within the rounding of its resize
    inside; where nothing is resized, equal."""
    config = {
        "input_size": (3, *size), "crop_pct": crop_pct, "crop_mode": "border", "interpolation": "bilinear", **CONFIG
    }  # fmt: skip
    transform, own = timm.data.create_transform(**config), of_timm(config)
    for height, width in SIZES:
        image = picture(photographs, height, width)
        levels = (own(tensor(image)) - transform(image)).abs() * 255 * torch.tensor(CONFIG["std"]).view(-1, 1, 1)
        assert levels.max() < 1.01, (height, width)
    h, w = own.resize
    image = picture(photographs, h // 2, w)
    assert torch.allclose(own(tensor(image)), transform(image), atol=1e-5)


@pytest.mark.parametrize("crop", [0, 1])
def test_bilinear_differs_from_8_bits_by_a_level(photographs, crop):
    for photograph in photographs:
        image = photograph if crop == 0 else photograph.crop((30, 30, 110, 90))
        for side in (64, 232, 256):
            eight = tensor(official.resize(image, side, InterpolationMode.BILINEAR))
            fitted = Preprocessing(resize=(side, side)).fitted(tensor(image))
            assert (fitted - eight).abs().max() * 255 < 1.01


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_what_differs_from_8_bits_is_pillows_rounding(photographs, interpolation):
    """The same resize with whole levels after each axis, the cheaper order first, is Pillow's but for ties."""

    def axis_by_axis(x, sizes):
        for size in sizes:
            fitted = Preprocessing(resize=size, mode="squash", interpolation=interpolation).fitted(x)
            x = (fitted * 255 + 0.5).floor().clamp(0, 255) / 255
        return x

    for photograph in photographs:
        image = photograph.crop((100, 50, 250, 350))
        eight = tensor(official.resize(image, [256, 200], InterpolationMode(interpolation)))
        orders = ((300, 200), (256, 200)), ((256, 150), (256, 200))
        away = [(axis_by_axis(tensor(image), sizes) - eight).abs() * 255 for sizes in orders]
        nearest = min(away, key=lambda one: one.mean())
        assert nearest.max() < 1.01
        assert (nearest > 0.5).float().mean() < 0.002


def test_whole_shows_all_of_the_image():
    """The left and right thirds of a wide image are cut off by the official fit, and seen by the other."""
    record = Preprocessing((36, 36), (32, 32))
    x = torch.zeros(1, 3, 32, 96)
    x[..., :20] = 1
    assert record(x).max() == 0
    assert record.whole()(x).shape == (1, 3, 32, 32)
    assert torch.allclose(record.whole()(x).mean(), x.mean(), atol=0.01)


def test_another_size_keeps_the_share_that_is_cropped():
    assert Preprocessing((256, 256), (224, 224)).sized((112, 112)) == Preprocessing((128, 128), (112, 112))
    assert Preprocessing().sized((32, 48)) == Preprocessing((32, 48), (32, 48))


def test_as_it_comes_is_the_image_itself():
    x = torch.rand(2, 3, 5, 7)
    assert torch.equal(Preprocessing()(x), x)


def test_a_crop_larger_than_the_image_is_filled_with_black():
    x = torch.rand(1, 3, 5, 8)
    record = Preprocessing(crop=(8, 8), mean=(0.5,), std=(0.5,))
    assert torch.allclose(record(x), (official.center_crop(x, [8, 8]) - 0.5) / 0.5)


def test_gradients_flow_through_every_fit():
    for mode in ("center", "squash", "border"):
        record = Preprocessing((6, 6), (5, 5), mode, "bicubic", mean=(0.4,), std=(0.2,))
        x = torch.rand(1, 1, 9, 7, dtype=torch.float64).requires_grad_()
        assert torch.autograd.gradcheck(record, x)


def test_luminance_is_pillows(photographs):
    image = photographs[0].resize((60, 40))
    grey = with_channels(tensor(image), 1)
    assert (grey - tensor(image.convert("L"))).abs().max() * 255 < 0.51
    assert torch.equal(with_channels(grey, 3), grey.repeat(1, 3, 1, 1))
    assert with_channels(grey, None) is grey


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "middle"}, "mode must be one of center, squash, border, got 'middle'"),
        ({"interpolation": "lanczos"}, "interpolation must be one of nearest, bilinear, bicubic, got 'lanczos'"),
        ({"std": (0.0,)}, r"std must be positive, got \(0\.0,\)"),
        ({"mean": (0.5, 0.5)}, "mean must hold one number, got 2"),
        ({"std": (0.5, 0.5), "channels": 3}, "std must hold one number, or one for each of 3 channels, got 2"),
    ],
)
def test_bad_records(options, message):
    with pytest.raises(ValueError, match=message):
        Preprocessing(**options)
