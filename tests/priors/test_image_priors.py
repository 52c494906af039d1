"""Priors on images, and networks of images as generators, in whole walks on real digits of 8x8 pixels."""

from __future__ import annotations

from itertools import islice

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import ppgn
from ppgn import models, priors, samplers, training
from ppgn.conditions import class_label, unconditional
from ppgn.data import Batch
from ppgn.models.pixel_space import PixelSpace
from ppgn.pretrained import generator
from ppgn.random import per_step, streams
from ppgn.training.autoregressive import autoregressive_trainer
from ppgn.training.vae import vae_trainer

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")
SHAPE = (1, 8, 8)
KINDS = ["vae", "pixelcnn"]


@pytest.fixture(scope="module")
def digits():
    """scikit-learn's 1,797 real digits in black and white, and their labels: 1,500 to learn from, 297 to test."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images = torch.tensor(images > 7.5).float().view(-1, *SHAPE)
    labels = torch.tensor(labels)
    return (images[:1500], labels[:1500]), (images[1500:], labels[1500:])


def trained(trainer, images, steps):
    def batches():
        rng = torch.Generator().manual_seed(0)
        while True:
            rows = torch.randint(len(images), (64,), generator=rng)
            yield Batch(images[rows], torch.zeros(64, dtype=torch.long))

    for _ in islice(training.fit(trainer, batches(), per_step(0)), steps):
        pass
    return trainer.results["model"].eval().requires_grad_(False)


@pytest.fixture(scope="module")
def networks(digits):
    """A VAE and a PixelCNN, trained for some seconds each."""
    images = digits[0][0]
    vae = models.build(lambda: models.VAE(SHAPE, latent=8, width=12), 0)
    pixels = models.build(lambda: models.GatedPixelCNN(SHAPE, width=12, layers=3, kernel=3), 0)
    return {
        "vae": trained(vae_trainer(vae, learning_rate=5e-3, average=0.95), images, 120),
        "pixelcnn": trained(autoregressive_trainer(pixels, learning_rate=1e-2, average=0.95), images, 120),
    }


def prior_of(kind, networks, sigma):
    return priors.vae(networks[kind], sigma) if kind == "vae" else priors.pixelcnn(networks[kind], sigma)


def height(kind, prior, x):
    """What the score climbs."""
    return (prior.bound(x) if kind == "vae" else prior.log_prob(x)).detach()


@pytest.fixture(scope="module")
def classifier(digits):
    (images, labels), _ = digits
    made = models.build(lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), 0)
    optimizer = torch.optim.Adam(made.parameters(), 0.05)
    for _ in range(60):
        optimizer.zero_grad()
        cross_entropy(made(images), labels).backward()
        optimizer.step()
    return made.eval().requires_grad_(False)


def assert_positive(gain, errors=4.0):
    """A mean of independent numbers above 0 by so many standard errors."""
    error = gain.std() / len(gain) ** 0.5
    assert gain.mean() > errors * error, f"{gain.mean():.3f} +- {error:.3f}"


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sigma", [0.3, 0.5])
def test_a_step_of_the_score_takes_noise_off_unseen_digits(kind, sigma, networks, digits):
    """h + sigma^2 score is nearer to the clean digit than h; cut to [0, 1], than what each pixel tells by itself.

    The VAE's is held against pixels that know how often each is inked. The PixelCNN's step has no bound where later
    pixels speak against an earlier one, which is why it is cut, and is held against pixels that know nothing.
    """
    (learned, _), (clean, _) = digits
    prior = prior_of(kind, networks, sigma)
    noisy = clean + sigma * streams(0, len(clean)).normal(clean, 0)
    denoised = noisy + sigma**2 * prior.score(noisy, noisy)
    ink = learned.mean(0).clamp(1e-3, 1 - 1e-3) if kind == "vae" else torch.tensor(0.5)
    alone = torch.sigmoid(ink.logit() + (noisy - 0.5) / sigma**2)  # E[pixel | its own value]
    estimates = (noisy, denoised, denoised.clamp(0, 1), alone)
    before, after, cut, of_pixels = ((x - clean).square().flatten(1).sum(1) for x in estimates)
    assert_positive(before - after)
    assert_positive(of_pixels - cut)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_walk_by_the_score_alone_climbs(kind, networks, digits):
    """MALA-approx without noise or condition, from noisy digits: log p rises in every chain."""
    sigma, x = 0.4, digits[1][0][:16]
    prior = prior_of(kind, networks, sigma)
    pipeline = ppgn.Pipeline(PixelSpace(SHAPE).eval(), prior, unconditional())
    start = x + sigma * streams(0, 16).normal(x, 0)
    walk = ppgn.sample(
        pipeline, n=16, steps=20, seed=0, start=start, progress=False,
        sampler=lambda p: samplers.mala_approx(p, sigma**2 / 4, 0.0, 0.0),
    )  # fmt: skip
    gain = height(kind, prior, walk.codes) - height(kind, prior, start)
    assert (gain > 0).all()
    nearer = (start - x).square().flatten(1).sum(1) - (walk.codes - x).square().flatten(1).sum(1)
    assert_positive(nearer)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_an_annealed_walk_makes_digits_that_the_other_network_knows(kind, networks, digits):
    """From noise, by the same network at 40 levels: as likely under the other one as the network's own exact draws."""
    n = 24
    pipeline = ppgn.Pipeline(
        PixelSpace(SHAPE).eval(), prior_of(kind, networks, 0.1), start=priors.gaussian(SHAPE, 0.5, 1.5)
    )
    walk = ppgn.sample(
        pipeline, n=n, steps=40, seed=0, progress=False, sampler=lambda p: samplers.annealed(p, 1.5, 0.1, 40)
    )
    vae, pixels = networks["vae"], networks["pixelcnn"]
    like = torch.empty(n, *SHAPE)
    if kind == "vae":
        z = streams(1, n).normal(torch.empty(n, 8), 0)
        drawn = vae.likelihood.sample(vae.decode(z), vae.likelihood.noise(like, streams(1, n)))
        judge = pixels.log_prob
    else:
        drawn, judge = models.draw(pixels, pixels.likelihood.noise(like, streams(1, n))).images, priors.vae(vae).bound
    made, exact = judge((walk.images > 0.5).float()), judge(drawn)
    noise = judge((streams(2, n).uniform(like, 0) < digits[0][0].mean()).float())
    assert_positive(made - noise)
    assert made.mean() > exact.mean() - 4 * ((made.var() + exact.var()) / n).sqrt()


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_ppgn_x_asks_for_classes(kind, networks, classifier):
    """The prior keeps digits likely while the condition chooses them; activation maximisation has but the condition."""
    labels = torch.arange(8)
    prior = prior_of(kind, networks, 0.3)
    pipeline = ppgn.Pipeline(PixelSpace(SHAPE).eval(), prior, class_label(classifier, labels))
    common = {"n": 8, "steps": 60, "seed": 0, "progress": False, "start": torch.full((8, *SHAPE), 0.5)}
    walks = [
        ppgn.sample(pipeline, sampler=build, **common)
        for build in (
            lambda p: samplers.mala_approx(p, 0.02, 0.1, 0.02, bounds=(0.0, 1.0)),
            lambda p: samplers.mala_approx(p, 0.02, 0.1, 0.02, "released", step_size=0.05, bounds=(0.0, 1.0)),
            lambda p: samplers.activation_max(p, step_size=0.05, bounds=(0.0, 1.0)),
        )
    ]
    for walk in walks:
        assert (walk.log_condition[-1].exp() > 0.5).float().mean() > 0.7
        assert torch.equal(walk.images, walk.codes)
    likely = [height(kind, prior, walk.codes) for walk in walks]
    assert_positive(likely[0] - likely[2])


