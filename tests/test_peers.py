"""Defects measured in other people's samplers, each as a test that ours must pass for every kernel.

Which library fails at which is said at each test; measured at the versions named there.
"""

from __future__ import annotations

import math
import os
import warnings
from itertools import islice

import pytest
import torch
from targets import Logistic, assert_close, gaussian_target
from torch import nn

import ppgn
from ppgn import named, samplers
from ppgn.random import streams

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")

SHAPE = (3, 8, 8)
KERNELS = {
    "ula": lambda p: samplers.ula(p, 0.02),
    "mala_approx": lambda p: samplers.mala_approx(p, 0.02, 0.02, math.sqrt(0.04)),
    "activation_max": lambda p: samplers.activation_max(p, 0.01, 0.001),
    "mala": lambda p: samplers.mala(p, 0.1),
    "mala-adapted": lambda p: samplers.mala(p, 0.1, warmup=40, precondition=True),
    "isir": lambda p: samplers.isir(p, 5),
    "cycle": lambda p: samplers.cycle(samplers.isir(p, 3), samplers.mala(p, 0.1, warmup=20)),
    "rejection": lambda p: samplers.rejection(p),
    "smc": lambda p: samplers.smc(p, 0.1),
    "best_of_n": lambda p: samplers.best_of_n(p, 4),
}
EVERY = [*KERNELS, *(f"by name: {name}" for name in named.BUILDERS)]


def chosen(which):
    """A kernel's function or its name, as `ppgn.sample` takes it."""
    return which.removeprefix("by name: ") if which.startswith("by name: ") else KERNELS[which]


