from __future__ import annotations

import re

import pytest
import torch
from safetensors.torch import save_file

from ppgn import files, models
from ppgn.models.caffe_layouts import convolution, linear, relu

SMALL = {
    "Autoencoder": lambda: models.Autoencoder((1, 8, 8), latent=3, width=4),
    "BigGANDeep": lambda: models.BigGANDeep(128, latent=4, width=8, classes=3, steps=3),
    "CaffeGenerator": lambda: models.CaffeGenerator(
        [convolution("up", "feat", 4, 3, 4, stride=2, pad=1, kind="Deconvolution")], (4, 3, 3)
    ),
    "CaffeNetwork": lambda: models.CaffeNetwork(
        [convolution("conv", "data", 3, 4, 3), relu("relu", "conv"), linear("fc", "conv", 4 * 6 * 10, 5)], (8, 12)
    ),
    "Captioner": lambda: models.Captioner(("a", "thin", "seven"), (3, 8, 12), width=4, features=8),
    "CodeDenoiser": lambda: models.CodeDenoiser(8, (16, 4, 16)),
    "ConditionalDiscriminator": lambda: models.ConditionalDiscriminator(8, (3, 8, 12), width=4),
    "ConvClassifier": lambda: models.ConvClassifier((3, 8, 12), classes=4, width=4, code=8),
    "ConvLadderDenoiser": lambda: models.ConvLadderDenoiser(4, (8, 12), blocks=1, embedding=8),
    "ConvVAE": lambda: models.ConvVAE(4, (1, 32, 32)),
    "DCGANDiscriminator": lambda: models.DCGANDiscriminator((3, 16, 16), (4, 8), norm="spectral"),
    "DCGANGenerator": lambda: models.DCGANGenerator(8, 3, (8, 4)),
    "DenseVAE": lambda: models.DenseVAE((1, 8, 8), latent=3, hidden=(6,)),
    "DiagonalBiLSTM": lambda: models.DiagonalBiLSTM((1, 4, 5), width=4, layers=1),
    "GatedPixelCNN": lambda: models.GatedPixelCNN((1, 4, 5), width=4, layers=2, kernel=3),
    "ImageDenoiser": lambda: models.ImageDenoiser((1, 8, 8), latent=3, width=4),
    "JointVAE": lambda: models.JointVAE(),
    "LadderDenoiser": lambda: models.LadderDenoiser(8, width=16, blocks=2, embedding=8),
    "PixelCNN": lambda: models.PixelCNN((3, 4, 5), models.Categorical(4), width=6, layers=1),
    "ResidualClassifier": lambda: models.ResidualClassifier((3, 8, 12), classes=4, width=4),
    "ResidualGenerator": lambda: models.ResidualGenerator(3, (1, 8, 8), width=4),
    "RowLSTM": lambda: models.RowLSTM((1, 4, 5), width=4, layers=1),
    "TinyAutoencoder": lambda: models.TinyAutoencoder(channels=4, width=8),
    "UpconvGenerator": lambda: models.UpconvGenerator(8, (3, 8, 12), (8, 4, 4)),
    "VAE": lambda: models.VAE((1, 8, 8), latent=3, width=4),
}
INPUTS = {
    "Autoencoder": [(2, 3)],
    "BigGANDeep": [(2, 8)],
    "CaffeGenerator": [(2, 4, 3, 3)],
    "CaffeNetwork": [(2, 3, 8, 12)],
    "Captioner": [(2, 3, 8, 12), (2, 4)],
    "CodeDenoiser": [(2, 8)],
    "ConditionalDiscriminator": [(2, 3, 8, 12), (2, 8)],
    "ConvClassifier": [(2, 3, 8, 12)],
    "ConvLadderDenoiser": [(2, 4, 3, 5), (2,)],
    "ConvVAE": [(2, 4)],
    "DCGANDiscriminator": [(2, 3, 16, 16)],
    "DCGANGenerator": [(2, 8)],
    "DenseVAE": [(2, 3)],
    "DiagonalBiLSTM": [(2, 1, 4, 5)],
    "GatedPixelCNN": [(2, 1, 4, 5)],
    "ImageDenoiser": [(2, 1, 8, 8)],
    "JointVAE": [(2, 20)],
    "LadderDenoiser": [(2, 8), (2,)],
    "PixelCNN": [(2, 3, 4, 5)],
    "ResidualClassifier": [(2, 3, 8, 12)],
    "ResidualGenerator": [(2, 3)],
    "RowLSTM": [(2, 1, 4, 5)],
    "TinyAutoencoder": [(2, 4, 2, 3)],
    "UpconvGenerator": [(2, 8)],
    "VAE": [(2, 3)],
}


def inputs(name):
    rng = torch.Generator().manual_seed(0)
    drawn = [torch.rand(shape, generator=rng) for shape in INPUTS[name]]
    return [drawn[0], (3 * drawn[1]).long()] if name == "Captioner" else drawn  # words are whole numbers


