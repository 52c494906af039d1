"""Converted Caffe files against a plain-numpy computation of every layer."""

from __future__ import annotations

import caffe_files
import caffe_nets
import caffe_numpy
import numpy as np
import pytest
import torch

from ppgn import files, models, pretrained

BGR = np.array([104.0, 117.0, 123.0])


def written(tmp_path, layers, **options):
    path = tmp_path / "net.caffemodel"
    path.write_bytes(caffe_files.encode(layers, **options))
    return path


def worst(ours, theirs):
    """The largest error, relative to the largest number of the layer."""
    assert ours.shape == theirs.shape
    return float(np.abs(ours.numpy() - theirs).max() / np.abs(theirs).max())


def image(seed, *shape):
    return np.random.default_rng(seed).uniform(0, 1, shape)


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("age", ["new", "V1", "V0"])
def test_every_layer_of_caffenet_is_what_caffe_computes(tmp_path, age, norm_first):
    layers = caffe_nets.caffenet(norm_first=norm_first)
    path = written(tmp_path, layers, inputs=[("data", (1, 3, 99, 99))], age=age)
    network = pretrained.read_caffe(path)
    x = image(1, 2, 3, 104, 101)
    outputs, blobs = caffe_numpy.run(layers, caffe_numpy.image_in(x, (99, 99), BGR), "data")
    x = torch.tensor(x, dtype=torch.float32)
    for name, _, _, tops, _, _ in layers:
        assert worst(network.features(x, tops[0], after=name), outputs[name]) < 2e-6, name
    for blob in ("pool5", "fc6", "fc7", "prob"):  # the last values, after ReLUs in place
        assert worst(network.features(x, blob), blobs[blob]) < 2e-6
    assert worst(network(x), blobs["fc8"]) < 2e-6
    assert worst(network.features(x), blobs["fc6"]) < 2e-6
    assert torch.equal(network.h1_to_h(network.x_to_h1(x)), network.features(x, "fc6"))
    assert network.latent_shape == (20,)
    assert network.classes == 10
    assert (blobs["fc6"] > 0).mean() > 0.1
    assert (blobs["fc6"] == 0).mean() > 0.1


@pytest.mark.parametrize("kind", ["fc6", "pool5"])
def test_every_layer_of_a_generator_is_what_caffe_computes(tmp_path, kind):
    layers = caffe_nets.generator(kind)
    code = (12, 6, 6) if kind == "pool5" else (12,)
    network = pretrained.read_caffe(written(tmp_path, layers, inputs=[("feat", (64, *code))]))
    h = np.random.default_rng(3).normal(0, 1, (2, *code))
    outputs, _ = caffe_numpy.run(layers, h, "feat")
    codes = torch.tensor(h, dtype=torch.float32)
    for name, _, _, tops, _, _ in layers:
        assert worst(network.features(codes, tops[0], after=name), outputs[name]) < 2e-6, name
    rgb = np.clip((outputs["deconv0"] + BGR[None, :, None, None])[:, ::-1] / 255, 0, 1)
    made = network(codes)
    assert made.shape == (2, 3, 256, 256)
    assert np.abs(made.numpy() - rgb).max() < 1e-5
    assert 0.02 < (rgb == 0).mean() + (rgb == 1).mean() < 0.9  # the clamp acts on some
    assert network.latent_shape == code


def one(kind, settings, *arrays, name="it"):
    return (name, kind, ["data"], [name], settings, [np.asarray(a, np.float32) for a in arrays])


def fc(rng, inputs, outputs=3):
    weights = [rng.normal(0, 0.1, (outputs, inputs)), rng.normal(0, 1, outputs)]
    return ("fc", "InnerProduct", ["it"], ["fc"], {"inner_product": {"num_output": outputs}}, weights)


