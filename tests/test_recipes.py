"""The authors' seven settings: what they say, and one step of each kind against the formula written out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import ppgn
from ppgn import recipes
from ppgn.conditions import class_label, inpaint, unit
from ppgn.random import streams

TABLE = {  # steps, first and last step size, e1, e3: github.com/Evolving-AI-Lab/ppgn, its seven scripts
    "released/class": (200, 1.0, 1.0, 1e-5, 1e-17),
    "released/classes-in-turn": (200, 1.0, 1.0, 1e-5, 1e-17),
    "released/hidden-unit": (1000, 1.0, 1.0, 1e-5, 1e-17),
    "released/hidden-unit-places": (1000, 1.0, 1.0, 1e-7, 1e-17),
    "released/caption": (200, 1.0, 1e-10, 1e-3, 1e-17),
    "released/from-image": (200, 0.5, 0.5, 1e-5, 1e-17),
    "released/inpainting": (20, 1.0, 1e-32, 1e-5, 0.0),
}


def drawn(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def pipeline():
    """Linear networks of known weights: h (B, 5) -> x (B, 1, 3, 3), x -> logits (B, 4), x -> h."""
    generator = nn.Sequential(nn.Linear(5, 9), nn.Unflatten(1, (1, 3, 3))).double()
    classifier, encoder = (nn.Sequential(nn.Flatten(), nn.Linear(9, n)).double() for n in (4, 5))
    for i, network in enumerate((generator, classifier, encoder)):
        for parameter in network.parameters():
            parameter.data = 0.3 * drawn(*parameter.shape, seed=i + parameter.ndim)
    prior = ppgn.priors.joint(encoder.eval())
    return ppgn.Pipeline(generator.eval(), prior, classifier=classifier.eval(), latent_shape=(5,), encoder=encoder)


def test_the_table_is_the_authors():
    assert recipes.names() == list(TABLE)
    for name, (steps, first, last, e1, e3) in TABLE.items():
        found = recipes.recipe(name)
        assert (found.steps, found.step_size, found.eps_prior, found.eps_noise) == (steps, (first, last), e1, e3)
    assert recipes.recipe("released/hidden-unit").restart == 100
    assert recipes.recipe("released/hidden-unit").above == 0.98
    assert recipes.recipe("released/classes-in-turn").each == 100


@pytest.mark.parametrize("name", TABLE)
def test_it_says_what_it_does(name):
    found = recipes.recipe(name)
    told = found.told()
    assert told.startswith(f"{name}: ")
    for number in (f"{found.eps_prior:g}", f"{found.steps} steps", f"s = {found.step_size[0]:g}"):
        assert number in told
    for value, word in ((found.restart, "new e1"), (found.above, "kept if p > 0.98"), (found.each, "in turn")):
        assert (word in told) == (value is not None)


def moved(h, d, size):
    """h <- clip(h + s d / mean|d|, 0, 30)."""
    return (h + size * d / d.abs().mean(1, keepdim=True)).clamp(0, 30)


def test_a_step_towards_a_class(pipeline):
    asked = recipes.recipe("released/from-image")
    target = asked.applied(pipeline.given(class_label(pipeline.classifier, 2, objective=asked.objective)))
    h = drawn(3, 5, seed=8).abs()
    walk = target.sampler(target)
    after = walk.step(walk.init(h), streams(0, 3)).h
    weight, encode = pipeline.classifier[1].weight, pipeline.encoder
    x = pipeline.generator(h)
    p = pipeline.classifier(x).softmax(1)[:, 2:3]
    d = 1e-5 * (encode(x) - h) + (1 - p) * (weight[2] @ pipeline.generator[0].weight)
    assert torch.allclose(after, moved(h, d, 0.5), rtol=1e-12)


def test_a_step_of_inpainting(pipeline):
    """Prior and class see the composite; known pixels pull by e4 on a range of 255, so that 1/noise^2 = e4 255^2."""
    asked = recipes.recipe("released/inpainting")
    picture, hole = drawn(1, 3, 3, seed=9).abs(), torch.zeros(3, 3, dtype=torch.bool)
    hole[1:, :2] = True
    inside = class_label(pipeline.classifier, 1, objective=asked.objective)
    target = asked.applied(pipeline.given(inpaint(picture, hole, noise=asked.noise, inside=inside)))
    h = drawn(2, 5, seed=10).abs()
    walk = target.sampler(target)
    after = walk.step(walk.init(h), streams(0, 2)).h
    x = pipeline.generator(h)
    composite = torch.where(hole, x, picture)
    jacobian = pipeline.generator[0].weight  # (9, 5)
    p = pipeline.classifier(composite).softmax(1)[:, 1:2]
    of_class = (1 - p) * ((pipeline.classifier[1].weight[1] * hole.flatten()) @ jacobian)
    known = ((picture - x) * ~hole).flatten(1)
    d = 1e-5 * (pipeline.encoder(composite) - h) + of_class + 1e-9 * 255**2 * known @ jacobian
    assert torch.allclose(after, moved(h, d, 1.0), rtol=1e-12)


def test_long_chains_begin_anew_with_another_epsilon(pipeline):
    asked = recipes.recipe("released/hidden-unit")
    target = asked.applied(pipeline.given(unit(pipeline.classifier, "1", 3, objective=asked.objective)))
    walk = target.sampler(target)
    assert walk.settings["every"] == 100
    first, second = walk.settings["sampler"]["eps_prior"], walk.settings["laps"]["second"]["eps_prior"]
    assert first == 1e-5
    assert 1e-6 < second < 1e-2
    assert not walk.exact


def test_a_recipe_that_is_none():
    with pytest.raises(ValueError, match=r"recipe must be one of released/class, .*got 'released/clas'"):
        recipes.recipe("released/clas")


def test_a_pipeline_that_does_not_know_its_codes():
    generator = nn.Sequential(nn.Linear(5, 9), nn.Unflatten(1, (1, 3, 3))).eval()
    with pytest.raises(ValueError, match="a recipe needs a pipeline with a latent_shape"):
        recipes.recipe("released/class").applied(ppgn.Pipeline(generator, ppgn.priors.none()))
