"""The authors' networks at full size (on the meta device), and what every layer of a network of Caffe's refuses."""

from __future__ import annotations

import caffe_numpy
import numpy as np
import pytest
import torch

import ppgn
from ppgn import models
from ppgn.models.caffe_layers import apply, module_of, shape_after
from ppgn.models.caffe_layouts import caffenet_layers, convolution, linear, relu

FC = 3 * 4096 * 4096 + 3 * 4096  # defc7, defc6, defc5
UP = sum(i * o * k * k + o for i, o, k in [
    (256, 512, 3), (512, 256, 4), (256, 256, 3), (256, 128, 4), (128, 128, 3), (128, 64, 4), (64, 32, 4), (32, 3, 4)
])  # fmt: skip


def meta(make):
    with torch.device("meta"):
        return make()


@pytest.mark.parametrize(
    ("layer", "code", "weights"),
    [
        ("fc6", (4096,), FC + 256 * 256 * 16 + 256 + UP),
        ("fc7", (4096,), FC + 256 * 256 * 16 + 256 + UP),
        ("fc8", (1000,), FC - 3096 * 4096 + 256 * 256 * 16 + 256 + UP),
        ("pool5", (256, 6, 6), 9 * (256 + 512 + 512) * 512 + 3 * 512 + 512 * 256 * 16 + 256 + UP),
    ],
)
@pytest.mark.parametrize("size", [227, 256])
def test_generators_have_the_published_shapes(layer, code, weights, size):
    generator = meta(lambda: models.deepsim(layer, size))
    assert generator.latent_shape == code
    assert sum(p.numel() for p in generator.parameters()) == weights
    assert generator(torch.empty(2, *code, device="meta")).shape == (2, 3, size, size)
    assert generator.state_dict()["conv5_1.weight"].shape == (256, 512, 3, 3)  # transposed: inputs first


def test_caffenet_has_the_published_shapes():
    network = meta(models.caffenet)
    assert sum(p.numel() for p in network.parameters()) == 60_965_224
    assert (network.latent_shape, network.classes) == ((4096,), 1000)
    x = torch.empty(2, 3, 256, 256, device="meta")
    shapes = {"conv1": (96, 55, 55), "norm1": (96, 27, 27), "norm2": (256, 13, 13), "conv5": (256, 13, 13)}
    for blob, shape in {**shapes, "pool5": (256, 6, 6), "fc6": (4096,), "fc8": (1000,), "prob": (1000,)}.items():
        assert network.features(x, blob).shape == (2, *shape)
    assert network(x).shape == (2, 1000)
    assert network.h1_to_h(network.x_to_h1(x)).shape == (2, 4096)
    assert network.state_dict()["conv2.weight"].shape == (256, 48, 5, 5)
    assert meta(models.places205)(x).shape == (2, 205)


def spatial(stride=(1, 1), pad=(0, 0), dilation=(1, 1), groups=1, kernel=(3, 3), kind="Convolution", bias=True):
    layer = convolution("c", "x", 4, 6, 3, groups=groups, kind=kind)
    pairs = {"kernel": kernel, "stride": stride, "pad": pad, "dilation": dilation}
    return {**layer, **{key: list(pair) for key, pair in pairs.items()}, "bias": bias}


@pytest.mark.parametrize("kind", ["Convolution", "Deconvolution"])
@pytest.mark.parametrize(
    "settings",
    [
        {}, {"stride": (2, 3)}, {"pad": (2, 1)}, {"dilation": (2, 1)}, {"groups": 2}, {"kernel": (1, 4), "bias": False},
        {"stride": (3, 2), "pad": (1, 2), "dilation": (1, 2), "groups": 2, "kernel": (4, 3)},
    ],
)  # fmt: skip
def test_convolutions_against_loops(kind, settings):
    layer = spatial(**settings, kind=kind)
    rng = torch.Generator().manual_seed(0)
    module = module_of(layer).double()
    for p in module.parameters():
        p.data.copy_(torch.randn(p.shape, generator=rng))
    x = torch.randn(2, 4, 9, 8, generator=rng, dtype=torch.float64)
    bias = module.bias.detach().numpy() if module.bias is not None else None
    compute = caffe_numpy.convolution if kind == "Convolution" else caffe_numpy.deconvolution
    known = compute(x.numpy(), module.weight.detach().numpy(), bias, layer["stride"], layer["pad"], layer["dilation"],
                    layer["groups"])  # fmt: skip
    made = apply(layer, module, x).detach()
    assert np.allclose(made.numpy(), known, rtol=1e-10, atol=1e-10)
    assert made.shape[1:] == shape_after(layer, (4, 9, 8))


def pooling(method="MAX", kernel=(3, 3), stride=(2, 2), pad=(0, 0)):
    return {"name": "p", "type": "Pooling", "bottom": ["x"], "top": ["p"], "method": method,
            "kernel": kernel and list(kernel), "stride": list(stride), "pad": list(pad)}  # fmt: skip