@pytest.mark.parametrize("space", [PixelSpace(SHAPE).eval(), None])
def test_images_are_their_own_codes(space):
    """Also for an identity of `ppgn.pretrained.generator`; and what is outside the range is cut, without a slope."""
    prior = priors.vae(models.build(lambda: models.VAE(SHAPE, latent=2, width=4), 0).eval(), 0.3)
    linear = models.build(lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), 0).eval()
    space = space or generator(nn.Identity(), latent_shape=SHAPE, value_range=(0.0, 1.0), prior=prior, clip=True)
    x = torch.linspace(-0.5, 1.5, 64).view(1, *SHAPE)
    pipeline = ppgn.Pipeline(space, prior, class_label(linear, 1))
    assert pipeline.latent_shape == SHAPE
    terms = pipeline(x)
    assert torch.equal(terms.image, x.clamp(0, 1))
    assert torch.equal(terms.condition != 0, (x >= 0) & (x <= 1))
    assert torch.equal(terms.prior, prior.score(x, x))


def test_a_pixel_space_takes_images_of_its_shape():
    with pytest.raises(ValueError, match=r"images must have shape \(1, 8, 8\), got \(1, 8, 9\)"):
        PixelSpace(SHAPE)(torch.zeros(2, 1, 8, 9))


@pytest.mark.slow
def test_a_vae_is_a_generator_whose_encoder_says_where_to_start(networks, classifier, digits):
    """Mean codes as the first codes; q(z | x) of one image as the density of them; and the encoder in a joint prior."""
    vae, (images, labels) = networks["vae"], digits[1]
    chosen = torch.stack([images[labels == i][0] for i in range(10)])
    mean, log_variance = vae.encode(chosen)
    pipeline = ppgn.Pipeline(vae, priors.gaussian(vae.latent_shape), class_label(classifier, torch.arange(10)))
    common = {"n": 10, "seed": 0, "sampler": lambda p: samplers.mala_approx(p, 0.05, 0.05, 0.05), "progress": False}
    still = ppgn.sample(pipeline, steps=0, start=mean, **common)
    assert torch.equal(still.codes, mean)
    blank = images.mean(0)
    near, far = ((image - chosen).square().flatten(1).sum(1) for image in (still.images, blank))
    assert_positive(far - near)
    around = priors.gaussian(vae.latent_shape, mean[3], (0.5 * log_variance[3]).exp())
    drawn = ppgn.sample(pipeline, steps=0, start=around, **common).codes
    assert ((drawn - mean[3]) / (0.5 * log_variance[3]).exp()).square().mean().item() == pytest.approx(1, abs=0.5)
    joint = ppgn.Pipeline(vae, priors.joint(vae.encoder), class_label(classifier, torch.arange(10)), start=around)
    for asked in (pipeline, joint):
        walk = ppgn.sample(asked, steps=40, **common)
        assert_positive(walk.log_condition[-1] - walk.log_condition[0], errors=2.0)


