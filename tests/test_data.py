from __future__ import annotations

import io
from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from ppgn import data
from ppgn.pretrained import hub


def test_npz_grey(small_digits, small_images):
    assert small_images.images.shape == (1500, 1, 8, 8)
    assert small_images.images.dtype == torch.uint8
    assert len(data.load(small_digits, "test")) == 297
    assert small_images.image_shape == (1, 8, 8)


def test_npz_colour(tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3), dtype=np.uint8)
    np.savez(tmp_path / "c.npz", x_train=x, y_train=np.arange(3))
    found = data.load(str(tmp_path / "c.npz"))
    assert (found.images[1, 2].numpy() == x[1, :, :, 2]).all()


def test_mnist_is_whole(mnist_file):
    found = data.load(mnist_file)
    assert len(found) == 60_000
    assert found.labels[:5].tolist() == [5, 0, 4, 1, 9]


def test_torchvision_by_name(tmp_path, monkeypatch):
    """torchvision's own reader, on files of its raw format that stand where a download would put them."""
    monkeypatch.setenv("HOME", str(tmp_path))
    raw = tmp_path / ".cache" / "ppgn" / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (6, 28, 28), dtype=np.uint8)
    for kind in ("train", "t10k"):
        header = np.array([0x803, 6, 28, 28], dtype=">i4").tobytes()
        (raw / f"{kind}-images-idx3-ubyte").write_bytes(header + pixels.tobytes())
        header = np.array([0x801, 6], dtype=">i4").tobytes()
        (raw / f"{kind}-labels-idx1-ubyte").write_bytes(header + bytes(range(6)))
    found = data.load("torchvision:MNIST", "test")
    assert (found.images[:, 0].numpy() == pixels).all()
    assert found.labels.tolist() == list(range(6))


def test_parts(small_images):
    assert torch.equal(small_images.part("10:13").images, small_images.images[10:13])
    assert len(small_images.part(":")) == 1500
    for text in ("3", "a:b", "5:5", "9000:"):
        with pytest.raises(ValueError, match=r"part"):
            small_images.part(text)


def test_per_class(small_images):
    some = small_images.per_class(7)
    assert some.labels.bincount().tolist() == [7] * 10
    with pytest.raises(ValueError, match="1000 images of every class are needed, class 0 has"):
        small_images.per_class(1000)


def test_batches_are_a_function_of_the_step(small_images):
    whole = [batch.images for batch in islice(data.batches(small_images, 400, seed=3), 10)]
    late = next(data.batches(small_images, 400, seed=3, start=8)).images
    assert torch.equal(late, whole[8])
    assert whole[0].max() <= 1
    assert whole[0].dtype == torch.float32


def test_an_epoch_sees_everything_once():
    index = torch.cat(list(islice(data.index_batches(12, 4, seed=0), 3)))
    assert sorted(index.tolist()) == list(range(12))
    following = torch.cat(list(islice(data.index_batches(12, 4, seed=0, start=3), 3)))
    assert following.tolist() != index.tolist()


def test_bad_input(tmp_path, small_digits):
    with pytest.raises(ValueError, match=r"batch_size must lie in \[1, 5\] for a set of 5, got 6"):
        next(data.index_batches(5, 6, seed=0))
    with pytest.raises(FileNotFoundError, match=r"there is no file nowhere\.npz"):
        data.load("nowhere.npz")
    with pytest.raises(ValueError, match="split must be train or test, got 'val'"):
        data.load(small_digits, "val")
    with pytest.raises(ValueError, match=r"must name a data set of torchvision\.datasets, got 'MNITS'"):
        data.load("torchvision:MNITS")
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04 not much")
    with pytest.raises(ValueError, match=r"cut\.npz must be an \.npz image set"):
        data.load(str(tmp_path / "cut.npz"))
    np.savez(tmp_path / "no_y.npz", x_train=np.zeros((2, 4, 4), np.uint8))
    with pytest.raises(ValueError, match=r"must hold the array y_train, it has \['x_train'\]"):
        data.load(str(tmp_path / "no_y.npz"))
    np.savez(tmp_path / "f.npz", x_train=np.zeros((2, 4, 4)), y_train=np.zeros(2, int))
    with pytest.raises(ValueError, match=r"images must be uint8.*got float64 \(2, 4, 4\)"):
        data.load(str(tmp_path / "f.npz"))
    np.savez(tmp_path / "l.npz", x_train=np.zeros((2, 4, 4), np.uint8), y_train=np.zeros(3, int))
    with pytest.raises(ValueError, match=r"one label an image is needed, got \(3,\) for 2 images"):
        data.load(str(tmp_path / "l.npz"))


def test_encoded_pictures(tmp_path):
    """Laid end to end: numbers as PNGs give them, labels by array; JPEGs within what they lose."""
    x = np.random.default_rng(0).integers(0, 256, (3, 4, 5), dtype=np.uint8)
    contents = []
    for pixels in x:
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "PNG")
        contents.append(stream.getvalue())
    laid = {"jpeg_train": np.frombuffer(b"".join(contents), np.uint8), "y_train": np.array([4, 0, 4])}
    offsets = np.cumsum([0, *map(len, contents)])
    np.savez(tmp_path / "a.npz", **laid, offset_train=offsets)
    found = data.load(str(tmp_path / "a.npz"))
    assert (found.images[:, 0].numpy() == x).all()
    assert found.labels.tolist() == [4, 0, 4]
    for wrong in (offsets[:-2], offsets[::-1], offsets.astype(float), offsets + 1, offsets[:1]):
        np.savez(tmp_path / "b.npz", **laid, offset_train=wrong)
        with pytest.raises(ValueError, match=r"b\.npz: offset_train must be .*|one label an image is needed"):
            data.load(str(tmp_path / "b.npz"))
    np.savez(tmp_path / "c.npz", **laid)
    with pytest.raises(ValueError, match="must hold the array offset_train"):
        data.load(str(tmp_path / "c.npz"))


