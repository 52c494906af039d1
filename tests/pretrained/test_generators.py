"""Anybody's generator becomes one of ours: known images first, then what is refused."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ppgn
from ppgn import priors
from ppgn.pretrained import generator
from ppgn.random import streams


class Affine(nn.Module):
    """h (B, 4) -> scale * tanh(h) + shift as images (B, 1, 2, 2)."""

    def __init__(self, scale: float = 1.0, shift: float = 0.0):
        super().__init__()
        self.scale, self.shift = nn.Parameter(torch.tensor(scale)), shift

    def forward(self, h: Tensor) -> Tensor:
        return (self.scale * h.tanh() + self.shift).view(-1, 1, 2, 2)


CODES = torch.tensor([[0.0, 30.0, -30.0, 0.5493061443340549]])  # tanh: 0, 1, -1, 1/2


@pytest.mark.parametrize(
    ("network", "value_range"),
    [(Affine(), (-1, 1)), (Affine(0.5, 0.5), (0, 1)), (Affine(127.5, 127.5), (0, 255)), (Affine(2.0, 7.0), (5, 9))],
)
def test_any_range_becomes_zero_to_one(network, value_range):
    g = generator(network, latent_shape=(4,), value_range=value_range)
    assert torch.allclose(g(CODES), torch.tensor([0.5, 1.0, 0.0, 0.75]).view(1, 1, 2, 2))


def test_values_outside_are_cut_off_where_that_is_asked_for():
    g = generator(Affine(2.0), latent_shape=(4,), clip=True)
    assert torch.allclose(g(CODES), torch.tensor([0.5, 1.0, 0.0, 1.0]).view(1, 1, 2, 2))


def test_the_prior_is_standard_normal_unless_given():
    g = generator(Affine(), latent_shape=[4])
    h = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    assert g.latent_shape == (4,)
    assert torch.allclose(g.prior.log_prob(h), torch.distributions.Normal(0, 1).log_prob(h).sum(1))
    own = priors.gaussian((4,), 1.0, 2.0)
    assert generator(Affine(), latent_shape=(4,), prior=own).prior is own
    assert generator(Affine(), latent_shape=(4,), prior=priors.none()).prior == priors.none()


@pytest.mark.usefixtures("global_randomness_untouched")
def test_the_network_is_left_as_it_was():
    layers = ppgn.models.build(lambda: nn.Linear(4, 12), 0), nn.BatchNorm1d(12), nn.Tanh(), nn.Unflatten(1, (3, 2, 2))
    network = nn.Sequential(*layers)
    g = generator(network, latent_shape=(4,))
    assert network.training
    assert network[1].num_batches_tracked == 0
    assert all(p.requires_grad for p in network.parameters())
    assert not any(p.requires_grad for p in g.parameters())
    assert not any(module.training for module in g.modules())
    assert g.network[0].weight.data_ptr() == network[0].weight.data_ptr()


def test_weights_fill_a_copy():
    network = Affine()
    g = generator(network, latent_shape=(4,), weights={"scale": torch.tensor(0.5)})
    assert float(g(CODES)[0, 0, 0, 1]) == 0.75
    assert float(network.scale.detach()) == 1


def test_three_lines_are_enough():
    g = generator(nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Unflatten(1, (1, 2, 2))), latent_shape=(4,))
    classifier = nn.Sequential(nn.Flatten(), nn.Linear(4, 3)).eval()
    pipeline = ppgn.Pipeline(g, condition=ppgn.conditions.class_label(classifier, 1))
    assert (pipeline.prior, pipeline.latent_shape) == (g.prior, (4,))
    samples = ppgn.sample(pipeline, n=2, steps=3, seed=0, sampler="isir", progress=False, warmup=0)
    assert samples.images.shape == (2, 1, 2, 2)
    assert samples.exact


def test_a_pipeline_of_a_generator_alone_is_unconditional():
    g = generator(Affine(), latent_shape=(4,))
    h = g.prior.sample(3, streams(0, 3)).float()
    terms = ppgn.Pipeline(g)(h)
    assert torch.equal(terms.image, g(h))
    assert torch.equal(terms.prior, -h)
    assert terms.log_condition.tolist() == [0, 0, 0]


def test_what_is_given_goes_before_what_the_generator_brings():
    g, own = generator(Affine(), latent_shape=(4,)), priors.none()
    pipeline = ppgn.Pipeline(g, own, latent_shape=(2, 2))
    assert (pipeline.prior, pipeline.latent_shape) == (own, (2, 2))


def test_a_pipeline_needs_a_prior_from_somewhere():
    with pytest.raises(TypeError, match=r"prior must be given, as ppgn.priors.gaussian\(...\): Affine brings none"):
        ppgn.Pipeline(Affine().eval())


def test_a_function_is_taken_as_it_is():
    g = generator(lambda h: h.tanh().view(-1, 1, 2, 2), latent_shape=(4,))
    assert torch.allclose(g(CODES), torch.tensor([0.5, 1.0, 0.0, 0.75]).view(1, 1, 2, 2))


def refused(network, match, error=ValueError, **options):
    with pytest.raises(error, match=match):
        generator(network, **{"latent_shape": (4,), **options})


def test_values_outside_the_range_declared():
    refused(Affine(127.5, 127.5), r"value_range \(-1, 1\) was declared, but images of 4 codes lie in \[19\.9, 253\]")
    refused(Affine(), r"\(0, 1\) was declared, but .* lie in \[-0\.\d*, 0\.\d*\].*clip=True", value_range=(0, 1))


def test_images_in_zero_to_one_under_another_range():
    message = r"was declared, but images of 4 codes lie in \[0\.\d*, 0\.\d*\]; give value_range=\(0, 1\)"
    refused(Affine(0.5, 0.5), r"value_range \(-1, 1\) " + message)
    assert generator(Affine(0.5, 0.5), latent_shape=(4,), clip=True).value_range == (-1.0, 1.0)
    refused(Affine(0.5, 0.5), r"value_range \(0, 255\) " + message, value_range=(0, 255))


def test_images_of_another_shape():
    refused(lambda h: h, r"images \(B, C, H, W\) with C 1 or 3, B = 4 codes, got \(4, 4\)")
    refused(lambda h: h.view(-1, 4, 1, 1), r"C 1 or 3, B = 4 codes, got \(4, 4, 1, 1\)")
    refused(lambda h: h.view(-1, 1, 1, 2), r"C 1 or 3, B = 4 codes, got \(8, 1, 1, 2\)")
    refused(lambda h: [h], "must return a tensor of images, got list; wrap it in a function", TypeError)


def test_images_that_are_not_finite():
    refused(lambda h: (h / 0).view(-1, 1, 2, 2), "finite images, got NaN or infinity for draws of the prior")


@pytest.mark.usefixtures("global_randomness_untouched")
def test_images_that_are_no_function_of_their_code():
    noisy = lambda h: (h + torch.randn_like(h)).tanh().view(-1, 1, 2, 2)  # noqa: E731
    mixed = lambda h: (h - h.mean(0)).tanh().view(-1, 1, 2, 2)  # noqa: E731
    for network in (noisy, mixed):
        refused(network, "the same image for a code at each call and beside any others, but the first of 4 codes")


def test_arguments_that_do_not_fit():
    refused(Affine(), r"value_range must be \(low, high\) with low < high, got \(1, 0\)", value_range=(1, 0))
    refused(Affine(), r"codes of latent_shape \(4,\), got \(3,\)", prior=priors.gaussian((3,)))
    refused(torch.tanh, "weights need a torch module to be filled, got builtin", TypeError, weights={})
    refused(Affine(), r"must hold the 1 tensors of Affine: 1 missing: scale", weights={})


def test_a_gan_of_other_people(third_party):
    """The MNIST GAN of csinva/gan-vae-pretrained-pytorch, as its author reads it: (out + 1) / 2."""
    network = nn.Sequential(
        nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 784), nn.Tanh(),
        nn.Unflatten(1, (1, 28, 28)),
    )  # fmt: skip
    tensors = ppgn.pretrained.read_state(third_party("mnist_gan_mlp"))
    weights = {name.removeprefix("G."): value for name, value in tensors.items() if name.startswith("G.")}
    g = generator(network, latent_shape=(64,), weights=weights)
    h = g.prior.sample(200, streams(0, 200)).float()
    with torch.no_grad():
        x, by_hand = g(h), h
        for i in (0, 2, 4):
            by_hand = by_hand @ weights[f"{i}.weight"].T + weights[f"{i}.bias"]
            by_hand = by_hand.relu() if i < 4 else by_hand.tanh()
    assert torch.allclose(x.flatten(1), (by_hand + 1) / 2, atol=1e-5)
    judge = ppgn.pretrained.network("mnist", "judge")
    assert judge(x).softmax(1).amax(1).mean() > 0.9  # digits, to a network that has never seen it
    refused(Affine(), r"latent_shape must be a tuple, as \(4,\), got 4", TypeError, latent_shape=4)
    refused(Affine(), "device and dtype are for functions", dtype=torch.float64)


class Flow(torch.nn.Module):
    """A prior that is a network."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(4))

    def score(self, h, x):
        return -h * self.scale


def test_a_prior_that_is_a_network_stays_as_it_is():
    flow = Flow()
    refused(Affine(), "prior must be in eval mode, but Flow is in train mode", prior=flow)
    g = generator(Affine(), latent_shape=(4,), prior=flow.eval()).double()
    assert g.prior is flow
    assert flow.scale.dtype == torch.float32
    assert not any("prior" in name for name in g.state_dict())


def test_functions_over_other_types_say_so():
    network = Affine().double()
    g = generator(lambda h: network(h), latent_shape=(4,), dtype=torch.float64)
    assert g(CODES.double()).dtype == torch.float64


def test_a_generator_without_a_prior_still_tells_its_shape():
    upconv = ppgn.models.UpconvGenerator(8).eval()
    assert ppgn.Pipeline(upconv, priors.none()).latent_shape == (8,)
