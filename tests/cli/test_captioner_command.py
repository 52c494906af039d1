"""`ppgn train captioner`: the sentences of real digits, some of them held out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ppgn import data, files, models, strokes
from ppgn.cli.train_captioner import captioned, held_out_sentences
from ppgn.strokes import SENTENCES


@pytest.fixture
def train(call, small_digits):
    def trained(out, *arguments, source=small_digits):
        """Three steps of 8 images of 8 x 8: (exit status, standard output, standard error)."""
        few = ["--data", source, "--device", "cpu", "--steps", 3, "--batch-size", 8, "--no-progress", "--width", 2]
        return call("train", "captioner", "--out", out, *few, *arguments)

    return trained


def header(out):
    return files.read_tensors(out / "model.safetensors")[1]


def test_a_run_and_its_resumption(train, tmp_path, small_images):
    status, out, err = train(tmp_path / "a", "--hidden", 5, "--features", 7)
    assert status == 0, err
    assert out.startswith("3 steps, the last with loss ")
    found = header(tmp_path / "a")
    assert found["architecture"] == "Captioner"
    assert found["config"]["vocabulary"] == list(strokes.VOCABULARY)
    assert (found["config"]["hidden"], found["config"]["features"]) == (5, 7)
    assert len(found["trained"]["held_out"]) == 100
    measured = strokes.measure(data.to_float(small_images.images))
    assert strokes.from_json(found["trained"]["thirds"]) == strokes.thirds(measured, small_images.labels)
    assert "had been made before" in train(tmp_path / "a", "--hidden", 5, "--features", 7, "--resume")[1]
    assert isinstance(models.load(tmp_path / "a" / "model.safetensors"), models.Captioner)
    err = train(tmp_path / "a", "--hidden", 5, "--features", 7, "--resume", "--held-out", 3)[2]
    assert "held_out" in err


def test_images_of_sentences_held_out_are_not_trained_on(train, tmp_path, small_images, monkeypatch):
    seen = []
    batches = data.batches
    monkeypatch.setattr(
        "ppgn.cli.training.batches", lambda images, *rest: seen.append(images.labels) or batches(images, *rest)
    )
    for n in (100, 0):
        assert train(tmp_path / str(n), "--held-out", n)[0] == 0
    kept = [{SENTENCES[i] for i in labels.tolist()} for labels in seen]
    told = captioned(small_images)[0].labels
    held_out = header(tmp_path / "100")["trained"]["held_out"]
    assert not kept[0] & set(held_out)
    assert kept[0] == {SENTENCES[i] for i in told.tolist()} - set(held_out)
    assert len(seen[-1]) == len(small_images)
    assert header(tmp_path / "0")["trained"]["held_out"] == []


def test_which_are_held_out_is_a_matter_of_the_seed_and_every_word_is_left():
    a, b, c = (held_out_sentences(100, seed) for seed in (0, 0, 1))
    assert a == b != c
    assert len(set(a)) == 100
    left = {word for i in set(range(270)) - set(a) for word in SENTENCES[i].split()}
    assert left == set(strokes.VOCABULARY)


def test_captions_say_what_is_measured(small_images):
    told, record = captioned(small_images)
    measured = strokes.measure(data.to_float(small_images.images))
    limits = strokes.from_json(record)
    thin = measured.thickness <= limits.thickness[0]
    right = measured.slant > limits.slant[1]
    for i in range(200):
        words = SENTENCES[told.labels[i]].split()
        assert strokes.DIGITS[small_images.labels[i]] in words
        assert ("thin" in words) == bool(thin[i])
        assert ("right" in words) == bool(right[i])
    assert torch.equal(told.images, small_images.images)


def test_errors(train, tmp_path):
    err = train(tmp_path / "a", "--held-out", 270)[2]
    assert "held_out must leave some of the 270 sentences, got 270" in err
    err = train(tmp_path / "a", "--held-out", 265)[2]
    assert "held_out must leave a sentence for every word, got 265, which leaves none with" in err
    path = tmp_path / "two.npz"
    np.savez(path, x_train=np.full((9, 8, 8), 200, np.uint8), y_train=np.arange(9) % 2)
    assert "labels must be the digits 0..9, each at least once, got [0, 1]" in train(tmp_path / "a", source=path)[2]
    assert not (tmp_path / "a").exists()
