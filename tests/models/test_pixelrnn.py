"""PixelRNNs: who sees whom, that scans are what the equations say, that probabilities of all images sum to 1."""

from __future__ import annotations

import json

import pytest
import torch
from torch.autograd.functional import jacobian

from ppgn import models
from ppgn.models import lstm_scan, pixelrnn_layers
from ppgn.models.autoregressive import draw
from ppgn.models.likelihoods import Bernoulli, Categorical, LogisticMixture, Normal
from ppgn.models.pixelrnn import DiagonalBiLSTM, RowLSTM
from ppgn.models.pixelrnn_layers import DiagonalLayer, RowLayer, skew, unskew
from ppgn.random import streams

BOTH = [RowLSTM, DiagonalBiLSTM]


def network(kind, image_shape, likelihood=Bernoulli(), layers=2, seed=0, strength=1.0, **rest):  # noqa: B008
    """In double precision, and the stronger the more pixels depend on those before."""
    made = models.build(lambda: kind(image_shape, likelihood, width=6, layers=layers, **rest), seed).double().eval()
    for parameter in made.parameters():
        parameter.data.mul_(strength)
    return made.requires_grad_(False)


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def depends(made, step=1):
    """(steps, H, W, steps, H, W): does any parameter of a step of drawing a pixel depend on a step of another?

    step: channels that are drawn together.
    """
    channels, height, width = made.image_shape
    steps = channels // step
    x = streams(3, 1).uniform(torch.empty(1, channels, height, width, dtype=torch.float64), 0)[0]
    j = jacobian(lambda x: made(x[None])[0], x)
    return (j.view(steps, -1, height, width, steps, step, height, width) != 0).any(5).any(1)


def seen(kind, image_shape, likelihood=Bernoulli(), layers=2, step=1):  # noqa: B008
    """What some of four networks depend on: a dead rectifier may hide a path of one."""
    each = [depends(network(kind, image_shape, likelihood, layers, seed), step) for seed in range(4)]
    return torch.stack(each).any(0)


def earlier(steps, height, width):
    """(steps, H, W, steps, H, W): what comes before what in raster order, red, green, blue."""
    time = torch.arange(height * width * steps).view(height, width, steps).permute(2, 0, 1)
    return time[..., None, None, None] > time


def triangle(steps, height, width, layers):
    """What RowLSTM says it sees: n rows up, n + layers + 3 columns to the left and n + 2 to the right."""
    i, j = torch.arange(height), torch.arange(width)
    up = i[:, None, None, None] - i[:, None]
    right = j - j[:, None, None]
    inside = (right >= -(up + layers + 3)) & ((up == 0) | (right <= up + 2))
    return earlier(steps, height, width) & inside[None, :, :, None]


CASES = [
    ((1, 5, 9), Bernoulli(), 1),
    ((1, 9, 5), Categorical(3), 1),
    ((3, 3, 4), Categorical(3), 1),
    ((3, 4, 3), Normal(), 1),
    ((3, 4, 4), LogisticMixture(2), 3),
]


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize(("image_shape", "likelihood", "step"), CASES)
def test_the_diagonals_see_all_before_and_nothing_else(image_shape, likelihood, step, layers):
    found = seen(DiagonalBiLSTM, image_shape, likelihood, layers, step)
    assert torch.equal(found, earlier(image_shape[0] // step, *image_shape[1:]))


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize(("image_shape", "likelihood", "step"), CASES)
def test_the_rows_see_a_triangle_and_nothing_else(image_shape, likelihood, step, layers):
    found = seen(RowLSTM, image_shape, likelihood, layers, step)
    known = triangle(image_shape[0] // step, *image_shape[1:], layers)
    assert torch.equal(found, known)


def test_without_the_shift_down_the_future_leaks(monkeypatch):
    """The classic mistake: the pixel itself and those to its right are seen. So the tests above can fail."""
    monkeypatch.setattr(pixelrnn_layers, "shifted_down", lambda x: x)
    leaks = seen(DiagonalBiLSTM, (1, 4, 6)) & ~earlier(1, 4, 6)
    assert leaks[0, 2, 1, 0, 2, 1:-1].all()


def test_without_the_ends_of_rows_one_pixel_goes_unseen():
    """The last of the row above, from columns out of the first convolution's reach: the paper's own network."""
    unseen = earlier(1, 5, 9)
    for seed in range(4):
        made = network(DiagonalBiLSTM, (1, 5, 9), layers=3, seed=seed)
        made.body.first.end.weight.zero_()
        unseen &= ~depends(made)
    assert unseen.nonzero().tolist() == [[0, i, j, 0, i - 1, 8] for i in range(1, 5) for j in range(5)]


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 5), (5, 1), (3, 4), (4, 3), (4, 4)])
def test_skewing_is_undone_and_puts_diagonals_together(height, width):
    x = noise(2, 3, height, width, 2)
    skewed = skew(x)
    assert torch.equal(unskew(skewed, height, width), x)
    diagonals = [line.size for line in lstm_scan.diagonals(height, width)]
    for d, line in enumerate(skewed.split(diagonals, 2)):
        places = [(i, d - i) for i in range(height) if 0 <= d - i < width]
        assert torch.equal(line, torch.stack([x[:, :, i, j] for i, j in places], 2))


