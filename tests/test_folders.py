"""Pictures in folders and archives: pixels and labels that are known, then each error."""

from __future__ import annotations

import io
import warnings
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
from damage import damaged
from PIL import Image

from ppgn import data, folders


def encoded(pixels, kind="PNG"):
    """(H, W) or (H, W, 3) uint8, or a picture -> bytes of a file, without loss but for JPEG."""
    stream = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(stream, kind)
    return stream.getvalue()


def noise(n, height=6, width=6, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, height, width, 3), dtype=np.uint8)


def folder(path, files):
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def archive(path, files):
    with ZipFile(path, "w", ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return path


@pytest.fixture
def divided():
    """Ten pictures in training, four others, of three classes: by their folders, by a table, and as arrays."""
    x, y = noise(14), np.array([2, 0, 1, 0, 0, 2, 1, 1, 0, 2, 1, 0, 2, 2])
    split = ["train"] * 10 + ["test"] * 4
    order = np.array(sorted(range(14), key=lambda i: (y[i], i)))  # folders are read class by class
    by_folder = {f"{split[i]}/{'abc'[y[i]]}/{i:02}.png": encoded(x[i]) for i in range(14)}
    table = "file,label,split\n" + "".join(f"all/{i}.png,{y[i]},{split[i]}\n" for i in order)
    by_table = {"labels.csv": table.encode()} | {f"all/{i}.png": encoded(x[i]) for i in range(14)}
    return x, y, [order[order < 10], order[order >= 10]], by_folder, by_table


def test_one_set_in_every_form(divided, tmp_path):
    """A folder, an archive, a table of labels, arrays and encoded pictures laid end to end: the same images."""
    x, y, rows, by_folder, by_table = divided
    arrays, laid = {}, {}
    for split, index in zip(("train", "test"), rows, strict=True):
        contents = [encoded(x[i]) for i in index]
        arrays |= {f"x_{split}": x[index], f"y_{split}": y[index]}
        laid[f"jpeg_{split}"] = np.frombuffer(b"".join(contents), np.uint8)
        laid[f"offset_{split}"] = np.cumsum([0, *map(len, contents)])
        laid[f"y_{split}"] = y[index]
    np.savez(tmp_path / "arrays.npz", **arrays)
    np.savez(tmp_path / "laid.npz", **laid)
    sources = [
        folder(tmp_path / "folder", by_folder), archive(tmp_path / "folder.zip", by_folder),
        folder(tmp_path / "table", by_table), archive(tmp_path / "table.zip", by_table),
        tmp_path / "arrays.npz", tmp_path / "laid.npz",
    ]  # fmt: skip
    for split, index in zip(("train", "test"), rows, strict=True):
        for source in sources:
            found = data.load(str(source), split)
            assert (found.images.permute(0, 2, 3, 1).numpy() == x[index]).all(), source
            assert found.labels.tolist() == y[index].tolist(), source


def test_classes_are_folders_in_sorted_order(tmp_path):
    x = noise(3)
    source = folder(tmp_path, {"dog/1.png": encoded(x[0]), "cat/2.png": encoded(x[1]), "cat/10.PNG": encoded(x[2])})
    images, labels = folders.read(source, "train")
    assert labels.tolist() == [0, 0, 1]
    assert (images == x[[2, 1, 0]]).all()


def test_classes_have_one_number_in_all_splits(tmp_path):
    """`b` is in no training picture, `a` in no test picture; val/ is a test set as well."""
    one = encoded(noise(1)[0])
    source = folder(tmp_path, {"train/a/1.png": one, "train/c/1.png": one, "val/b/1.png": one, "val/c/1.png": one})
    assert folders.read(source, "train")[1].tolist() == [0, 2]
    assert folders.read(source, "test")[1].tolist() == [1, 2]


def test_what_is_beside_the_classes_is_left_out(tmp_path):
    one = encoded(noise(1)[0])
    beside = {name: one for name in ("preview.png", "__MACOSX/a/._1.png", ".thumbs/1.png", "train/all.png")}
    source = archive(
        tmp_path / "a.zip", {"train/a/1.png": one, "test/b/1.png": one, "train/a/notes.txt": b"", **beside}
    )
    assert folders.read(source, "train")[1].tolist() == [0]
    assert folders.read(source, "test")[1].tolist() == [1]


def test_classes_may_be_called_train_and_test(tmp_path):
    one = encoded(noise(1)[0])
    assert folders.read(folder(tmp_path, {"train/1.png": one, "test/1.png": one}), "train")[1].tolist() == [0, 1]


def test_pictures_without_folders_have_no_labels(tmp_path):
    """An unconditional trainer takes them; what needs labels says so."""
    x = noise(3)
    files = {f"{i}.png": encoded(image) for i, image in enumerate(x)}
    for source in (folder(tmp_path / "a", files), archive(tmp_path / "a.zip", files)):
        assert folders.read(source, "train")[1] is None
        found = data.load(str(source)).part(":2").to("cpu")
        assert (found.images.permute(0, 2, 3, 1).numpy() == x[:2]).all()
        assert found.labels.tolist() == [0, 0]
        assert not found.labelled
        assert not next(data.batches(found, 2, 0)).labelled
        for call in (lambda: found.require_labels("a classifier"), lambda: found.per_class(1)):  # noqa: B023
            with pytest.raises(ValueError, match="needs labels, but the images have none: put the pictures of each"):
                call()
    data.load(str(folder(tmp_path / "b", {"cat/1.png": files["0.png"]}))).require_labels("a classifier")


def test_pictures_of_several_sizes_are_named(tmp_path):
    names = {"a/1.png": (6, 6), "a/2.png": (7, 8), "b/3.png": (6, 6), "b/4.png": (9, 9), "b/5.png": (4, 4)}
    source = folder(tmp_path, {name: encoded(noise(1, *sides)[0]) for name, sides in names.items()})
    known = r"there are 2 of 6x6 \(a/1\.png\), 1 of 4x4 \(b/5\.png\), 1 of 8x7 \(a/2\.png\), and 1 more sizes$"
    with pytest.raises(ValueError, match=r"must be of one size, or a size be given to bring them to; " + known):
        folders.read(source, "train")
    assert folders.read(source, "train", size=4)[0].shape == (5, 4, 4, 3)


def test_broken_pictures_are_skipped_with_a_warning_or_refused(tmp_path):
    x = noise(6)
    whole = {f"{'ab'[i % 2]}/{i}.png": encoded(image) for i, image in enumerate(x)}
    broken = {name: content[:40] if name[2] in "0134" else content for name, content in whole.items()}
    source = folder(tmp_path / "some", broken)
    with pytest.warns(
        UserWarning, match=r"4 of 6 pictures cannot be read and are left out: a/0\.png, a/4\.png, b/1\.png, \.\.\."
    ):
        images, labels = folders.read(source, "train")
    assert (images == x[[2, 5]]).all()
    assert labels.tolist() == [0, 1]
    with pytest.warns(UserWarning, match="4 of 6"):
        assert len(data.load(str(source))) == 2
    with pytest.raises(ValueError, match=r"some: a/0\.png must be a picture that can be read"):
        data.load(str(source), strict=True)
    nothing = folder(tmp_path / "none", {name: content[:40] for name, content in whole.items()})
    with pytest.raises(ValueError, match=r"none: none of 6 pictures can be read; the first: .*a/0\.png must be"):
        folders.read(nothing, "train")


def test_tables_as_spreadsheets_write_them(tmp_path):
    """A mark of UTF-8 before the first word, and columns that nobody asked for; without splits all is for training."""
    table = "\ufefflabel,name,file\r\n7,Ä,a.png\r\n".encode()
    source = folder(tmp_path, {"labels.csv": table, "a.png": encoded(noise(1)[0])})
    assert folders.read(source, "train")[1].tolist() == [7]
    with pytest.raises(ValueError, match=r"has no test pictures, its splits are \[''\]"):
        folders.read(source, "test")


def test_a_size_is_the_middle_square():
    """Three squares side by side, or one above the other: the one in the middle, larger or smaller."""
    stripes = np.repeat(np.array([10, 20, 30], np.uint8), 8)[None].repeat(8, 0)
    for picture in (stripes, stripes.T):
        assert (folders.decode([encoded(picture)], 8) == np.full((1, 8, 8), 20)).all()
        for size in (4, 24):
            resized = folders.decode([encoded(picture)], size)
            assert resized.shape == (1, size, size)
            assert (resized[:, size // 2, size // 2] == 20).all()
    wide, high = np.full((5, 9), 77, np.uint8), np.full((13, 7), 77, np.uint8)
    assert (folders.decode([encoded(wide), encoded(high)], 6) == np.full((2, 6, 6), 77)).all()


def test_every_kind_of_picture():
    grey = noise(1)[0, :, :, 0]
    assert (folders.decode([encoded(grey)])[0] == grey).all()
    both = folders.decode([encoded(grey), encoded(noise(1)[0])])
    assert (both[0] == grey[:, :, None]).all()
    assert both.shape == (2, 6, 6, 3)
    deep = (grey.astype(np.uint16) << 8) + 255
    assert (folders.decode([encoded(deep)])[0] == grey).all()
    black_and_white = Image.fromarray(grey > 127)
    assert (folders.decode([encoded(black_and_white)])[0] == np.where(grey > 127, 255, 0)).all()
    palette = Image.fromarray(noise(1)[0]).convert("P")
    assert (folders.decode([encoded(palette)])[0] == np.asarray(palette.convert("RGB"))).all()
    flat = np.full((8, 8, 3), 100, np.uint8)
    for kind in ("JPEG", "WEBP", "BMP", "GIF", "TIFF"):
        assert abs(folders.decode([encoded(flat, kind)]).astype(int) - 100).max() <= 2


def test_bad_sources(tmp_path):
    one = encoded(noise(1)[0])
    with pytest.raises(ValueError, match=r"empty must hold pictures, in a folder for each class or with a labels\.csv"):
        folders.read(folder(tmp_path / "empty", {"b/notes.txt": b"", ".hidden.png": one}), "train")
    with pytest.raises(ValueError, match=r"has no test pictures, its splits are \['train'\]"):
        folders.read(folder(tmp_path / "half", {"train/a/1.png": one}), "test")
    with pytest.raises(ValueError, match=r"half: train/a/2\.png must be a picture that can be read"):
        folders.read(folder(tmp_path / "half", {"train/a/2.png": one[:40]}), "train", strict=True)
    with pytest.raises(
        ValueError, match=r"picture 1 must be .*: 8 or 16 bits a channel are needed, got Pillow's mode F"
    ):
        folders.decode([one, encoded(Image.fromarray(np.zeros((4, 4), np.float32)), "TIFF")])
    for name in ("text", "cut"):
        content = (
            b"no archive" if name == "text" else archive(tmp_path / "whole.zip", {"a/1.png": one}).read_bytes()[:-9]
        )
        (tmp_path / f"{name}.zip").write_bytes(content)
        with pytest.raises(ValueError, match=rf"{name}\.zip must be a whole \.zip archive"):
            data.load(str(tmp_path / f"{name}.zip"))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("file,class\na.png,1\n", "labels.csv must have the columns file and label, a number: 'label'"),
        ("file,label\na.png,cat\n", "labels.csv must have the columns file and label, a number: .*'cat'"),
        ("file,label\na.png\n", "labels.csv must have the columns file and label, a number"),
        ("file,label\na.png,1\nb.png,2\n../a.png,3\n", r"must name pictures that are there, 2 are not: b\.png"),
        ("file,label\n", "must hold pictures, in a folder for each class or with a labels.csv, or without labels"),
        ("file,label,split\na.png,1,dev\n", r"has no train pictures, its splits are \['dev'\]"),
    ],
)
def test_bad_tables(table, message, tmp_path):
    files = {"labels.csv": table.encode(), "a.png": encoded(noise(1)[0])}
    for source in (folder(tmp_path / "a", files), archive(tmp_path / "a.zip", files)):
        with pytest.raises(ValueError, match=message):
            folders.read(source, "train")


def test_a_table_that_is_no_text(tmp_path):
    with pytest.raises(ValueError, match=r"labels\.csv must have the columns"):
        folders.read(folder(tmp_path, {"labels.csv": b"\xff\xfe\x00file"}), "train")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"])
def test_damaged_pictures_are_named(kind):
    """60 of a kind: each is read, perhaps otherwise, or told in one line, whatever Pillow makes of it."""
    rng, content, told = np.random.default_rng(0), encoded(noise(1, 24, 24)[0], kind), 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, on what it reads all the same
        for _ in range(60):
            try:
                folders.decode([damaged(content, rng)], 8, ["a/1.png"])
            except ValueError as error:
                assert str(error).startswith("a/1.png must be a picture that can be read: ")
                told += 1
    assert told > 5


def test_damaged_archives_are_named(tmp_path):
    rng, told = np.random.default_rng(0), 0
    content = archive(tmp_path / "a.zip", {f"a/{i}.png": encoded(x) for i, x in enumerate(noise(3))}).read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(150):
            (tmp_path / "b.zip").write_bytes(damaged(content, rng))
            try:
                folders.read(tmp_path / "b.zip", "train", 6)
            except ValueError as error:
                assert str(tmp_path / "b.zip") in str(error)
                told += 1
    assert told > 50


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_a_picture_on_its_side_is_turned_upright(kind):
    """Orientation 6: the camera was held so that the top is at the right."""
    flat = np.full((4, 8, 3), 250, np.uint8)
    flat[:, :4] = 0
    picture, exif = Image.fromarray(flat), Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    picture.save(stream, kind, exif=exif)
    upright = folders.decode([stream.getvalue()])[0]
    assert upright.shape == (8, 4, 3)
    assert upright[:3].max() < 20 < 230 < upright[5:].min()


def test_a_damaged_orientation_costs_no_picture_or_is_named():
    exif = Image.Exif()
    exif[0x0112] = 6
    content = exif.tobytes()
    for cut in range(6, len(content)):
        stream = io.BytesIO()
        Image.fromarray(noise(1)[0]).save(stream, "PNG", exif=content[:cut])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                assert folders.decode([stream.getvalue()]).shape == (1, 6, 6, 3)
            except ValueError as error:
                assert "must be a picture that can be read" in str(error)
