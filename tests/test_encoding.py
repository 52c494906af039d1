"""Where a walk from a real image starts: the codes of images, of every bundle that has an encoder."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from targets import linear

import ppgn
from ppgn import data, pretrained
from ppgn.random import streams

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")


def test_codes_are_the_encoders_in_parts_too_and_carry_no_graph():
    problem = linear()
    encoder = problem.pipeline(0).prior.encoder
    pipeline = replace(problem.pipeline(0), encoder=encoder)
    x = torch.rand(5, 1, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    codes = pipeline.encode(x)
    assert torch.equal(codes, encoder(x))
    assert not codes.requires_grad
    assert torch.allclose(replace(pipeline, batch_size=2).encode(x), codes)
    assert torch.equal(replace(pipeline, latent_shape=None).encode(x), codes)
    assert pipeline.encode(x[:0]).shape == (0, 3)


def test_what_cannot_be_encoded_is_told():
    problem = linear()
    pipeline = replace(problem.pipeline(0), encoder=problem.pipeline(0).prior.encoder)
    x = torch.zeros(2, 1, 2, 2, dtype=torch.float64)
    with pytest.raises(ValueError, match="encode needs a pipeline with an encoder, as Pipeline"):
        problem.pipeline(0).encode(x)
    with pytest.raises(
        ValueError, match=r"images must have shape \(2, 1, 2, 2\), got \(2, 1, 3, 2\); as the generator"
    ):
        pipeline.encode(torch.zeros(2, 1, 3, 2, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"images must be float \(B, C, H, W\), got torch.uint8"):
        pipeline.encode(x.to(torch.uint8))
    with pytest.raises(ValueError, match=r"images must be float \(B, C, H, W\), got torch.float64 \(1, 2, 2\)"):
        pipeline.encode(x[0])
    with pytest.raises(ValueError, match=r"codes of the encoder must have shape \(2, 3\), got \(2, 4\)"):
        replace(pipeline, encoder=torch.nn.Flatten().eval()).encode(x)
    with pytest.raises(ValueError, match="encoder must be in eval mode"):
        replace(pipeline, encoder=torch.nn.Flatten())


VARIANTS = [(name, variant) for name in pretrained.names() for variant in pretrained.describe(name)["variants"]]
WITHOUT = {"mnist-gan", "mnist-pixelcnn", "mnist-pixelrnn"}


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_codes_of_a_bundle_are_those_that_its_generator_inverts(name, variant):
    pipeline = ppgn.load(name, variant)
    if name in WITHOUT:
        assert pipeline.encoder is None
        return
    shape = (3, 32, 32) if name == "cifar10" else (1, 28, 28)
    x = torch.rand(3, *shape, generator=torch.Generator().manual_seed(0))
    if isinstance(pipeline.generator, ppgn.models.PixelSpace):
        wanted = x
    elif name in ("mnist-vae", "mnist-vaegan"):
        wanted = pipeline.generator.encode(x)[0]
    else:
        wanted = pretrained.network(name, "encoder").features(x)
    assert torch.equal(pipeline.encode(x), wanted)


def test_the_joint_prior_and_the_pipeline_share_one_encoder():
    pipeline = ppgn.load("mnist", "joint")
    assert pipeline.encoder is pipeline.prior.encoder


def test_natural_images_are_encoded_by_their_autoencoder():
    coder = ppgn.models.build(lambda: ppgn.models.TinyAutoencoder(width=8), 0).eval()
    x = torch.rand(1, 3, 16, 24, generator=torch.Generator().manual_seed(0))
    for variant in ("annealed", "joint"):
        pipeline = pretrained.natural(coder, (16, 24), variant=variant)
        assert torch.equal(pipeline.encode(x), coder.encode(x))


def test_the_encoder_is_saved_with_the_pipeline(tmp_path):
    for name, files in {"mnist-vae": {"generator"}, "fashion": {"generator", "encoder"}}.items():
        pipeline = ppgn.load(name)
        pretrained.save(pipeline, tmp_path / name)
        written = {path.stem for path in (tmp_path / name).glob("*.safetensors")}
        assert files <= written
        assert ("encoder" in written) == ("encoder" in files)  # a VAE's is in the generator
        x = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
        assert torch.equal(pretrained.from_pretrained(tmp_path / name).encode(x), pipeline.encode(x))


def test_a_run_is_gone_on_with_by_a_pipeline_with_or_without_an_encoder():
    """It is no part of what is walked."""
    digits = ppgn.load("mnist", "ppgn-h")
    samples = ppgn.sample(digits, 2, 2, 0, progress=False)
    samples.resume(replace(digits, encoder=None), 1, progress=False)
    assert "encoder" not in samples.record["weights"]


def test_an_annealed_walk_from_little_noise_stays_near_a_real_image(mnist_file):
    """The more noise, the farther: mean squared error over test digits."""
    x = data.to_float(data.load(mnist_file, "test").per_class(1).images)
    off = []
    for noise in (1.0, 4.0, 20.0):
        digits = ppgn.load("mnist", settings={"sigma_max": noise, "levels": 30})
        h = digits.encode(x)
        start = h + noise * streams(0, len(h)).normal(h, 0, "start")
        made = ppgn.sample(digits, len(h), 30, 0, start=start, frames=0, progress=False).images
        off.append(float((made - x).square().mean()))
    assert off[0] < off[1] < off[2]
    assert off[0] < 0.075  # 0.012 for G(E(x)), 0.047 after this walk
    assert off[2] > 0.1