@pytest.fixture
def networks():
    """A person's own networks in double precision, as they come: weights that ask for gradients, a hook of theirs."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.Sigmoid()).double().eval()
        classifier = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Dropout(), nn.Flatten(), nn.Linear(144, 3)).double().eval()
    classifier[0].register_forward_hook(lambda module, args, out: out)
    return generator, classifier


def pipeline_of(networks):
    generator, classifier = networks
    prior = ppgn.priors.gaussian(SHAPE)
    return ppgn.Pipeline(generator, prior, ppgn.conditions.class_label(classifier, 1), latent_shape=SHAPE)


def run(pipeline, which, n, steps, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ppgn.SamplingWarning)  # short runs, on purpose
        return ppgn.sample(pipeline, n, steps, 3, chosen(which), progress=False, **options)


def shared():
    """Images that are their codes; log p(y|x) of the sum of all pixels, which the prior gives a standard normal."""

    class Sum(Logistic):
        def log_prob(self, x):
            return super().log_prob(x.flatten(1).sum(1, keepdim=True) / math.sqrt(192))

    return ppgn.Pipeline(lambda h: h, ppgn.priors.gaussian(SHAPE), Sum(4.0, 1.0), latent_shape=SHAPE)


# deepinv 0.5.0: mean 11.1 and variance 1112 reported of N(0, 1), since its statistics are seeded with the start
@pytest.mark.parametrize("name", ["mala", "mala+isir", "isir"])
def test_the_start_is_no_draw(name):
    n, start = 64, torch.full((64, 1), 100.0)
    free = ppgn.conditions.unconditional()
    pipeline = ppgn.Pipeline(lambda h: h.view(-1, 1, 1, 1), ppgn.priors.gaussian((1,)), free, latent_shape=(1,))
    own = {"square": lambda state: state.h[:, 0] ** 2, "h": lambda state: state.h[:, 0]}
    samples = run(pipeline, f"by name: {name}", n, 600, start=start, statistics=own, thin=1)
    assert samples.series["h"].shape == (300, n)
    for name, truth in (("h", 0.0), ("square", 1.0)):
        means = samples.series[name].mean(0)  # one a chain, independent of each other
        assert_close(means.mean(), truth, means.std() / math.sqrt(n))
    assert samples.series["square"].max() < 30  # nothing of 100**2 among 19,200 draws
    kernel = named.build(pipeline, samples.record["named"], 300, None)
    first = next(islice(samplers.chain(kernel, start, streams(3, n)), 301, None))
    assert torch.equal(samples.chain[0], first.h)


# deepinv 0.5.0 and torchebm 0.8.9: chain 0 is another one in a batch of another size. deepinv: `seed` is made global
@pytest.mark.parametrize("which", [name for name in EVERY if "smc" not in name])
def test_a_chain_does_not_know_its_batch(which, networks):
    pipeline = pipeline_of(networks)
    batch, alone = run(pipeline, which, 8, 60), run(pipeline, which, 1, 60)
    assert torch.allclose(batch.codes[0], alone.codes[0], rtol=1e-9, atol=1e-12)
    length = 1 + min(batch.steps, alone.steps)
    assert torch.allclose(batch.log_condition[:length, 0], alone.log_condition[:length, 0], rtol=1e-9)
    assert not torch.allclose(batch.codes[0], batch.codes[1])


def test_populations_alone_depend_on_their_size(networks):
    """What the docstring of smc says, so that the exception above stays one."""
    a, b = (run(pipeline_of(networks), "smc", n, 30) for n in (24, 12))
    assert not torch.allclose(a.codes[:12], b.codes)


# torchebm 0.8.9: HMC on (2, 3, 8, 8) raises a size mismatch, since it sums over the last dimension only
@pytest.mark.parametrize("which", [name for name in EVERY if "best_of_n" not in name and name != "activation_max"])
def test_image_shaped_codes(which):
    """192 numbers a code. Along the one direction that is asked for: quadrature's mean and spread; else N(0, 1)."""
    n, condition = 400, Logistic(4.0, 1.0)
    steps = 50 if "isir" in which or which == "cycle" else 300  # jumps forget sooner
    samples = run(shared(), which, n, steps, start=ppgn.priors.gaussian(SHAPE))
    mean, std, _ = condition.truth()
    along = samples.codes.flatten(1).sum(1) / math.sqrt(192)
    errors = 4 if "smc" not in which else 8  # particles of one population are not independent
    assert_close(along.mean(), mean, std / math.sqrt(n), errors)
    assert_close(along.std(), std, std / math.sqrt(n), errors)
    rest = samples.codes.flatten(1).square().sum(1) - along**2
    bias = 1 / (1 - 0.01) - 1 if which in ("ula", "mala_approx") else 0.0  # of an unadjusted step of 0.02
    assert_close(rest.mean() / 191, 1 + bias, math.sqrt(2 / 191 / n), errors)


@pytest.mark.parametrize("which", ["best_of_n", "by name: best_of_n", "activation_max"])
def test_image_shaped_codes_climb(which):
    """Kernels without a stated density: what is asked for becomes likelier than in any posterior draw's mean."""
    samples = run(shared(), which, 50, 100)
    assert (samples.log_condition[-1] > samples.log_condition[0] - 1e-3).all()
    assert (samples.log_condition[-1] > -0.05).all()