def test_a_size_is_for_pictures(tmp_path, small_digits):
    for source in (small_digits, "torchvision:MNIST"):
        with pytest.raises(ValueError, match=r"size is for a folder or .zip of pictures; the images of .* have one"):
            data.load(source, size=8)
    with pytest.raises(FileNotFoundError, match="there is no file nowhere"):
        data.load("nowhere", size=8)


def test_flips_are_a_function_of_seed_and_step(small_images):
    """Each image as it is or mirrored, about half of them; the same at a step wherever the run began."""

    def taken(seed, start, n, flip=True):
        return torch.stack([b.images for b in islice(data.batches(small_images, 50, seed, start, flip), n)])

    plain, flipped = taken(3, 0, 40, flip=False), taken(3, 0, 40)
    same = (plain == flipped).flatten(2).all(2)
    mirrored = (plain.flip(-1) == flipped).flatten(2).all(2)
    assert (same | mirrored).all()
    share = (mirrored & ~same).float().mean().item()
    assert share == pytest.approx(0.5, abs=4 * (0.25 / 2000) ** 0.5)
    assert len({tuple(row) for row in same.tolist()}) == 40  # another pattern at every step
    assert torch.equal(taken(3, 33, 7), flipped[33:])
    assert not torch.equal(taken(4, 0, 1), flipped[:1])


def code_sets(shape=(2,)):
    """Three sets of other sizes; a code's first number is 1,000 times its set and its row in it."""
    sets = []
    for i, n in enumerate((10, 7, 25)):
        codes = torch.zeros(n, *shape)
        codes.flatten(1)[:, 0] = 1000 * i + torch.arange(n)
        sets.append(codes)
    return sets


def test_code_batches_take_the_sets_in_turn():
    """Every epoch of every set sees each code once: of 10 in batches of 5, of 7 the first 5 drawn, of 25 all."""
    drawn = [batch[:, 0].long() for batch in islice(data.code_batches(code_sets(), 5, seed=0), 30)]
    assert [int(batch[0]) // 1000 for batch in drawn] == [0, 1, 2] * 10
    assert sorted(torch.cat([drawn[0], drawn[3]]).tolist()) == list(range(10))
    assert sorted(torch.cat(drawn[2:15:3]).tolist()) == list(range(2000, 2025))
    assert len(set(drawn[1].tolist())) == 5


@pytest.mark.parametrize(("shape", "crop"), [((2,), 0), ((1, 6, 9), 0), ((1, 6, 9), 4)])
def test_code_batches_go_on_at_any_step(shape, crop):
    sets = [
        codes + torch.rand(codes.shape, generator=torch.Generator().manual_seed(0)) / 2 for codes in code_sets(shape)
    ]
    for turns in (1, 2, 3):
        whole = list(islice(data.code_batches(sets[:turns], 5, 3, crop=crop), 24))
        for start in range(20):
            late = islice(data.code_batches(sets[:turns], 5, 3, start, crop), 4)
            assert all(torch.equal(a, b) for a, b in zip(late, whole[start : start + 4], strict=True)), (turns, start)


def test_crops_lie_anywhere_in_a_map():
    """4 x 4 of 6 x 9: each of the 3 x 6 places, each about as often; maps and flat codes no larger stay whole."""
    places = torch.arange(6)[:, None] * 100 + torch.arange(9.0)
    maps = places.expand(10, 2, 6, 9)
    corners = []
    for batch in islice(data.code_batches([maps], 5, seed=0, crop=4), 900):
        assert batch.shape == (5, 2, 4, 4)
        assert (batch == batch[:1, :1]).all()
        assert torch.equal(batch[0, 0] - batch[0, 0, 0, 0], places[:4, :4])
        corners.append(int(batch[0, 0, 0, 0]))
    count = np.array([corners.count(100 * i + j) for i in range(3) for j in range(6)])
    assert count.sum() == 900
    assert abs(count - 50).max() < 4 * 50**0.5
    assert next(data.code_batches([maps], 5, seed=0, crop=7)).shape == (5, 2, 6, 7)
    assert next(data.code_batches([torch.zeros(9, 8)], 5, seed=0, crop=4)).shape == (5, 8)


def test_torchvision_sets_lie_in_the_cache_folder_and_are_no_downloaded_networks(tmp_path, monkeypatch):
    monkeypatch.setenv("PPGN_HOME", str(tmp_path))
    monkeypatch.setenv("PPGN_OFFLINE", "1")
    asked = []

    def made(root, train, download):
        asked.append((root, train, download))
        (root / "made").mkdir(parents=True)
        (root / "made" / "raw").write_bytes(b"pixels")
        return SimpleNamespace(data=np.zeros((2, 4, 4), np.uint8), targets=[0, 1])

    import torchvision

    monkeypatch.setattr(torchvision.datasets, "FakeData", made)
    assert len(data.load("torchvision:FakeData")) == 2
    assert asked == [(tmp_path / "data", True, False)]
    assert hub.cached() == []
    with pytest.raises(
        OSError, match=r"torchvision:MNIST must be in .*data, since offline mode is set \(PPGN_OFFLINE\)"
    ):
        data.load("torchvision:MNIST")