@pytest.mark.parametrize("method", ["MAX", "AVE"])
@pytest.mark.parametrize("side", [(5, 5), (6, 6), (7, 9), (10, 3), (2, 8)])
@pytest.mark.parametrize(
    ("kernel", "stride", "pad"),
    [((3, 3), (2, 2), (0, 0)), ((3, 3), (2, 2), (1, 1)), ((3, 2), (3, 1), (2, 0)), ((2, 2), (2, 2), (1, 1)),
     ((3, 3), (1, 1), (2, 2)), (None, (1, 1), (0, 0))],
)  # fmt: skip
def test_pooling_against_loops(method, side, kernel, stride, pad):
    """Odd sides, windows cut at the edge, and padding above half a kernel, which PyTorch's own pooling refuses."""
    layer = pooling(method, kernel, stride, pad)
    x = (
        torch.randn(2, 3, *side, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 3
    )  # below padding's 0
    known = caffe_numpy.pooling(x.numpy(), method, kernel or side, stride, pad)
    made = apply(layer, None, x)
    assert np.allclose(made.numpy(), known, rtol=1e-12)
    assert made.shape[1:] == shape_after(layer, (3, *side))


@pytest.mark.parametrize(
    ("size", "alpha", "beta", "k"), [(5, 1e-4, 0.75, 1.0), (3, 0.9, 0.5, 2.0), (7, 2.0, 0.75, 1.0)]
)
def test_lrn_divides_alpha_by_the_size(size, alpha, beta, k):
    layer = {
        "name": "n",
        "type": "LRN",
        "bottom": ["x"],
        "top": ["n"],
        "size": size,
        "alpha": alpha,
        "beta": beta,
        "k": k,
    }
    x = torch.randn(2, 6, 3, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert np.allclose(apply(layer, None, x).numpy(), caffe_numpy.lrn(x.numpy(), size, alpha, beta, k), rtol=1e-12)


def small(**settings):
    layers = [convolution("conv", "data", 3, 4, 3), relu("relu", "conv"), linear("fc", "conv", 24, 5), relu("r", "fc")]
    options = {"size": (4, 5), "h1": "conv", "h": "fc", "output": "fc", **settings}
    return models.build(lambda: models.CaffeNetwork(layers, **options), seed=0).eval()


def test_blobs_before_and_after_a_layer_in_place():
    network = small()
    x = torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    before = network.features(x, "conv", after="conv")
    assert (before < 0).any()
    assert torch.equal(network.features(x, "conv"), before.relu())
    assert torch.equal(network.features(x), network.h1_to_h(network.x_to_h1(x)))


def test_gradients_reach_the_pixels_that_are_looked_at_and_no_others():
    network = small()
    x = torch.rand(1, 3, 7, 8, generator=torch.Generator().manual_seed(0), requires_grad=True)
    (g,) = torch.autograd.grad(network(x).sum(), x)
    assert (g[..., 1:5, 1:6] != 0).float().mean() > 0.5  # the centre of 4 x 5
    g[..., 1:5, 1:6] = 0
    assert (g == 0).all()


def test_a_mean_image_is_cropped_as_the_picture_is():
    network = small(mean_shape=(3, 8, 9))
    network.mean.copy_(torch.rand(3, 8, 9, generator=torch.Generator().manual_seed(1)) * 255)
    x = torch.rand(1, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    known = caffe_numpy.image_in(x.numpy(), (4, 5), network.mean.numpy())
    first = network.features(x, "conv", after="conv")
    assert torch.allclose(first, network.conv(torch.tensor(known, dtype=torch.float32)), atol=1e-3)


def test_the_encoder_of_the_joint_prior_and_trainer():
    """`models.Encoder` and `training.joint_trainer` use nothing but features, x_to_h1 and h1_to_h."""
    network = small()
    x = torch.rand(3, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    prior = ppgn.priors.joint(models.Encoder(network).eval())
    h = torch.zeros(3, 5)
    assert torch.equal(prior.score(h, x), network.features(x))
    generator = models.UpconvGenerator(5, (3, 4, 5), (4,))
    from ppgn.training import joint_trainer

    discriminator = models.ConditionalDiscriminator(5, (3, 4, 5), width=2)
    joint_trainer(generator, discriminator, network, images=x)


def test_an_unclamped_generator_is_the_authors():
    layers = [convolution("up", "feat", 2, 3, 4, stride=2, pad=1, kind="Deconvolution")]
    h = 900 * torch.randn(1, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    free = models.build(lambda: models.CaffeGenerator(layers, (2, 3, 3), clamp=False), seed=0)
    kept = models.build(lambda: models.CaffeGenerator(layers, (2, 3, 3)), seed=0)
    assert free(h).min() < 0
    assert torch.equal(free(h).clamp(0, 1), kept(h))


def test_layers_may_have_any_names(tmp_path):
    layers = [convolution("forward", "data", 3, 4, 3), linear("mean", "forward", 24, 2), linear("a.b", "mean", 2, 2)]
    network = models.build(lambda: models.CaffeNetwork(layers, (4, 5)), seed=0)
    assert sorted(name for name, _ in network.named_children()) == ["a_b", "forward_", "mean_"]
    models.save(network, tmp_path / "a.safetensors")
    x = torch.rand(1, 3, 4, 5)
    assert torch.equal(models.load(tmp_path / "a.safetensors")(x), network(x))


GOOD = convolution("conv", "data", 3, 4, 3)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([], "layers must be a list of at least one layer"),
        ([3], "each layer must be an object with a name, got 3"),
        ([{**GOOD, "type": "Eltwise"}], "layer 'conv' must be of a type of Convolution, Deconvolution.* got 'Eltwise'"),
        ([{**GOOD, "axis": 1}], "must have bottom, top and inputs, outputs, kernel.*, got .*'axis'"),
        ([{**GOOD, "kernel": [3]}], r"layer 'conv', a Convolution, has the unusable kernel \[3\]"),
        ([{**GOOD, "stride": [0, 1]}], "unusable stride"),
        ([{**GOOD, "bias": 1}], "unusable bias 1"),
        ([{**GOOD, "outputs": 2**40}], "unusable outputs"),
        ([{**GOOD, "bottom": ["a", "b"]}], "unusable bottom"),
        ([GOOD, GOOD], "layer names must differ, 'conv' comes twice"),
        ([GOOD, relu("r", "cnov")], "layer 'r' needs the blob 'cnov', which no layer before makes"),
        ([{**GOOD, "inputs": 4}], r"layer 'conv', a Convolution, must be given 4 channels, got shape \(3, 4, 5\)"),
        ([GOOD, linear("fc", "conv", 23, 2)], r"must be given 23 numbers, got shape \(4, 2, 3\)"),
        ([{**GOOD, "groups": 2}], "must have channels that 2 groups divide, got 3 inputs and 4 outputs"),
        ([{**GOOD, "kernel": [9, 9]}], r"layer 'conv' leaves nothing of a side of 4 \(kernel 9, pad 0\)"),
        ([{**pooling(stride=(4, 4), kernel=(1, 1)), "bottom": ["data"]}], "must have windows that all touch the map"),
        ([{**pooling(pad=(3, 3)), "bottom": ["data"]}], "must have windows that all touch the map"),
        ([GOOD, linear("fc", "conv", 24, 2), {**pooling(), "bottom": ["fc"]}], r"must be given a map \(C, H, W\)"),
    ],
)  # fmt: skip
def test_layers_that_cannot_be_are_refused(layers, message):
    with pytest.raises(ValueError, match=message):
        models.CaffeNetwork(layers, (4, 5))


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: small(h="fc9"), "blob must be one of data, conv, fc, got 'fc9'"),
        (lambda: small(h1="fc", h="conv"), "conv must follow from fc|needs the blob"),
        (lambda: small(size=(4,)), r"size must be \(height, width\), got \(4,\)"),
        (lambda: small(mean_shape=(3, 2, 2)), r"mean_shape must be \(3, 1, 1\) or \(3, H, W\) of at least \(4, 5\)"),
        (lambda: small(h1=None).x_to_h1(torch.zeros(1, 3, 4, 5)), "h1 must be named when the network is made"),
        (lambda: small()(torch.zeros(1, 3, 4, 4)), r"H and W of at least 4 and 5, got \(1, 3, 4, 4\)"),
        (lambda: small().features(torch.zeros(1, 3, 4, 5), "fc9"), "blob must be one of conv, fc, got 'fc9'"),
        (lambda: small().features(torch.zeros(1, 3, 4, 5), "fc", after="x"), "after must be one of conv, relu, fc, r"),
        (lambda: models.deepsim("conv1"), "layer must be one of fc6, fc7, fc8, pool5, got 'conv1'"),
        (
            lambda: meta(lambda: models.deepsim("fc6", 300)),
            r"make an image of at least \(3, 300, 300\), got \(3, 256, 256",
        ),
        (lambda: meta(models.deepsim)(torch.zeros(1, 9)), r"codes must have shape \(B, \*\(4096,\)\), got \(1, 9\)"),
    ],
)
def test_errors(act, message):
    with pytest.raises(ValueError, match=message):
        act()


def test_alexnet_normalises_first():
    order = [layer["name"] for layer in caffenet_layers(norm_first=True)]
    assert order[2:4] == ["norm1", "pool1"]
    assert [layer["name"] for layer in caffenet_layers()][2:4] == ["pool1", "norm1"]
