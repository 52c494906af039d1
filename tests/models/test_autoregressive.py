"""Drawing: all ways give one image, which is as frequent as its probability; what is known stays."""

from __future__ import annotations

import math

import pytest
import torch

from ppgn import models
from ppgn.models.autoregressive import draw
from ppgn.models.likelihoods import Bernoulli, Categorical, LogisticMixture, Normal
from ppgn.models.pixelcnn import GatedPixelCNN, PixelCNN
from ppgn.models.pixelcnn_cache import Pixels, Rows
from ppgn.random import streams

WAYS = ["cached", "fixed_point", "hybrid"]


def network(image_shape, likelihood=Bernoulli(), seed=0, classes=None, strength=2.0, dtype=torch.float64):  # noqa: B008
    """A network whose pixels depend strongly on those before."""
    made = models.build(lambda: GatedPixelCNN(image_shape, likelihood, 8, 3, 3, classes), seed).to(dtype).eval()
    for parameter in made.parameters():
        parameter.data.mul_(strength)
    if classes is not None:
        for layer in made.gated():
            layer.label.weight.data += torch.arange(classes, dtype=dtype)[:, None] / classes
    return made.requires_grad_(False)


def noise_for(made, n, seed=0):
    like = torch.empty(n, *made.image_shape, dtype=next(made.parameters()).dtype)
    return made.likelihood.noise(like, streams(seed, n))


CASES = {
    "binary": ((1, 7, 6), Bernoulli(), None),
    "labelled": ((1, 6, 7), Bernoulli(), 3),
    "levels": ((1, 5, 6), Categorical(8), None),
    "colour levels": ((3, 4, 5), Categorical(8), None),
    "mixture": ((1, 5, 5), LogisticMixture(3), None),
    "colour mixture": ((3, 5, 4), LogisticMixture(3), 2),
}


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("case", CASES)
def test_all_ways_draw_the_same_image(case, seed):
    image_shape, likelihood, classes = CASES[case]
    made = network(image_shape, likelihood, seed, classes)
    label = None if classes is None else torch.arange(4) % classes
    noise = noise_for(made, 4, seed)
    naive = draw(made, noise, label, way="naive")
    assert naive.images.std() > 0.1
    for way in WAYS:
        assert torch.equal(draw(made, noise, label, way=way).images, naive.images), way


@pytest.mark.parametrize("seed", range(5))
def test_in_single_precision_too(seed):
    made = network((1, 8, 8), seed=seed, dtype=torch.float32)
    noise = noise_for(made, 8, seed)
    naive = draw(made, noise, way="naive").images
    assert all(torch.equal(draw(made, noise, way=way).images, naive) for way in WAYS)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_parameters_from_the_caches_are_those_of_the_network(dtype):
    """To the rounding of the type: what the docstring says of how often ways may differ."""
    made = network((3, 6, 6), LogisticMixture(2), dtype=dtype)
    x = draw(made, noise_for(made, 3)).images
    whole, rows, pixels = made(x), Rows(made, None), Pixels(made, x)
    for i in range(6):
        told = rows.told(x[:, :, max(i - 1, 0)][:, :, None])
        assert torch.allclose(made.beside(x[:, :, i : i + 1], told), whole[:, :, i : i + 1], atol=1e3 * eps(dtype))
        pixels.begin(told)
        for j in range(6):
            assert torch.allclose(pixels.parameters(j)[:, :, 0, 0], whole[:, :, i, j], atol=1e3 * eps(dtype))
            pixels.put(j, x[:, :, i, j])


def eps(dtype):
    return torch.finfo(dtype).eps


def test_a_real_valued_image_is_the_same_to_rounding():
    made = network((1, 5, 5), Normal(), strength=1.0)
    noise = noise_for(made, 3)
    naive = draw(made, noise, way="naive").images
    for way in WAYS:
        assert torch.allclose(draw(made, noise, way=way).images, naive, atol=1e-12)


def test_an_image_depends_on_its_own_noise_alone():
    made = network((1, 6, 6))
    noise = noise_for(made, 4)
    assert torch.equal(draw(made, noise[2:3]).images, draw(made, noise).images[2:3])


def frequencies(images):
    """How often each of the 2x2 black and white images is drawn, (16,)."""
    code = (images.flatten(1).long() << torch.arange(4)).sum(1)
    return torch.bincount(code, minlength=16).double() / len(images)


def probabilities(made, label=None):
    x = (torch.arange(16)[:, None] >> torch.arange(4) & 1).double().view(16, 1, 2, 2)
    return made.log_prob(x, None if label is None else torch.full((16,), label)).exp()