@pytest.mark.parametrize("name", sorted(models.ARCHITECTURES))
@pytest.mark.usefixtures("global_randomness_untouched")
def test_every_network_saves_and_loads(name, tmp_path):
    network = models.build(SMALL[name], seed=1).eval()
    models.save(network, tmp_path / "a.safetensors", {"note": "kept"})
    again = models.load(tmp_path / "a.safetensors")
    assert torch.equal(again(*inputs(name)), network(*inputs(name)))
    assert not again.training
    assert not any(p.requires_grad for p in again.parameters())
    assert files.read_tensors(tmp_path / "a.safetensors")[1]["note"] == "kept"


@pytest.mark.parametrize("name", sorted(models.ARCHITECTURES))
def test_rows_do_not_mix(name):
    """In eval mode row i of the output depends on row i of the input alone: chains must not see each other."""
    network = models.build(SMALL[name], seed=1).eval()
    whole = network(*inputs(name))
    alone = network(*(x[1:] for x in inputs(name)))
    assert torch.allclose(whole[1:], alone, atol=1e-6)


def test_seeds_decide_the_weights():
    a, b, c = (models.build(SMALL["UpconvGenerator"], seed) for seed in (1, 1, 2))
    assert files.fingerprint(a) == files.fingerprint(b) != files.fingerprint(c)


def test_the_code_is_not_negative_and_the_image_in_range():
    x = torch.rand(2, 3, 8, 12, generator=torch.Generator().manual_seed(0))
    h = models.build(SMALL["ConvClassifier"], 0).features(x)
    assert h.shape == (2, 8)
    assert h.min() == 0
    image = models.build(SMALL["UpconvGenerator"], 0)(100 * h)
    assert image.shape == x.shape
    assert image.min() >= 0
    assert image.max() <= 1


def test_encoder_is_the_classifiers_code():
    network = models.build(SMALL["ConvClassifier"], 0).eval()
    x = inputs("ConvClassifier")[0]
    assert torch.equal(models.Encoder(network)(x), network.h1_to_h(network.x_to_h1(x)))


def test_bad_input(tmp_path):
    with pytest.raises(ValueError, match="multiples of 4 for 3 widths, got 10x8"):
        models.UpconvGenerator(8, (1, 10, 8))
    files.write_tensors(tmp_path / "a.safetensors", {}, {"architecture": "VGG"})
    with pytest.raises(files.DamagedFileError, match=r"must name an architecture of .*UpconvGenerator.*got 'VGG'"):
        models.load(tmp_path / "a.safetensors")
    header = {"architecture": "CodeDenoiser", "config": {"code": 4, "widths": [3]}}
    files.write_tensors(tmp_path / "b.safetensors", {"mean": torch.zeros(4)}, header)
    with pytest.raises(files.DamagedFileError, match=r"must hold the weights of CodeDenoiser(.|\n)*Missing key"):
        models.load(tmp_path / "b.safetensors")
    with pytest.raises(FileNotFoundError):
        models.load(tmp_path / "none.safetensors")


@pytest.fixture
def ladder():
    """A denoiser whose network gives something, not 0 as at first; codes with a dead unit and correlated others."""
    rng = torch.Generator().manual_seed(0)
    codes = torch.randn(500, 8, generator=rng) @ torch.randn(8, 8, generator=rng) + 3
    codes[:, 2] = 0
    network = models.build(lambda: models.LadderDenoiser(8, width=16, blocks=2, embedding=8), 1).eval()
    network.measure(codes)
    return network.requires_grad_(False), codes


def test_a_new_ladder_is_the_best_linear_denoiser(ladder):
    """m + C (C + sigma^2)^-1 (h - m), computed by a solve."""
    network, codes = ladder
    covariance, eye = torch.cov(codes.double().T), torch.eye(8).double()
    h = codes[:5] + 1
    for sigma in (0.1, 1.0, 30.0):
        away = (h - codes.mean(0)).double()
        expected = codes.mean(0) + away @ torch.linalg.solve(covariance + sigma**2 * eye, covariance)
        assert torch.allclose(network(h, sigma), expected.float(), atol=1e-4)


def test_a_ladder_leaves_a_code_without_noise_as_it_is(ladder):
    network, codes = ladder
    torch.nn.init.normal_(network.last.weight, generator=torch.Generator().manual_seed(2))
    assert torch.allclose(network(codes, 1e-5), codes, atol=1e-3)
    assert not torch.allclose(network(codes, 1.0), codes, atol=0.1)
    assert torch.allclose(network(codes + 1, 1.0)[:, 2], codes[:, 2], atol=1e-5)  # the dead unit


