"""`ppgn convert-caffe`, from a file of Caffe's to one that `models.load` reads."""

from __future__ import annotations

import caffe_files
import caffe_nets
import numpy as np
import pytest
import torch

from ppgn import files, models, pretrained


@pytest.fixture
def convert(call):
    return lambda *arguments: call("convert-caffe", *arguments)


@pytest.fixture
def classifier(tmp_path):
    path = tmp_path / "bvlc_reference_caffenet.caffemodel"
    path.write_bytes(caffe_files.encode(caffe_nets.training(caffe_nets.caffenet()), age="V1"))
    return path


@pytest.fixture
def generator(tmp_path):
    path = tmp_path / "generator.caffemodel"
    path.write_bytes(caffe_files.encode(caffe_nets.generator("fc6"), inputs=[("feat", (1, 12))]))
    return path


def test_a_classifier(convert, tmp_path, classifier):
    status, out, _ = convert(classifier, "-o", tmp_path / "a.safetensors", "--mean", "120,110,100")
    assert status == 0
    assert "is a classifier of 10 classes, images of 99 x 99" in out
    network = models.load(tmp_path / "a.safetensors")
    assert isinstance(network, models.CaffeNetwork)
    x = torch.rand(1, 3, 99, 99, generator=torch.Generator().manual_seed(0))
    assert torch.equal(network(x), pretrained.read_caffe(classifier, mean=(120, 110, 100))(x))
    header = files.read_tensors(tmp_path / "a.safetensors")[1]
    assert header["source"] == "bvlc_reference_caffenet.caffemodel"
    assert header["source_sha256"] == files.sha256(classifier)


def test_a_generator(convert, tmp_path, generator):
    status, out, _ = convert(generator, "--out", tmp_path / "g.safetensors", "--size", 227)
    assert status == 0
    assert "is a generator of images of 227 x 227 from codes (12,)" in out
    network = models.load(tmp_path / "g.safetensors")
    h = torch.randn(1, 12, generator=torch.Generator().manual_seed(0))
    assert torch.equal(network(h), pretrained.read_caffe(generator, size=227)(h))


def test_a_generator_whose_values_are_left_as_they_are(convert, tmp_path, generator):
    """As in the authors' walks: what lies outside [0, 1] stays, and keeps its gradient."""
    assert convert(generator, "-o", tmp_path / "g.safetensors", "--no-clamp")[0] == 0
    free, cut = models.load(tmp_path / "g.safetensors"), pretrained.read_caffe(generator)
    h = 1e4 * torch.randn(1, 12, generator=torch.Generator().manual_seed(0))
    assert free(h).min() < 0 < 1 < free(h).max()
    assert torch.allclose(free(h).clamp(0, 1), cut(h))


def test_a_mean_file(convert, tmp_path, classifier):
    blob = caffe_files.messages()["BlobProto"]()
    caffe_files.add_blob(blob, np.full((3, 100, 100), 7.0), legacy=True)
    (tmp_path / "m.binaryproto").write_bytes(blob.SerializeToString())
    out = tmp_path / "a.safetensors"
    assert convert(classifier, "-o", out, "--mean", tmp_path / "m.binaryproto")[0] == 0
    assert (models.load(out).mean == 7).all()


def test_pipelines_take_them(convert, tmp_path, classifier, generator):
    """The authors' walk on converted networks: G, E and C by one encoder, as the paper has it."""
    import ppgn

    layers = caffe_nets.generator("fc6", code=20)
    generator.write_bytes(caffe_files.encode(layers))
    assert convert(generator, "-o", tmp_path / "g.safetensors")[0] == 0
    assert convert(classifier, "-o", tmp_path / "c.safetensors")[0] == 0
    made, encoder = models.load(tmp_path / "g.safetensors"), models.load(tmp_path / "c.safetensors")
    label = int(encoder(made(torch.zeros(1, 20))).argmin())
    pipeline = ppgn.Pipeline(
        made, ppgn.priors.joint(models.Encoder(encoder).eval()), ppgn.conditions.class_label(encoder, label),
        latent_shape=made.latent_shape,
    )  # fmt: skip
    walk = ppgn.samplers.mala_approx(pipeline, 1e-5, 1.0, 1e-17, mode="released", step_size=0.1)
    samples = ppgn.sample(pipeline, n=2, steps=20, seed=0, sampler=walk, progress=False)
    assert samples.images.shape == (2, 3, 256, 256)
    assert samples.log_condition[-1].mean() > samples.log_condition[0].mean()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "a.pt"], "--out must end in .safetensors, got a.pt"),
        (["-o", "a.safetensors", "--mean", "1,2"], "--mean must be a .binaryproto or three numbers R,G,B, got '1,2'"),
        (["-o", "a.safetensors", "--mean", "no.binaryproto"], "there is no file no.binaryproto"),
        (["-o", "a.safetensors", "--size", 227], "must be given"),
    ],
)
def test_errors_are_one_line_and_nothing_is_written(convert, tmp_path, monkeypatch, classifier, arguments, message):
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    status, _, err = convert(classifier, *arguments)
    assert status == 1
    assert err.startswith("ppgn: ")
    assert err.count("\n") == 1
    assert message in err
    assert set(tmp_path.iterdir()) == before


def test_a_damaged_file(convert, tmp_path, generator):
    generator.write_bytes(generator.read_bytes()[:-3])
    status, _, err = convert(generator, "-o", tmp_path / "g.safetensors")
    assert status == 1
    assert "generator.caffemodel must have" in err
    assert "at byte" in err
    assert not (tmp_path / "g.safetensors").exists()