@pytest.mark.parametrize("label", [None, 0, 1])
@pytest.mark.parametrize("way", ["naive", *WAYS])
def test_images_are_as_frequent_as_their_probabilities(way, label):
    """Pearson's chi-square over the 16 images of 2x2 pixels (15 degrees of freedom, p = 0.001: 37.7)."""
    n, made = 10_000, network((1, 2, 2), classes=None if label is None else 2, strength=1.5)
    p = probabilities(made, label)
    noise = torch.rand(n, 1, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    labels = None if label is None else torch.full((n,), label)
    seen = frequencies(draw(made, noise, labels, way=way).images)
    assert float((n * (seen - p).square() / p).sum()) < 37.7


@pytest.mark.parametrize("way", ["naive", *WAYS])
def test_a_completion_of_an_upper_part_is_a_sample_given_it(way):
    """Given the upper row of 2x2 pixels, its 4 lower rows (3 degrees of freedom, p = 0.001: 16.3)."""
    n, made = 10_000, network((1, 2, 2), strength=1.5)
    known = torch.tensor([[1.0, 0.0], [0.0, 0.0]], dtype=torch.float64).expand(n, 1, 2, 2)
    mask = torch.tensor([[True], [False]])
    noise = torch.rand(n, 1, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    seen = frequencies(draw(made, noise, way=way, known=known, mask=mask).images)
    given = torch.arange(16) % 4 == 1
    p = probabilities(made)[given]
    p = p / p.sum()
    assert float(seen[given].sum()) == pytest.approx(1)
    assert float((n * (seen[given] - p).square() / p).sum()) < 16.3


@pytest.mark.parametrize("case", ["binary", "colour levels", "colour mixture"])
def test_known_pixels_stay_and_all_ways_agree_on_the_others(case):
    """Scattered pixels, others in each image; some know one colour of a pixel alone."""
    image_shape, likelihood, classes = CASES[case]
    made = network(image_shape, likelihood, 0, classes)
    label = None if classes is None else torch.arange(4) % classes
    known = draw(made, noise_for(made, 4, seed=5), label).images
    mask = torch.rand(known.shape, generator=torch.Generator().manual_seed(0)) < 0.4
    noise = noise_for(made, 4)
    naive = draw(made, noise, label, way="naive", known=known, mask=mask)
    assert torch.equal(naive.images[mask], known[mask])
    assert not torch.equal(naive.images, known)
    for way in WAYS:
        assert torch.equal(draw(made, noise, label, way=way, known=known, mask=mask).images, naive.images)


def test_calls_are_counted():
    grey, colour = network((1, 7, 6)), network((3, 4, 5), Categorical(8))
    assert [draw(grey, noise_for(grey, 2), way=way).calls for way in ("naive", "cached")] == [42, 42 + 7]
    assert [draw(colour, noise_for(colour, 2), way=way).calls for way in ("naive", "cached")] == [60, 60 + 4]
    for made in (grey, colour):
        noise = noise_for(made, 2)
        steps = math.prod(made.image_shape)
        assert 2 < draw(made, noise, way="fixed_point").calls < steps
        assert 2 * made.image_shape[1] < draw(made, noise, way="hybrid").calls < steps
    everything = torch.ones(1, dtype=torch.bool)
    known = torch.zeros(2, 1, 7, 6, dtype=torch.float64)
    assert draw(grey, noise_for(grey, 2), way="naive", known=known, mask=everything).calls == 0


def test_pixels_that_depend_on_nothing_settle_at_once():
    """Two rounds: one to draw, one to see that nothing changes."""
    made = network((1, 6, 6), strength=0.0)
    assert draw(made, noise_for(made, 2), way="fixed_point").calls == 2


def test_a_chain_of_pixels_needs_a_round_each_and_no_more():
    """Each pixel copies its left neighbour, the first is white: one more is right in every round."""

    class Copy(torch.nn.Module):
        image_shape, likelihood = (1, 1, 9), Bernoulli()

        def forward(self, x, label=None):
            return 100 * torch.nn.functional.pad(2 * x - 1, (1, 0), value=1.0)[..., :-1]

    drawn = draw(Copy().eval(), torch.full((1, 1, 1, 9), 0.5), way="fixed_point")
    assert drawn.images.all()
    assert drawn.calls == 9


def test_other_networks_are_drawn_whole():
    made = models.build(lambda: PixelCNN((3, 4, 4), Categorical(4), width=12, layers=1), 0).double().eval()
    noise = noise_for(made, 2)
    assert torch.equal(draw(made, noise, way="naive").images, draw(made, noise, way="fixed_point").images)
    with pytest.raises(
        ValueError, match=r"cached needs a GatedPixelCNN; use one of \['fixed_point', 'naive'\] for Pixel"
    ):
        draw(made, noise)


def test_nothing_of_the_network_or_the_arguments_changes(global_randomness_untouched):
    made = network((1, 5, 5)).requires_grad_(True)
    before = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    noise, known = noise_for(made, 2), torch.ones(2, 1, 5, 5, dtype=torch.float64)
    kept, mask = noise.clone(), torch.eye(5, dtype=torch.bool)
    for way in ("naive", *WAYS):
        assert not draw(made, noise, way=way, known=known, mask=mask).images.requires_grad
    assert torch.equal(noise, kept)
    assert (known == 1).all()
    assert all(torch.equal(tensor, before[name]) for name, tensor in made.state_dict().items())
    assert all(p.grad is None for p in made.parameters())


def drawn(**arguments):
    made = network((1, 4, 4))
    return draw(**{"model": made, "noise": noise_for(made, 2), **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"way": "magic"}, r"way must be one of \['cached', 'fixed_point', 'hybrid', 'naive'\], got 'magic'"),
        ({"noise": torch.zeros(2, 1, 4, 5)}, r"noise must have shape \(B, N, 4, 4\), got \(2, 1, 4, 5\)"),
        ({"label": torch.zeros(3).long()}, r"label must have shape \(2,\), got \(3,\)"),
        ({"label": torch.zeros(2).long()}, "the network needs no labels"),
        ({"known": torch.zeros(2, 1, 4, 4)}, "known and mask must come together, got only known"),
        ({"mask": torch.ones(4, 4)}, "known and mask must come together, got only mask"),
        ({"known": torch.zeros(1, 1, 4, 4), "mask": torch.ones(4, 4)}, r"known must have shape \(2, 1, 4, 4\)"),
        (
            {"known": torch.zeros(2, 1, 4, 4), "mask": torch.ones(3)},
            r"mask must broadcast to \(2, 1, 4, 4\), got \(3,\)",
        ),
        ({"model": network((1, 4, 4)).train()}, "model must be in eval mode"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        drawn(**arguments)
