from __future__ import annotations

import math

import pytest
import torch

import ppgn
from ppgn.conditions import class_label, inpaint

HOLE = torch.zeros(4, 4, dtype=torch.bool)
HOLE[1:3, 1:3] = True


def rand(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_value_is_the_normal_density_of_the_known_pixels():
    image, x = rand(2, 4, 4), rand(3, 2, 4, 4, seed=1)
    found = inpaint(image, HOLE, noise=0.2).log_prob(x)
    normal = torch.distributions.Normal(image, torch.tensor(0.2).double()).log_prob(x)
    assert torch.allclose(found, normal[:, :, ~HOLE].sum((1, 2)), rtol=1e-7)


def test_gradients_are_finite_differences_and_the_hole_has_none():
    x = rand(2, 1, 4, 4, seed=1).requires_grad_()
    condition = inpaint(rand(1, 4, 4), HOLE, noise=0.3)
    assert torch.autograd.gradcheck(condition.log_prob, (x,))
    (gradient,) = torch.autograd.grad(condition.log_prob(x).sum(), x)
    assert (gradient[..., HOLE] == 0).all()
    assert (gradient[..., ~HOLE] != 0).all()


def test_what_is_asked_inside_acts_in_the_hole_alone_and_sees_the_composite(digits):
    image, hole = rand(1, 28, 28).float(), torch.zeros(28, 28, dtype=torch.bool)
    hole[7:21, 7:21] = True
    seven = class_label(digits.classifier, 7)
    both, fit = inpaint(image, hole, inside=seven), inpaint(image, hole)
    x = rand(2, 1, 28, 28, seed=1).float().requires_grad_()
    difference = both.log_prob(x) - fit.log_prob(x)
    assert torch.allclose(difference, seven.log_prob(both.composite(x)), atol=2e-3)
    (gradient,) = torch.autograd.grad(seven.log_prob(both.composite(x)).sum(), x)
    assert (gradient[..., ~hole] == 0).all()
    assert (gradient[..., hole] != 0).any()


def test_rows_keep_their_own_image_hole_and_question(digits):
    images, holes = rand(3, 1, 28, 28).float(), torch.rand(3, 28, 28, generator=torch.Generator().manual_seed(2)) < 0.5
    condition = inpaint(images, holes, inside=class_label(digits.classifier, [1, 2, 3]))
    x, index = rand(3, 1, 28, 28, seed=3).float(), torch.tensor([2, 0])
    assert torch.allclose(condition.rows(index).log_prob(x[index]), condition.log_prob(x)[index], rtol=1e-5)


def test_a_hole_in_a_digit_is_filled_by_the_walk(digits):
    """The upper half of a bundled seven is known; fills agree with it and the whole is a seven for the classifier."""
    seven = digits.given(class_label(digits.classifier, 7))
    image = ppgn.sample(seven, 1, 60, 1, progress=False).images[0]
    hole = torch.zeros(28, 28, dtype=torch.bool)
    hole[14:] = True
    condition = inpaint(image, hole, noise=0.3)
    settings = {"eps_condition": 0.5}
    pipeline = ppgn.load("mnist", "ppgn-h", settings=settings).given(condition)
    x = ppgn.sample(pipeline, 4, 150, 0, progress=False).images
    error = (x - image)[..., ~hole].square().mean()
    assert error < 0.25 * (image[..., ~hole]).square().mean()


@pytest.mark.parametrize(
    ("image", "hole", "noise", "message"),
    [
        (torch.zeros(4, 4), HOLE, 0.1, r"image must be float \(C, H, W\)"),
        (torch.zeros(1, 4, 4, dtype=torch.uint8), HOLE, 0.1, "image must be float"),
        (torch.zeros(1, 4, 4), HOLE.float(), 0.1, r"hole must be bool .* H x W = 4x4, got torch.float32"),
        (torch.zeros(1, 4, 5), HOLE, 0.1, r"H x W = 4x5, got torch.bool \(4, 4\)"),
        (torch.zeros(1, 4, 4), torch.ones_like(HOLE), 0.1, "leave some pixels known"),
        (torch.zeros(1, 4, 4), HOLE, 0.0, "noise must be positive, got 0"),
        (torch.zeros(1, 4, 4), HOLE, math.nan, "noise must be positive"),
    ],
)
def test_bad_input(image, hole, noise, message):
    with pytest.raises(ValueError, match=message):
        inpaint(image, hole, noise=noise)


def test_images_of_another_shape_are_named():
    with pytest.raises(ValueError, match=r"one \(3, 4, 4\) for all or one for each of 2 rows, got image \(1, 4, 4\)"):
        inpaint(torch.zeros(1, 4, 4), HOLE).log_prob(torch.zeros(2, 3, 4, 4))
