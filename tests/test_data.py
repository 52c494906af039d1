from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch

from ppgn import data


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