def test_a_ladders_network_sees_and_gives_unit_variance(ladder):
    """c_in (h + sigma e) and (h - c_skip (h + sigma e)) / c_out along every axis, at every level."""
    network, codes = ladder
    rows = codes.repeat(40, 1)
    noise = torch.randn(rows.shape, generator=torch.Generator().manual_seed(3))
    alive = network.std > 0
    assert int(alive.sum()) == 7
    for sigma in (0.1, 1.0, 10.0):
        seen = []
        network.first.register_forward_pre_hook(lambda module, x, seen=seen: seen.append(x[0]))
        network(rows + sigma * noise, sigma)
        u = seen[0][:, alive]
        assert (u.var(0) - 1).abs().max() < 0.03
        std = network.std[alive]
        total = (std**2 + sigma**2).sqrt()
        clean = ((rows - network.mean) @ network.basis)[:, alive]
        target = (clean - std**2 / total * u) / (std * sigma / total)
        assert (target.var(0) - 1).abs().max() < 0.03


def test_a_ladder_takes_a_level_for_each_row(ladder):
    network, codes = ladder
    sigma = torch.tensor([0.1, 1.0, 5.0])
    together = network(codes[:3] + 1, sigma)
    alone = [network(codes[i : i + 1] + 1, float(sigma[i])) for i in range(3)]
    assert torch.allclose(together, torch.cat(alone), atol=1e-5)


def test_a_map_grows_as_one_number_at_every_place():
    """Of a convolutional generator: where the map is the same at all places, its image's inside repeats by 4 x 4."""
    network = models.build(lambda: models.UpconvGenerator((5, 8, 9), (3, 32, 36), (8, 6, 4)), 1).eval()
    h = torch.randn(2, 5, 1, 1, generator=torch.Generator().manual_seed(0))
    x = network(h.expand(-1, -1, 8, 9))
    inside = x[:, :, 12:-12, 12:-12]
    assert torch.allclose(inside[..., 4:], inside[..., :-4], atol=1e-6)
    assert torch.allclose(inside[..., 4:, :], inside[..., :-4, :], atol=1e-6)
    moved = torch.randn(1, 5, 8, 9, generator=torch.Generator().manual_seed(1))
    apart = network(moved.roll(1, 3))[..., 12:-12, 16:-12] - network(moved)[..., 12:-12, 12:-16]
    assert apart.abs().max() < 1e-6


def test_a_map_of_codes_is_saved_and_loaded(tmp_path):
    network = models.build(lambda: models.UpconvGenerator((5, 2, 3), (3, 8, 12), (8, 4, 4)), 1).eval()
    models.save(network, tmp_path / "a.safetensors")
    again = models.load(tmp_path / "a.safetensors")
    h = torch.randn(2, 5, 2, 3, generator=torch.Generator().manual_seed(0))
    assert again.latent_shape == (5, 2, 3)
    assert torch.equal(again(h), network(h))
    flat = [models.build(lambda code=code: models.UpconvGenerator(code, (1, 8, 8)), 0) for code in (4, [4])]
    assert files.fingerprint(flat[0]) == files.fingerprint(flat[1])


@pytest.mark.parametrize("code", [(5, 2, 2), (5, 3, 2), (5, 6), (5, 1, 2, 3)])
def test_maps_that_do_not_grow_to_the_image(code):
    text = re.escape(f"units or a map of (channels, 2, 3) to grow to 8x12 by 3 widths, got {code}")
    with pytest.raises(ValueError, match=text):
        models.UpconvGenerator(code, (3, 8, 12), (8, 4, 4))


def test_a_discriminator_takes_maps_as_their_numbers():
    network = models.build(SMALL["ConditionalDiscriminator"], 0).eval()
    x, h = inputs("ConditionalDiscriminator")
    assert torch.equal(network(x, h.view(2, 2, 2, 2)), network(x, h))


def test_files_of_other_makers(tmp_path):
    """Their header names no architecture; numbers of half the size become ours; a header of ours goes first."""
    network = models.build(models.LadderDenoiser, 0)
    halves = {name: value.half() for name, value in network.state_dict().items()}
    save_file(halves, tmp_path / "a.safetensors")
    again = models.load(tmp_path / "a.safetensors", architecture="LadderDenoiser")
    assert all(torch.equal(value, halves[name].float()) for name, value in again.state_dict().items())
    assert not again.training
    for wrong, message in ((None, "got None"), ("torchvision/alexnet", "got 'torchvision/alexnet'")):
        with pytest.raises(files.DamagedFileError, match=f"must name an architecture of .*{message}"):
            models.load(tmp_path / "a.safetensors", architecture=wrong)
    with pytest.raises(files.DamagedFileError, match="must hold the weights of CodeDenoiser"):
        models.load(tmp_path / "a.safetensors", architecture="CodeDenoiser")
    models.save(models.build(SMALL["CodeDenoiser"], 0), tmp_path / "b.safetensors")
    assert isinstance(models.load(tmp_path / "b.safetensors", architecture="LadderDenoiser"), models.CodeDenoiser)