# lucent 0.1.8: 67 hooks stay on a ResNet-18 per call; lucent and torch-dreams: `.backward()` fills the network's .grad
@pytest.mark.parametrize("which", EVERY)
def test_networks_stay_as_they_were(which, networks, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    networks[0][0].weight.grad = torch.full_like(networks[0][0].weight, 7.0)  # of the person's own training
    before = [marks(network) for network in networks]
    run(pipeline_of(networks), which, 12, 45)
    assert [marks(network) for network in networks] == before
    assert os.listdir(tmp_path) == []  # horama 0.3.0 downloads into the working directory


def marks(network):
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks", "_state_dict_hooks")
    return (
        [(m.training, *(len(getattr(m, name)) for name in hooks)) for m in network.modules()],
        [(p.requires_grad, None if p.grad is None else p.grad.sum().item()) for p in network.parameters()],
        {name: value.sum().item() for name, value in network.state_dict().items()},
    )


# StudioGAN: `langevin_noise_std=.1` builds the covariance .1 I, so that the deviation is .316
@pytest.mark.parametrize(("build", "std"), [
    (lambda target: samplers.mala_approx(target, 1.0, 1.0, 0.1), 0.1),
    (lambda target: samplers.ula(target, 0.005), math.sqrt(2 * 0.005)),
    (lambda target: samplers.ula(target, 0.005, temperature=4.0), math.sqrt(8 * 0.005)),
], ids=["mala_approx", "ula", "warm"])  # fmt: skip
def test_noise_is_a_standard_deviation(build, std):
    """One step on a flat target is the noise alone."""
    n, h0 = 20_000, torch.zeros(20_000, 2, dtype=torch.float64)
    h = next(islice(samplers.chain(build(gaussian_target(0.0)), h0, streams(0, n)), 1, None)).h
    assert_close(h.std(0), std, std / math.sqrt(2 * n))
    assert_close(h.mean(0), 0.0, std / math.sqrt(n))


def test_the_noise_of_mala_is_too():
    """A step so short that all is accepted: sqrt(2 d), and times its scale where one was learnt."""
    n, d = 20_000, 1e-6
    pipeline = ppgn.Pipeline(
        lambda h: h.view(-1, 1, 1, 2), ppgn.priors.gaussian((2,)), ppgn.conditions.unconditional(), latent_shape=(2,)
    )
    sampler = samplers.mala(pipeline, d, warmup=1, precondition=True)
    state = sampler.init(torch.zeros(n, 2, dtype=torch.float64))
    scale = torch.tensor([1.0, 3.0], dtype=torch.float64).expand(n, 2)
    state = state._replace(step=1, tuning=state.tuning._replace(scale=scale))
    h = sampler.step(state, streams(0, n)).h
    std = math.sqrt(2 * d) * scale[0]
    assert_close(h.std(0), std, std / math.sqrt(2 * n))


# deepinv, torchebm, StudioGAN: no word on whether a kernel has the density it is asked for as its own
@pytest.mark.parametrize("which", EVERY)
def test_every_run_says_whether_it_is_exact(which):
    exact = which.removeprefix("by name: ") not in ("ula", "mala_approx", "activation_max", "best_of_n")
    assert run(shared(), which, 12, 42).exact is exact


# CUQIpy 1.5.1: the state of the random numbers is not in its checkpoint. deepinv (#514): only the start is kept
@pytest.mark.parametrize("which", EVERY)
def test_interrupted_and_gone_on_is_never_stopped(which, networks, tmp_path):
    """Ctrl-C in the middle of the warm-up, to a file, and on to the same bits: tuning and series as well."""
    pipeline, calls = pipeline_of(networks), []

    def stop(module, args):
        calls.append(1)
        if len(calls) == (2 if "rejection" in which else 3 if "smc" in which else 12):  # smc looks twice at its start
            raise KeyboardInterrupt

    whole = run(pipeline, which, 12, 50, thin=2)
    hook = networks[0].register_forward_pre_hook(stop)
    cut = run(pipeline, which, 12, 50, thin=2)
    hook.remove()
    assert cut.record["interrupted"]
    assert cut.steps < min(20, whole.steps)
    cut.save(tmp_path / "run")
    again = ppgn.Samples.load(tmp_path / "run")
    again = again.resume(pipeline, 50 - cut.steps, None if which in named_ones() else chosen(which), progress=False)
    for name in whole.state:
        assert torch.equal(again.state[name], whole.state[name]), name
    for name in whole.series:
        assert torch.equal(again.series[name], whole.series[name]), name
    assert torch.equal(again.log_condition, whole.log_condition)
    assert torch.equal(again.chain, whole.chain)


def named_ones():
    return [name for name in EVERY if name.startswith("by name: ")]