@pytest.mark.parametrize(
    "network",
    [
        models.VAE(SHAPE, latent=6, width=4),
        models.UpconvGenerator(6, SHAPE, (8, 4)),
        models.DCGANGenerator(6, 1, (8,)),
    ],
    ids=lambda network: type(network).__name__,
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_every_network_of_images_can_be_asked_for_a_class(network, wrapped, classifier):
    """By the exact walk, and by the papers'; as it is with a prior, or as a generator that brings its own."""
    network.eval()
    made = generator(network, latent_shape=(6,), value_range=(0.0, 1.0)) if wrapped else network
    pipeline = ppgn.Pipeline(made, None if wrapped else priors.gaussian((6,)), class_label(classifier, 3))
    for build in (
        lambda p: samplers.mala(p, 0.1),
        lambda p: samplers.mala_approx(p, 0.05, 0.05, 0.1),
        lambda p: samplers.activation_max(p, step_size=0.1),
    ):
        walk = ppgn.sample(pipeline, n=4, steps=5, seed=0, progress=False, sampler=build)
        assert walk.images.shape == (4, *SHAPE)
        assert torch.equal(walk.images, made(walk.codes).detach())
        assert not torch.isclose(walk.codes, priors.gaussian((6,)).sample(4, streams(0, 4)).float()).any()