def test_gradients_pass_skewing_twice():
    x = noise(1, 1, 2, 3, 2).requires_grad_()
    assert torch.autograd.gradcheck(skew, x)
    assert torch.autograd.gradgradcheck(lambda x: skew(x).square(), x)


def cell(gates, c):
    """Eq. 3 of the paper, for one pixel: gates (4 width, B)."""
    o, f, i, g = gates.chunk(4)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def slow_rows(layer, x):
    """RowLayer pixel by pixel, with the paper's own 3x1 convolution: its third column is masked."""
    _, height, width, batch = x.shape
    kernel = layer.input.masked_weight[:, :, 0]
    zero = x.new_zeros(layer.state.shape[1] // 4, batch)
    h, c = {}, {}
    for i in range(height):
        for j in range(width):
            gates = layer.input.bias[:, None] + kernel[:, :, 1] @ x[:, i, j]
            if j:
                gates = gates + kernel[:, :, 0] @ x[:, i, j - 1]
            above = torch.cat([h.get((i - 1, j + k), zero) for k in (-1, 0, 1)])
            h[i, j], c[i, j] = cell(gates + layer.state[0] @ above, c.get((i - 1, j), zero))
    states = torch.stack([torch.stack([h[i, j] for j in range(width)], 1) for i in range(height)], 1)
    return x + mixed(layer, states)


def slow_diagonals(layer, x):
    """DiagonalLayer pixel by pixel: from the left, and from the right, whose states count one row further down."""
    _, height, width, batch = x.shape
    kernels = (layer.input.weight * layer.input.mask)[:, :, 0, 0].chunk(2)
    zero = x.new_zeros(layer.state.shape[1] // 4, batch)
    total = x.new_zeros(len(zero), height, width, batch)
    for way, side in enumerate((-1, 1)):
        h, c = {}, {}
        for i in range(height):
            for j in range(width)[::-side]:
                gates = layer.input.bias.chunk(2)[way][:, None] + kernels[way] @ x[:, i, j]
                before = torch.cat([h.get((i - 1, j), zero), h.get((i, j + side), zero)])
                h[i, j], c[i, j] = cell(gates + layer.state[way] @ before, c.get((i, j + side), zero))
                if i + way < height:
                    total[:, i + way, j] += h[i, j]
    return x + mixed(layer, total)


def mixed(layer, states):
    kernel = (layer.mix.weight * layer.mix.mask)[:, :, 0, 0]
    return torch.einsum("oc,chwb->ohwb", kernel, states) + layer.mix.bias[:, None, None, None]


@pytest.mark.parametrize(("height", "width"), [(1, 4), (4, 1), (3, 5), (5, 3)])
@pytest.mark.parametrize(("kind", "slow"), [(RowLayer, slow_rows), (DiagonalLayer, slow_diagonals)])
def test_a_layer_is_the_equations_pixel_by_pixel(kind, slow, height, width):
    layer = models.build(lambda: kind(4, groups=2, classes=None), 0).double().requires_grad_(False)
    layer.state.mul_(3)
    x = noise(8, height, width, 2)
    assert torch.allclose(layer(x), slow(layer, x), atol=1e-12, rtol=0)


@pytest.mark.parametrize("lines", [lstm_scan.rows(3, 2), lstm_scan.diagonals(3, 2)])
def test_a_scan_stays_exact_under_autocast(lines):
    """Cells are never rounded to bfloat16, so neither is the result."""
    taps = 3 if len(lines) == 3 else 2
    inputs, weight = noise(1, 8, 6, 2).float(), noise(1, 8, taps * 2, seed=1).float()
    exact = lstm_scan.scan(inputs, weight, lines)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(lstm_scan.scan(inputs, weight, lines), exact)


def every_image(channels, height, width):
    """All black and white images (2 ** (C H W), C, H, W)."""
    n = channels * height * width
    return (torch.arange(2**n)[:, None] >> torch.arange(n) & 1).double().view(-1, channels, height, width)


@pytest.mark.parametrize("label", [None, 0, 2])
@pytest.mark.parametrize("kind", BOTH)
def test_all_images_of_four_pixels_sum_to_one(kind, label):
    made = network(kind, (1, 2, 2), strength=4.0, classes=None if label is None else 3)
    for layer in made.body.layers if label is not None else []:
        layer.label.weight.copy_(torch.arange(3)[:, None])
    log_p = made.log_prob(every_image(1, 2, 2), None if label is None else torch.full((16,), label))
    assert float(log_p.logsumexp(0)) == pytest.approx(0, abs=1e-12)
    assert log_p.max() - log_p.min() > 1


@pytest.mark.parametrize("likelihood", [Bernoulli(), Categorical(2)])
@pytest.mark.parametrize("kind", BOTH)
def test_all_colour_images_of_two_pixels_sum_to_one(kind, likelihood):
    made = network(kind, (3, 1, 2), likelihood, strength=3.0)
    assert float(made.log_prob(every_image(3, 1, 2)).logsumexp(0)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("kind", BOTH)
def test_labels_begin_without_effect_and_then_have_one(kind):
    made = network(kind, (1, 3, 3), classes=4)
    x, a, b = noise(2, 1, 3, 3).sigmoid(), torch.tensor([0, 0]), torch.tensor([0, 3])
    assert torch.equal(made(x, a), made(x, b))
    made.body.layers[1].label.weight[3] = 1
    changed = made(x, a) != made(x, b)
    assert not changed[0].any()
    assert changed[1].all()


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(("image_shape", "likelihood"), [((1, 5, 6), Bernoulli()), ((3, 3, 4), Categorical(8))])
def test_both_ways_of_drawing_draw_the_same_image(kind, image_shape, likelihood):
    made = network(kind, image_shape, likelihood, strength=2.0)
    drawn_from = likelihood.noise(torch.empty(3, *image_shape, dtype=torch.float64), streams(0, 3))
    naive, fixed_point = (draw(made, drawn_from, way=way) for way in ("naive", "fixed_point"))
    assert naive.images.std() > 0.1
    assert torch.equal(naive.images, fixed_point.images)
    assert fixed_point.calls < naive.calls
    with pytest.raises(ValueError, match=f"cached needs a GatedPixelCNN.* for {kind.__name__}"):
        draw(made, drawn_from)


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("classes", [None, 3])
def test_a_network_is_rebuilt_from_its_description(kind, classes):
    made = models.build(lambda: kind((3, 4, 4), LogisticMixture(2), width=6, layers=2, classes=classes), 0)
    again = kind(**json.loads(json.dumps(made.config)))
    again.load_state_dict(made.state_dict())
    x, label = noise(1, 3, 4, 4).sigmoid().float(), None if classes is None else torch.tensor([1])
    assert torch.equal(again(x, label), made(x, label))
    assert again.config == made.config


@pytest.mark.parametrize("kind", BOTH)
def test_gradients_are_those_of_differences(kind):
    """With respect to image and weights; the second ones too, which a sampler by curvature needs."""
    made = network(kind, (1, 2, 3), strength=2.0)
    weight = made.body.layers[0].state.clone().requires_grad_()

    def log_prob(x, weight):
        changed = {"body.layers.0.state": weight}
        parameters = torch.func.functional_call(made, changed, (x,))
        return made.likelihood.log_prob(parameters, x)

    x = noise(2, 1, 2, 3).sigmoid().requires_grad_()
    assert torch.autograd.gradcheck(log_prob, (x, weight), fast_mode=True)
    assert torch.autograd.gradgradcheck(log_prob, (x, weight), fast_mode=True)


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda kind: kind(layers=0), "layers must be at least 1, got 0"),
        (lambda kind: kind((3, 4, 4), width=1), "groups must be at least 1 and at most .* got 3 groups"),
        (lambda kind: kind(likelihood=Normal(shared=True)), "likelihood must give each pixel its own parameters"),
        (
            lambda kind: kind((1, 4, 4), layers=1)(torch.zeros(1, 1, 4, 5)),
            r"must have shape \(B, 1, 4, 4\), got \(1, 1, 4, 5",
        ),
        (
            lambda kind: kind((1, 2, 2), layers=1)(torch.zeros(1, 1, 2, 2), torch.tensor([1])),
            r"needs no labels, got \(1,\)",
        ),
        (
            lambda kind: kind((1, 2, 2), layers=1, classes=3)(torch.zeros(1, 1, 2, 2)),
            r"needs labels \(B,\) of 3 .* got none",
        ),
    ],
)
def test_errors(kind, call, message):
    with pytest.raises(ValueError, match=message):
        call(kind)