RNG = np.random.default_rng(5)
SINGLE = {
    "nine settings of a convolution": one(
        "Convolution", {"convolution": {"num_output": 4, "kernel_h": 3, "kernel_w": 2, "stride_h": 2, "stride_w": 1,
                                        "pad_h": 1, "pad_w": 0, "dilation": [1, 2], "bias_term": False}},
        RNG.normal(0, 1, (4, 3, 3, 2))),
    "pairs": one("Convolution", {"convolution": {"num_output": 6, "kernel_size": [3, 2], "stride": [1, 2],
                                                 "pad": [2, 1], "group": 3}},
                 RNG.normal(0, 1, (6, 1, 3, 2)), RNG.normal(0, 1, 6)),
    "maximum": one("Pooling", {"pooling": {"kernel_size": 3, "stride": 2, "pad": 1}}),
    "average": one("Pooling", {"pooling": {"pool": 1, "kernel_h": 2, "kernel_w": 3, "stride": 2,
                                           "pad_h": 1, "pad_w": 2}}),
    "whole map": one("Pooling", {"pooling": {"pool": 1, "global_pooling": True}}),
    "normalised": one("LRN", {"lrn": {"local_size": 3, "alpha": 0.3, "beta": 0.5, "k": 2.0}}),
    "normalised by default": one("LRN", {"lrn": {}}),
    "flat": one("Flatten", {}),
    "leaky": one("ReLU", {"relu": {"negative_slope": 0.25}}),
    "reshaped": one("Reshape", {"reshape": {"shape": {"dim": [7, 3, 10, 7]}}}),
    "split": one("Split", {}),
    "dropout": one("Dropout", {"dropout": {"dropout_ratio": 0.9}}),
    "softmax": one("Softmax", {"softmax": {"axis": 1}}),
}  # fmt: skip


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("what", SINGLE)
def test_every_layer_alone(tmp_path, what, packed):
    """Behind a 1x1 convolution, so that signs and sizes vary; odd sides, 7 x 10."""
    rng = np.random.default_rng(1)
    front = ("front", "Convolution", ["image"], ["data"], {"convolution": {"num_output": 3, "kernel_size": [1]}},
             [rng.normal(0, 0.01, (3, 3, 1, 1)), rng.normal(0, 0.3, 3)])  # fmt: skip
    layers = [front, SINGLE[what]]
    x = image(2, 2, 3, 7, 10)
    outputs, _ = caffe_numpy.run(layers, caffe_numpy.image_in(x, (7, 10), BGR), "image")
    layers.append(fc(rng, outputs["it"][0].size))
    outputs, _ = caffe_numpy.run(layers, caffe_numpy.image_in(x, (7, 10), BGR), "image")
    network = pretrained.read_caffe(written(tmp_path, layers, inputs=[("image", (1, 3, 7, 10))], packed=packed))
    x = torch.tensor(x, dtype=torch.float32)
    for name in outputs:
        assert worst(network.features(x, {"front": "data"}.get(name, name), after=name), outputs[name]) < 1e-5, name
    assert network.latent_shape == (3,)


@pytest.mark.parametrize("age", ["new", "V1"])
def test_numbers_in_double_precision(tmp_path, age):
    layers = caffe_nets.caffenet()
    plain = pretrained.read_caffe(written(tmp_path, layers, age=age), size=99)
    double = pretrained.read_caffe(written(tmp_path, layers, age=age, double=True), size=99)
    assert files.fingerprint(plain) == files.fingerprint(double)
    assert double.fc6.weight.dtype == torch.float32


@pytest.mark.parametrize("age", ["new", "V1"])
def test_a_training_net_loses_its_data_and_losses(tmp_path, age):
    layers = caffe_nets.caffenet()
    deployed = pretrained.read_caffe(written(tmp_path, layers, inputs=[("data", (1, 3, 99, 99))], age=age))
    trained = pretrained.read_caffe(written(tmp_path, caffe_nets.training(layers), age=age))
    x = torch.rand(1, 3, 99, 99, generator=torch.Generator().manual_seed(0))
    assert trained.size == (99, 99)  # the crop of its data layer
    assert torch.equal(trained(x), deployed(x))
    assert [layer["name"] for layer in trained.layers][-1] == "fc8_split"


