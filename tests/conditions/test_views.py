"""Random views: what they show, that they depend on (seed, chain, step) alone, and who takes them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice

import pytest
import torch
from targets import Logistic, linear
from torch import Tensor, nn

import ppgn
from ppgn import samplers
from ppgn.conditions import class_label, views
from ppgn.random import streams


@dataclass(frozen=True)
class Pixel:
    """log p = the value of one pixel: shows where a view was taken from."""

    row: int
    column: int

    def log_prob(self, x: Tensor) -> Tensor:
        return x[:, 0, self.row, self.column]

    def rows(self, index):
        return self


def ramp(b: int = 5, height: int = 11, width: int = 9) -> Tensor:
    """Pixel (i, j) of image k is 1000 k + 20 i + j."""
    i, j = torch.arange(height).view(-1, 1), torch.arange(width)
    return (1000 * torch.arange(b).view(-1, 1, 1, 1) + 20 * i + j).double()


def drawn(condition, x, step=3, seed=0):
    return condition.drawn(streams(seed, len(x)), step, x.new_empty(len(x), 2))


def test_a_view_is_the_image_moved_by_its_offset():
    x = ramp()
    view = drawn(views(Pixel(5, 4), shift=3, n=1), x)
    moved = view.offset[:, 0]
    assert view.log_prob(x).tolist() == (x[:, 0, 5, 4] - 20 * moved[:, 0] - moved[:, 1]).tolist()


def test_several_views_are_averaged():
    x = ramp()
    view = drawn(views(Pixel(5, 4), shift=3, n=7), x)
    expected = x[:, 0, 5, 4] - 20 * view.offset[..., 0].mean(1) - view.offset[..., 1].mean(1)
    assert torch.allclose(view.log_prob(x), expected)


def test_edges_repeat_their_last_pixels():
    x = ramp(1)
    view = replace(drawn(views(Pixel(0, 0), shift=3, n=1), x), offset=torch.tensor([[[2.0, 0.0]]]))
    assert view.log_prob(x).item() == x[0, 0, 0, 0]
    view = replace(view, offset=torch.tensor([[[0.0, -3.0]]]))
    assert view.log_prob(x).item() == x[0, 0, 0, 3]


def test_offsets_are_uniform():
    """Every whole number from -shift to shift, by a chi-square of 2 shift degrees: below its mean + 4 deviations."""
    offset = drawn(views(Pixel(0, 0), shift=4, n=100), torch.zeros(100, 1, 9, 9)).offset
    counts = torch.stack([(offset == k).sum() for k in range(-4, 5)]).double()
    assert counts.sum() == offset.numel()
    expected = offset.numel() / 9
    assert ((counts - expected) ** 2 / expected).sum() < 8 + 4 * 16**0.5


def test_a_zoom_is_about_the_middle():
    x = ramp(4)
    view = drawn(views(Pixel(5, 4), shift=0, n=3, scale=(0.8, 1.5)), x)
    assert torch.allclose(view.log_prob(x), x[:, 0, 5, 4])  # the middle stays
    away = replace(view, condition=Pixel(7, 5)).log_prob(x)
    assert ((view.zoom >= 0.8) & (view.zoom <= 1.5)).all()
    assert torch.allclose(away, x[:, 0, 5, 4] + (41 / view.zoom).mean(1))


def test_the_gradient_is_the_mean_of_the_views_gradients():
    x = ramp(2).requires_grad_()
    view = drawn(views(Pixel(5, 4), shift=2, n=4), x)
    (gradient,) = torch.autograd.grad(view.log_prob(x).sum(), x)
    expected = torch.zeros_like(x)
    for k in range(2):
        for down, across in view.offset[k].int().tolist():
            expected[k, 0, 5 - down, 4 - across] += 0.25
    assert torch.equal(gradient, expected)


def test_the_gradient_of_a_zoom_is_the_finite_difference():
    x = torch.rand(2, 1, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    view = drawn(views(Pixel(3, 3), shift=2, n=2, scale=(0.9, 1.2)), x)
    assert torch.autograd.gradcheck(view.log_prob, x)


def test_the_image_itself_is_the_view_before_any_step():
    x = ramp()
    condition = views(Pixel(5, 4), shift=3)
    assert torch.equal(condition.log_prob(x), Pixel(5, 4).log_prob(x))


def test_views_depend_on_seed_chain_and_step_alone():
    x, condition = ramp(6), views(Pixel(5, 4), shift=3, n=2, scale=(0.9, 1.1))
    rng = streams(0, 6)
    whole = condition.drawn(rng, 7, x)
    alone = condition.drawn(streams(0, 1, first=4), 7, x[4:5])
    assert torch.equal(alone.offset[0], whole.offset[4])
    assert torch.equal(alone.log_prob(x[4:5]), whole.log_prob(x)[4:5])
    index = torch.tensor([5, 0])
    assert torch.equal(whole.rows(index).log_prob(x[index]), whole.log_prob(x)[index])
    assert torch.equal(condition.rows(index).drawn(rng.rows(index), 7, x[index]).offset, whole.offset[index])
    for other in (condition.drawn(rng, 8, x), condition.drawn(streams(1, 6), 7, x)):
        assert not torch.equal(other.offset, whole.offset)


def test_views_of_views_are_drawn_too():
    x = ramp(3)
    nested = drawn(views(views(Pixel(5, 4), shift=1, n=1), shift=1, n=1), x)
    moved = nested.offset[:, 0] + nested.condition.offset[:, 0]
    assert torch.allclose(nested.log_prob(x), x[:, 0, 5, 4] - 20 * moved[:, 0] - moved[:, 1])


def test_views_of_views_are_drawn_apart():
    nested = drawn(views(views(Pixel(5, 4), shift=4, n=8), shift=4, n=8), ramp())
    assert not torch.equal(nested.offset, nested.condition.offset)


@pytest.mark.parametrize("options", [{}, {"scale": (0.9, 1.1)}])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_codes_in_half_precision_see_the_views_of_single_precision(dtype, options):
    """In bfloat16, pixel 999 would be 1000, beyond the edge of an image of 1000 columns."""
    x = torch.zeros(2, 1, 4, 1000)
    x[..., -1] = 1.0
    condition = views(Pixel(2, 999), shift=3, n=4, **options)
    rng = streams(0, 2)
    half = condition.drawn(rng, 1, torch.zeros(2, 3, dtype=dtype))
    single = condition.drawn(rng, 1, torch.zeros(2, 3))
    assert half.offset.dtype == torch.float32
    assert torch.equal(half.offset, single.offset)
    assert torch.allclose(half.log_prob(x.to(dtype)).float(), single.log_prob(x), atol=0.02)


class Blob(nn.Module):
    """h (B, 2) -> a bright spot there, on (B, 1, 12, 12); written without sums over rows, so that bits are its own."""

    def forward(self, h):
        i = torch.arange(12, dtype=h.dtype)
        down, across = ((i - 6 - 3 * h[:, k, None]) ** 2 for k in (0, 1))
        return (-(down[:, :, None] + across[:, None, :]) / 8).exp()[:, None]


def pipeline(batch_size=None, label=0, **options) -> ppgn.Pipeline:
    classifier = nn.Sequential(nn.AvgPool2d(6), nn.Flatten()).eval()  # which quarter is the brightest
    condition = views(class_label(classifier, label), shift=2, n=3, **options)
    return ppgn.Pipeline(Blob().eval(), ppgn.priors.gaussian((2,)), condition, latent_shape=(2,), batch_size=batch_size)


WALKS = {
    "mala_approx": lambda p: samplers.mala_approx(p, 0.02, 0.5, 0.1),
    "ula": lambda p: samplers.ula(p, 0.02),
    "activation_max": lambda p: samplers.activation_max(p, 0.1),
}


@pytest.mark.parametrize("walk", WALKS)
def test_the_terms_of_a_step_are_those_of_its_views(walk):
    target, rng = pipeline(), streams(0, 4)
    h0 = rng.normal(torch.empty(4, 2), 0, "start")
    states = list(islice(samplers.chain(WALKS[walk](target), h0, rng), 4))
    for k, state in enumerate(states):
        at = target if k == 0 else target.drawn(rng, k, state.h)
        assert all(torch.equal(a, b) for a, b in zip(state.terms, at(state.h), strict=True))
    assert torch.equal(states[0].terms.condition, target.given(target.condition.condition)(h0).condition)


def test_annealed_takes_the_views_of_its_step():
    prior = ppgn.priors.dae(lambda h, sigma: h / (1 + sigma**2), 0.1, conditional=True)
    target, rng = replace(pipeline(), prior=prior), streams(0, 4)
    state = next(islice(samplers.chain(samplers.annealed(target, 3.0, 0.1, 2), torch.ones(4, 2), rng), 3, None))
    drawn = target.drawn(rng, 3, state.h).conditioned(state.h)
    assert torch.equal(drawn[1], state.terms.condition)
    assert not torch.equal(target.conditioned(state.h)[1], state.terms.condition)


@pytest.mark.parametrize("options", [{}, {"scale": (0.9, 1.1)}])
@pytest.mark.parametrize("walk", WALKS)
def test_the_same_bits_in_parts_alone_and_resumed(walk, options):
    n, steps, labels = 5, 6, [0, 3, 1, 2, 0]

    def run(batch_size=None, steps=steps):
        target = pipeline(batch_size, labels, **options)
        return target, ppgn.sample(target, n, steps, seed=0, sampler=WALKS[walk], progress=False)

    _, whole = run()
    _, parts = run(batch_size=2)
    assert torch.equal(parts.codes, whole.codes)
    assert torch.equal(parts.log_condition, whole.log_condition)
    target, begun = run(steps=2)
    resumed = begun.resume(target, steps - 2, sampler=WALKS[walk], progress=False)
    assert torch.equal(resumed.codes, whole.codes)
    assert torch.equal(resumed.log_condition, whole.log_condition)
    alone = pipeline(None, labels[3], **options)
    h0 = alone.prior.sample(1, streams(0, 1, first=3)).float()
    end = next(islice(samplers.chain(WALKS[walk](alone), h0, streams(0, 1, first=3)), steps, None))
    assert torch.equal(end.h[0], whole.codes[3])
    assert whole.labels.tolist() == labels


def test_what_does_not_vary_costs_nothing():
    fixed = pipeline()
    fixed = fixed.given(fixed.condition.condition)
    assert not fixed.varies
    assert fixed.drawn(streams(0, 2), 1, torch.zeros(2, 2)) is fixed
    assert pipeline().varies


@pytest.mark.parametrize(
    "build",
    [
        lambda p: samplers.mala(p, 0.1),
        lambda p: samplers.isir(p),
        lambda p: samplers.smc(p, 0.1),
        lambda p: samplers.rejection(p),
        lambda p: samplers.best_of_n(p),
    ],
    ids=["mala", "isir", "smc", "rejection", "best_of_n"],
)
def test_kernels_that_compare_densities_refuse_views_by_name(build, request):
    name = request.node.callspec.id
    with pytest.raises(TypeError, match=rf"^{name} needs a condition that stays the same, .* \(views\); mala_approx"):
        build(pipeline())


def test_auto_does_not_choose_an_exact_kernel():
    target = pipeline()
    with pytest.raises(ValueError, match="auto needs a prior with a density and a condition that stays the same"):
        ppgn.sample(target, 2, 2, seed=0, sampler="auto", progress=False)
    walking = replace(target, sampler=WALKS["ula"])
    samples = ppgn.sample(walking, 2, 2, seed=0, sampler="auto", progress=False)
    assert samples.record["sampler"]["name"] == "ula"
    assert "drawn anew at each step" in samples.record["reason"]


def test_bad_numbers():
    condition = Logistic(1.0, 0.0)
    with pytest.raises(ValueError, match="shift at least 0 and n at least 1, got shift=-1, n=4"):
        views(condition, -1)
    with pytest.raises(ValueError, match="got shift=16, n=0"):
        views(condition, n=0)
    with pytest.raises(ValueError, match=r"shift and n must be whole numbers, .* got shift=1\.5, n=4"):
        views(condition, shift=1.5)
    for scale in ((0.0, 1.0), (1.2, 0.9), (1.0, float("inf"))):
        with pytest.raises(ValueError, match=r"scale must be \(low, high\) with 0 < low <= high, got"):
            views(condition, scale=scale)
    with pytest.raises(ValueError, match="shift must be less than the image's shorter side, 9 pixels, got 16"):
        drawn(views(Pixel(0, 0)), ramp()).log_prob(ramp())


def test_plain_functions_walk_as_before():
    case = linear()
    plain = case.pipeline(0)
    h0 = torch.zeros(2, 3, dtype=torch.float64)
    ends = [
        next(islice(samplers.chain(samplers.ula(target, 0.01), h0, streams(0, 2)), 3, None)).h
        for target in (plain, lambda h: plain(h))
    ]
    assert torch.equal(*ends)
