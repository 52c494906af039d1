"""BigGAN and StyleGAN as generators: their truncation and the priors of their codes."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import ppgn
from ppgn import models
from ppgn.pretrained import biggan, biggan_codes, stylegan
from ppgn.pretrained.gans import without_spectral_norms
from ppgn.random import streams


@pytest.fixture(scope="module")
def weights():
    """A small BigGAN-deep as pytorch-pretrained-biggan has it, with spectral norms, and the network itself."""
    network = models.build(lambda: models.BigGANDeep(128, latent=4, width=8, classes=5, steps=11), 0)
    state = dict(network.state_dict())
    rng = torch.Generator().manual_seed(0)
    for name in [name for name in state if name.endswith("weight") and name != "generator.bn.weight"]:
        if name == "embeddings.weight":  # the one without
            continue
        matrix = state[name].flatten(1)
        u = torch.randn(len(matrix), generator=rng)
        v = nn.functional.normalize(u @ matrix, dim=0)
        u = nn.functional.normalize(matrix @ v, dim=0)
        weight = 3.0 * state.pop(name)
        state |= {f"{name}_orig": weight, f"{name}_u": u, f"{name}_v": v}
        network.state_dict()[name].copy_(weight / (u @ weight.flatten(1) @ v))
    return state, network.eval()


@pytest.mark.parametrize("layer", [nn.Linear(6, 5), nn.Conv2d(3, 4, 3)])
def test_spectral_norms_are_divided_out_as_torch_does(layer):
    x = torch.rand((2, 6) if isinstance(layer, nn.Linear) else (2, 3, 5, 5), generator=torch.Generator().manual_seed(0))
    normed = nn.utils.spectral_norm(layer)
    normed(x)
    plain = type(layer)(6, 5) if isinstance(layer, nn.Linear) else nn.Conv2d(3, 4, 3)
    state = {f"a.{name}": value for name, value in normed.eval().state_dict().items()}
    folded = without_spectral_norms(state)
    assert sorted(folded) == ["a.bias", "a.weight"]
    plain.load_state_dict({name.removeprefix("a."): value for name, value in folded.items()})
    assert torch.allclose(plain(x), normed(x), atol=1e-6)


def test_biggan_from_its_weights(weights):
    """Size, width, classes and steps are seen from them; spectral norms are divided out."""
    state, network = weights
    g = biggan(state, truncation=1.0)
    assert g.network.config == network.config | {"truncation": 1.0}
    h = g.prior.sample(2, streams(0, 2)).float()
    assert h.shape == (2, *g.latent_shape) == (2, 8)
    with torch.no_grad():
        assert torch.allclose(g(h), network(h), atol=1e-5)


def test_codes_are_a_cut_normal_beside_one_fitted_to_the_classes(weights):
    state, _ = weights
    prior = biggan(state, truncation=0.4).prior
    table = state["embeddings.weight"].T
    inside = torch.cat([torch.full((1, 4), 0.79), 9 * torch.ones(1, 4)], 1)
    z = torch.distributions.Normal(0, 0.4).log_prob(torch.tensor(0.79)) - math.log(math.erf(math.sqrt(2)))
    e = torch.distributions.Normal(table.mean(0), table.std(0)).log_prob(torch.tensor(9.0)).sum()
    assert float(prior.log_prob(inside)) == pytest.approx(float(4 * z + e), rel=1e-4)
    assert prior.log_prob(torch.cat([torch.full((1, 4), 0.81), table[:1]], 1)) == -math.inf


def test_codes_around_a_class(weights):
    _, network = weights
    h = biggan_codes(network, label=3, spread=0.01).sample(500, streams(0, 500))
    table = network.embeddings.weight.detach().T
    assert torch.allclose(h[:, 4:].mean(0), network.embedding(3), atol=0.01)
    assert torch.allclose(h[:, 4:].std(0), 0.01 * table.std(0), rtol=0.2)
    assert 1.5 < h[:, :4].abs().max() <= 2


def test_a_walk_stays_within_the_truncation(weights):
    g = biggan(weights[0], truncation=0.3)
    samples = ppgn.sample(
        ppgn.Pipeline(g), n=2, steps=4, seed=0, sampler=lambda p: ppgn.samplers.mala(p, 1e-2), progress=False
    )  # fmt: skip
    assert samples.exact
    assert samples.codes[:, :4].abs().max() <= 0.6
    assert samples.images.shape == (2, 3, 128, 128)


def test_biggan_errors(weights):
    state, _ = weights
    match = r"must hold embeddings.weight and generator.bn.running_means and 10, 12, 14 blocks for 128, 256, 512 pixels"
    with pytest.raises(ValueError, match=match + ".*, got 0 blocks"):
        biggan({"a": torch.zeros(1)})
    with pytest.raises(ValueError, match=match + ".*, got 10 blocks"):
        biggan({name: value for name, value in state.items() if name != "embeddings.weight"})
    with pytest.raises(ValueError, match=r"1 missing: generator\.gen_z\.bias"):
        biggan({name: value for name, value in state.items() if name != "generator.gen_z.bias"})
    with pytest.raises(ValueError, match="truncation must be in"):
        biggan(state, truncation=2.0)
    with pytest.raises(TypeError, match="biggan_codes needs a BigGANDeep, got Linear"):
        biggan_codes(nn.Linear(2, 2))


class Mapping(nn.Module):
    """z (B, 3) -> w = 2 z + (-1, 2, 3), repeated for each of 4 layers if asked."""

    def __init__(self, layers=None):
        super().__init__()
        self.layers, self.mean = layers, nn.Parameter(torch.tensor([-1.0, 2.0, 3.0]))

    def forward(self, z):
        w = 2 * z + self.mean
        return w if self.layers is None else w[:, None].repeat(1, self.layers, 1)


def as_pixels(w):
    """The w of the first layer as an image (B, 1, 1, 3), in tenths."""
    return (w if w.ndim == 2 else w[:, 0])[:, None, None] / 10


N = 4096
Z = torch.tensor([[0.5, -1.0, 2.0]])


@pytest.mark.parametrize("layers", [None, 4])
@pytest.mark.parametrize("psi", [1.0, 0.5])
def test_truncation_moves_w_towards_its_mean(layers, psi):
    """mean + psi 2 z, with the mean of 4096 draws; pixels are (w / 10 + 1) / 2."""
    g = stylegan(Mapping(layers), as_pixels, latent_shape=(3,), psi=psi)
    assert (g.latent_shape, isinstance(g.prior, ppgn.priors.Gaussian)) == ((3,), True)
    expected = (torch.tensor([[-1.0, 2.0, 3.0]]) + psi * 2 * Z) / 10
    assert torch.allclose(2 * g(Z).flatten(1) - 1, expected, atol=0.4 / math.sqrt(N))
    if psi == 1:
        assert torch.allclose(2 * g(Z).flatten(1) - 1, expected, atol=1e-6)


@pytest.mark.parametrize("layers", [None, 4])
def test_codes_in_w_have_the_normal_that_fits_them(layers):
    g = stylegan(Mapping(layers), as_pixels, latent_shape=(3,), psi=0.5, space="w")
    assert g.latent_shape == (3,)
    assert torch.allclose(g.prior.mean, torch.tensor([-1.0, 2.0, 3.0]), atol=4 * 2 / math.sqrt(N))
    assert torch.allclose(g.prior.std, torch.full((3,), 2.0), atol=4 * 2 / math.sqrt(2 * N))
    w = torch.tensor([[2.0, 0.0, 7.0]])
    assert torch.allclose(2 * g(w).flatten(1) - 1, (g.prior.mean + 0.5 * (w - g.prior.mean)) / 10, atol=1e-6)


@pytest.mark.usefixtures("global_randomness_untouched")
def test_the_mean_comes_from_the_seed_alone():
    a, b, c = (stylegan(Mapping(), as_pixels, latent_shape=(3,), psi=0.5, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(a(Z), b(Z))
    assert not torch.equal(a(Z), c(Z))


def test_layers_that_differ_are_a_code_each():
    g = stylegan(
        lambda z: torch.stack([z, 3 * z], 1), lambda w: as_pixels(w[:, 1:]), latent_shape=(3,), space="w"
    )  # fmt: skip
    assert g.latent_shape == (2, 3)
    assert torch.allclose(g.prior.std[1] / g.prior.std[0], torch.full((3,), 3.0))


def test_the_two_networks_are_left_as_they_were():
    mapping = Mapping()
    g = stylegan(mapping, as_pixels, latent_shape=(3,))
    assert mapping.training
    assert mapping.mean.requires_grad
    assert not any(p.requires_grad for p in g.parameters())


def test_stylegan_errors():
    with pytest.raises(ValueError, match="space must be 'z' or 'w', got 'w\\+'"):
        stylegan(Mapping(), as_pixels, latent_shape=(3,), space="w+")
    with pytest.raises(ValueError, match="psi must be positive, got 0"):
        stylegan(Mapping(), as_pixels, latent_shape=(3,), psi=0)


def test_labels_and_units_that_are_none(weights):
    _, network = weights
    with pytest.raises(ValueError, match=r"label must lie in 0\.\.4, the network has 5 classes, got 7"):
        biggan_codes(network, label=7)
    dead = nn.Linear(4, 4)
    nn.init.zeros_(dead.weight)
    with pytest.raises(ValueError, match=r"every unit of w must vary .* but 4 of 4 do not; use space='z'"):
        stylegan(dead, lambda w: w.view(-1, 1, 2, 2), latent_shape=(4,), space="w")


def test_functions_over_other_types():
    mapping, synthesis = nn.Linear(4, 4).double(), lambda w: w.tanh().view(-1, 1, 2, 2)
    g = stylegan(lambda z: mapping(z), synthesis, latent_shape=(4,), dtype=torch.float64)
    assert g(torch.zeros(1, 4, dtype=torch.float64)).dtype == torch.float64