@pytest.mark.parametrize("norm_first", [False, True])
def test_a_stripped_classifier_is_known_by_its_names(tmp_path, norm_first):
    layers = caffe_nets.caffenet(norm_first=norm_first)
    whole = pretrained.read_caffe(written(tmp_path, layers), size=99)
    bare = caffe_nets.stripped(layers)
    if norm_first:  # a hint of the order is enough
        bare[1:1] = [("norm1", "", [], [], {}, []), ("pool1", "", [], [], {}, [])]
    again = pretrained.read_caffe(written(tmp_path, bare), size=99)
    x = torch.rand(1, 3, 99, 99, generator=torch.Generator().manual_seed(0))
    assert torch.equal(again(x), whole(x))
    assert (again.h1, again.h, again.output) == ("pool5", "fc6", "fc8")


@pytest.mark.parametrize("kind", ["fc6", "pool5"])
def test_a_generator_is_known_by_its_names(tmp_path, kind):
    """Stripped, or beside the encoder and the losses that it was trained with."""
    layers = caffe_nets.generator(kind)
    code = (12, 6, 6) if kind == "pool5" else (12,)
    h = torch.randn(1, *code, generator=torch.Generator().manual_seed(0))
    whole = pretrained.read_caffe(written(tmp_path, layers, inputs=[("feat", (64, *code))]), size=227)
    bare = pretrained.read_caffe(written(tmp_path, caffe_nets.stripped(layers)), size=227)
    assert torch.equal(bare(h), whole(h))
    assert bare.size == (227, 227)
    encoder = caffe_nets.training(caffe_nets.caffenet())[:-2]
    feat = ("feat", "Split", ["fc6" if kind == "fc6" else "pool5"], ["feat"], {}, [])
    loss = ("loss", "EuclideanLoss", ["generated", "data"], ["loss"], {}, [])
    crop = ("crop", "Crop", ["generated", "data"], ["cropped"], {}, [])
    beside = pretrained.read_caffe(written(tmp_path, [*encoder, feat, *layers, crop, loss]), size=227)
    assert torch.equal(beside(h), whole(h))


def test_means(tmp_path):
    layers = caffe_nets.caffenet()
    path = written(tmp_path, layers, inputs=[("data", (1, 3, 99, 99))])
    assert pretrained.read_caffe(path).mean.flatten().tolist() == [104, 117, 123]
    assert pretrained.read_caffe(path, mean=(1, 2, 3)).mean.flatten().tolist() == [3, 2, 1]
    own = caffe_nets.training(layers)
    own[0][4]["transform"]["mean_value"] = [5.0, 6.0, 7.0]
    assert pretrained.read_caffe(written(tmp_path, own)).mean.flatten().tolist() == [5, 6, 7]


@pytest.mark.parametrize("legacy", [True, False])
def test_a_mean_image(tmp_path, legacy):
    layers = caffe_nets.caffenet()
    path = written(tmp_path, layers, inputs=[("data", (1, 3, 99, 99))])
    mean = image(3, 3, 110, 105) * 200
    blob = caffe_files.messages()["BlobProto"]()
    caffe_files.add_blob(blob, mean, legacy=legacy)
    (tmp_path / "mean.binaryproto").write_bytes(blob.SerializeToString())
    network = pretrained.read_caffe(path, mean=tmp_path / "mean.binaryproto")
    x = image(1, 1, 3, 99, 99)
    outputs, _ = caffe_numpy.run(layers, caffe_numpy.image_in(x, (99, 99), mean.astype(np.float32)), "data")
    assert worst(network(torch.tensor(x, dtype=torch.float32)), outputs["fc8"]) < 2e-6
    models.save(network, tmp_path / "a.safetensors")
    assert torch.equal(models.load(tmp_path / "a.safetensors").mean, network.mean)


def test_a_data_split_before_the_first_layer(tmp_path):
    layers = caffe_nets.caffenet()
    name, kind, _, tops, settings, arrays = layers[0]
    split = ("data_split", "Split", ["data"], ["data_0", "data_1"], {}, [])
    spilt = [split, (name, kind, ["data_0"], tops, settings, arrays), *layers[1:]]
    x = torch.rand(1, 3, 99, 99, generator=torch.Generator().manual_seed(0))
    plain = pretrained.read_caffe(written(tmp_path, layers), size=99)
    assert torch.equal(pretrained.read_caffe(written(tmp_path, spilt), size=99)(x), plain(x))


