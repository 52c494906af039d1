"""A denoiser of latent maps: at first the best linear one of single places, then better where places are alike."""

from __future__ import annotations

from itertools import islice

import pytest
import torch

from ppgn import data, models, priors, training
from ppgn.random import per_step

CHANNELS = 3
MIX = torch.tensor([[2.0, 0, 0], [1, 1, 0], [0, 0.5, 0.3]])  # of the channels at a place
MEAN = torch.tensor([3.0, -1, 0.5])


def maps(n, height=6, width=5, seed=0):
    """Normal numbers (n, 3, height, width), channels correlated, places independent."""
    e = torch.randn(n, height, width, CHANNELS, generator=torch.Generator().manual_seed(seed))
    return (e @ MIX.T + MEAN).movedim(-1, 1)


def places(z):
    return z.movedim(1, -1).flatten(0, -2)


def small(widths=(8, 16), **options):
    make = lambda: models.ConvLadderDenoiser(CHANNELS, widths, blocks=1, embedding=8, **options)  # noqa: E731
    return models.build(make, 1)


@pytest.fixture
def network():
    """Measured, and giving something where a new one gives 0."""
    made = small().eval()
    made.measure(places(maps(400)))
    torch.nn.init.normal_(made.last.weight, std=0.3, generator=torch.Generator().manual_seed(2))
    return made.requires_grad_(False)


def test_a_new_one_is_the_best_linear_denoiser_of_single_places():
    """m + C (C + sigma^2)^-1 (z - m) at every place, computed by a solve."""
    z, made = maps(50), small().eval()
    made.measure(places(z))
    covariance, mean = torch.cov(places(z).double().T), places(z).double().mean(0)
    for sigma in (0.05, 1.0, 30.0):
        away = places(z).double() + 1 - mean
        expected = mean + away @ torch.linalg.solve(covariance + sigma**2 * torch.eye(3).double(), covariance)
        assert torch.allclose(places(made(z + 1, sigma)), expected.float(), atol=1e-4)


def test_its_error_on_normal_maps_is_the_analytic_one():
    """sum_j s_j^2 sigma^2 / (s_j^2 + sigma^2) a place, s_j^2 the eigenvalues of the known covariance."""
    z, made = maps(4000), small().eval()
    made.measure(places(z))
    variance = torch.linalg.eigvalsh(MIX @ MIX.T)
    for sigma in (0.1, 1.0, 10.0):
        noisy = z + sigma * torch.randn(z.shape, generator=torch.Generator().manual_seed(3))
        with torch.no_grad():
            error = (made(noisy, sigma) - z).square().sum(1)
        expected = (variance * sigma**2 / (variance + sigma**2)).sum()
        assert error.mean().item() == pytest.approx(expected.item(), rel=0.02)  # 5 standard errors of 120,000 places


@pytest.mark.parametrize("widths", [(8,), (8, 16), (8, 12, 16)])
@pytest.mark.parametrize("size", [(8, 8), (6, 5), (1, 1), (3, 9), (7, 2)])
def test_sides_that_cannot_be_halved(widths, size):
    """Shapes are kept; a map is filled up by its edge and nothing else, so what lies beyond does not matter."""
    made = small(widths).eval().requires_grad_(False)
    torch.nn.init.normal_(made.last.weight, std=0.3, generator=torch.Generator().manual_seed(2))
    z = maps(2, *size)
    out = made(z, 0.7)
    assert out.shape == z.shape
    multiple = 2 ** (len(widths) - 1)
    more = (0, -size[1] % multiple, 0, -size[0] % multiple)
    whole = made(torch.nn.functional.pad(z, more, mode="replicate"), 0.7)
    assert torch.allclose(whole[:, :, : size[0], : size[1]], out, atol=1e-5)


def test_rows_do_not_mix_and_each_has_its_level(network):
    z, sigma = maps(4) + 1, torch.tensor([0.05, 0.5, 3.0, 20.0])
    together = network(z, sigma)
    alone = torch.cat([network(z[i : i + 1], float(sigma[i])) for i in range(4)])
    assert torch.allclose(together, alone, atol=1e-4)
    assert torch.equal(network(z, 2.0), network(z, torch.full((4,), 2.0)))


def test_a_map_without_noise_stays_as_it_is(network):
    z = maps(5)
    assert torch.allclose(network(z, 1e-5), z, atol=1e-3)
    assert not torch.allclose(network(z, 1.0), z, atol=0.1)


def test_a_dead_channel_is_its_mean():
    z = maps(100)
    z[:, 1] = 4
    made = small().eval().requires_grad_(False)
    made.measure(places(z))
    torch.nn.init.normal_(made.last.weight, generator=torch.Generator().manual_seed(2))
    assert sorted((made.std > 0).tolist()) == [False, True, True]
    assert torch.allclose(made(z + 1, 1.0)[:, 1], z[:, 1], atol=1e-5)


def test_bfloat16_rounds_the_network_alone(network):
    """What is passed by the network stays exact: at small sigma D(z) is z, far below bfloat16's 1/256."""
    z = 100 * maps(5)
    network.measure(places(z))
    with torch.autocast("cpu", torch.bfloat16):
        assert (network(z, 1e-3) - z).abs().max() < 0.01
        rounded = network(z, 50.0)
    assert rounded.dtype == torch.float32
    exact = network(z, 50.0)
    assert 0 < (rounded - exact).abs().max() < 0.1 * (exact - z).abs().max()


def field(n, seed):
    """Random maps (n, 2, 6, 6) that are one number at every place: a place alone knows little, all of them much."""
    e = torch.randn(n, 2, 1, 1, generator=torch.Generator().manual_seed(seed))
    return e.expand(n, 2, 6, 6).contiguous()


def test_it_learns_what_places_tell_of_each_other():
    """Of noise 1 on a spread of 1 a place alone removes half the error, the mean of 36 places all but 1/37.

    At first the loss is 1, that of the best linear denoiser; the least there can be is 2/37 at sigma = 1.
    """
    made = models.build(lambda: models.ConvLadderDenoiser(2, (16, 24), blocks=1, embedding=16, dropout=0.0), 0)
    codes = field(600, 0)
    rate = training.cosine(4e-3, 1e-4, 200)
    trainer = training.ladder_trainer(
        made, codes=places(codes), sigma_min=0.5, sigma_max=2.0, learning_rate=rate, average=0.97
    )
    stream = training.fit(trainer, data.code_batches([codes], 32, seed=0), per_step(0))
    losses = [metrics["loss"].item() for metrics in islice(stream, 200)]
    assert losses[0] == pytest.approx(1, abs=0.15)
    assert sum(losses[-20:]) / 20 < 0.2
    learned, held = trainer.results["model"].eval().requires_grad_(False), field(200, 1)
    for sigma in (0.7, 1.0, 1.5):
        noisy = held + sigma * torch.randn(held.shape, generator=torch.Generator().manual_seed(4))
        linear, least = sigma**2 / (1 + sigma**2), sigma**2 / (36 + sigma**2)
        error = (learned(noisy, sigma) - held).square().mean().item()
        assert 0.9 * least < error < 0.15 * linear, (sigma, error, linear, least)
        score = priors.dae(learned, 0.5, conditional=True).at(sigma).score(noisy, noisy)
        clean = noisy.mean((2, 3), keepdim=True) * 36 / (36 + sigma**2)  # what is expected, all 36 places seen
        true = (clean - noisy) / sigma**2
        assert (score - true).square().mean() < 0.05 * true.square().mean()