def test_converting_changes_no_global_randomness(tmp_path, global_randomness_untouched):
    network = pretrained.read_caffe(written(tmp_path, caffe_nets.caffenet()), size=99)
    assert not network.training
    assert not any(p.requires_grad for p in network.parameters())


CONV = {"convolution": {"num_output": 4, "kernel_size": [3]}}
W, B = np.ones((4, 3, 3, 3)), np.ones(4)


@pytest.mark.parametrize(
    ("layers", "error", "message"),
    [
        ([one("Eltwise", {}), one("Convolution", CONV, W, B, name="c")], ValueError,
         "must be made of the layer types Convolution, .*Split; it has Eltwise"),
        ([one("Pooling", {}, W)], ValueError, "with their settings; it lack them"),
        ([one("Convolution", {}, W)], ValueError, "with their settings; it lack them"),
        ([one("ReLU", {})], ValueError, "it has none with numbers"),
        ([one("Convolution", CONV, W, B)], ValueError, "must go from images of 3 channels to an InnerProduct"),
        ([one("Convolution", CONV, np.ones((5, 3, 3, 3)), B)], files.DamagedFileError,
         r"must have weights \(4, 3, 3, 3\) and 4 biases for layer 'it' at byte \d+, got \(5, 3, 3, 3\), \(4,\)"),
        ([one("Convolution", CONV, W)], files.DamagedFileError, r"and 4 biases for layer 'it'.*got \(4, 3, 3, 3\)"),
        ([one("Convolution", {"convolution": {"num_output": 4, "kernel_size": [3], "axis": 2}}, W, B)], ValueError,
         r"layer 'it' \(Convolution\) must have axis 1, got 2"),
        ([one("InnerProduct", {"inner_product": {"transpose": True}}, np.ones((2, 2)), np.ones(2))], ValueError,
         r"layer 'it' \(InnerProduct\) must have transpose False, got True"),
        ([one("LRN", {"lrn": {"norm_region": 1}}, W)], ValueError, "must have norm_region 0, got 1"),
        ([one("Pooling", {"pooling": {"pool": 2, "kernel_size": 2}}, W)], ValueError, r"MAX \(0\) or AVE \(1\), got 2"),
        ([one("Pooling", {"pooling": {"round_mode": 1, "kernel_size": 2}}, W)], ValueError, "must have round_mode 0"),
        ([one("Pooling", {"pooling": {"stride": 2}}, W)], ValueError, "must give kernel_size for height and width"),
        ([one("Reshape", {"reshape": {"shape": {"dim": [0, -1]}}}, W)], ValueError,
         r"must give all sizes after the batch, got shape \[0, -1\] from axis 0"),
        ([one("Softmax", {"softmax": {"axis": 2}}, W)], ValueError, "must have axis 1, got 2"),
    ],
)  # fmt: skip
def test_nets_that_are_none_of_ours(tmp_path, layers, error, message):
    with pytest.raises(error, match=message):
        pretrained.read_caffe(written(tmp_path, layers, inputs=[("data", (1, 3, 5, 5))]))


def test_other_errors(tmp_path):
    path = written(tmp_path, caffe_nets.caffenet())
    with pytest.raises(FileNotFoundError, match="there is no file"):
        pretrained.read_caffe(tmp_path / "none")
    with pytest.raises(ValueError, match=r"must be given \d+ numbers"):
        pretrained.read_caffe(path)  # 227 pixels do not fit, and the file says no other size
    with pytest.raises(ValueError, match="mean must be three numbers R, G, B, got 2"):
        pretrained.read_caffe(path, mean=(1, 2), size=99)
    with pytest.raises(files.DamagedFileError, match="at byte 0"):
        pretrained.read_caffe(path, mean=path, size=99)
    blob = caffe_files.messages()["BlobProto"]()
    caffe_files.add_blob(blob, np.ones((1, 4, 4)))
    (tmp_path / "mean").write_bytes(blob.SerializeToString())
    with pytest.raises(ValueError, match=r"must hold a mean image \(3, H, W\), got shape \(1, 4, 4\)"):
        pretrained.read_caffe(path, mean=tmp_path / "mean", size=99)
