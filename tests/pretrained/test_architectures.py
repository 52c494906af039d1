"""Thirty-odd architectures of torchvision and timm, random weights: what is asked is what the library itself computes.

Random networks forget their input, or blow it up, unless their normalisation knows the data: so theirs is set from two
pictures first, and what begins at zero is woken.
"""

from __future__ import annotations

import os

import pytest
import timm
import torch
import torchvision
from PIL import Image
from torch import nn
from torchvision.transforms.functional import to_tensor

from ppgn.pretrained import classifier

sklearn_datasets = pytest.importorskip("sklearn.datasets")

ROOM = 1.5e9  # bytes that the largest of them, twice, needs
TORCHVISION = [
    "resnet18", "squeezenet1_1", "mobilenet_v2", "mobilenet_v3_small", "densenet121", "regnet_y_400mf",
    "shufflenet_v2_x0_5", "googlenet", "inception_v3", "mnasnet0_5", "efficientnet_b0", "swin_t", "convnext_tiny",
]  # fmt: skip
TIMM = [
    "resnet10t.c3_in1k", "resnext26ts.ra2_in1k", "convnext_atto.d2_in1k",
    "vit_tiny_patch16_224.augreg_in21k_ft_in1k", "deit_tiny_patch16_224.fb_in1k", "efficientnet_lite0.ra_in1k",
    "mobilenetv3_small_050.lamb_in1k", "regnetx_002.pycls_in1k", "ghostnet_100.in1k", "mixer_s32_224",
    "repvgg_a0.rvgg_in1k", "mobilevit_xxs.cvnets_in1k", "efficientvit_b0.r224_in1k", "edgenext_xx_small.in1k",
    "maxvit_rmlp_pico_rw_256.sw_in1k", "poolformer_s12.sail_in1k", "xcit_nano_12_p16_224.fb_in1k",
    "levit_128s.fb_dist_in1k", "pit_ti_224.in1k", "fastvit_t8.apple_in1k", "test_vit.r160_in1k",
]  # fmt: skip
NAMES = [f"torchvision/{name}" for name in TORCHVISION] + [f"timm/{name}" for name in TIMM]


@pytest.fixture(scope="module")
def photographs() -> list[Image.Image]:
    return [Image.fromarray(image) for image in sklearn_datasets.load_sample_images().images]


def official(name: str):
    """(network, its transform) as the library's own functions give them."""
    library, _, own = name.partition("/")
    if library == "timm":
        network = timm.create_model(own, pretrained=False)
        config = timm.data.resolve_model_data_config(network)
        return network, timm.data.create_transform(**config)
    transform = torchvision.models.get_model_weights(own).DEFAULT.transforms()
    options = {"init_weights": False, "transform_input": True} if own in ("googlenet", "inception_v3") else {}
    options |= {"aux_logits": False} if own == "googlenet" else {}
    return torchvision.models.get_model(own, weights=None, **options), transform


@torch.no_grad()
def woken(network: nn.Module, inputs: torch.Tensor) -> nn.Module:
    """In eval mode, with parameters that are not zero and statistics of these inputs."""
    rng = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        if not parameter.any() and parameter.ndim > 1:
            parameter.normal_(0, 0.02, generator=rng)
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
        norm.weight[norm.weight == 0] = 1.0
    if norms:
        with torch.random.fork_rng():  # dropout
            torch.manual_seed(0)
            network.train()(inputs)
    return network.eval()


def worst_error(name: str, photographs: list[Image.Image]) -> tuple[float, float]:
    """(largest difference of the logits from the official ones, how far the logits of two pictures lie apart), over
    the largest logit; checks that gradients are finite."""
    adapter = classifier(name, weights=None)
    network, transform = official(name)
    side = adapter.preprocessing.resize[0]
    exact = photographs[0].resize((side + 37, side))  # 8 bits that need no resize
    other = to_tensor(photographs[1].crop((90, 20, 470, 320)))[None]  # that needs one, as a float tensor
    inputs = torch.cat([transform(exact)[None], transform(other)])
    woken(network, inputs)
    adapter.network.load_state_dict(network.state_dict())
    with torch.no_grad():
        expected = network(inputs)
    found = torch.cat([adapter(to_tensor(exact)[None]).detach(), adapter(other.requires_grad_())])
    (gradient,) = torch.autograd.grad(found[1].log_softmax(0)[7], other)
    assert torch.isfinite(gradient).all()
    assert gradient.any()
    scale = max(1.0, expected.abs().max().item())
    return (found - expected).abs().max().item() / scale, (expected[0] - expected[1]).abs().max().item() / scale


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*init_weights.*:FutureWarning")
@pytest.mark.parametrize("name", NAMES)
def test_the_classifier_is_the_official_preprocessing_and_network(name, photographs):
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if free < ROOM:
        pytest.skip(f"needs {ROOM / 1e9} GB of free memory, there are {free / 1e9:.1f}")
    error, apart = worst_error(name, photographs)
    assert error < 1e-5
    assert apart > 1e-3  # so that another preprocessing would show


def test_the_gradient_is_the_finite_difference():
    network = classifier("timm/test_vit.r160_in1k", weights=None).double()
    rng = torch.Generator().manual_seed(0)
    x = torch.rand(1, 3, 70, 90, dtype=torch.float64, generator=rng).requires_grad_()
    way = torch.randn(x.shape, dtype=torch.float64, generator=rng)

    def log_p(x):
        return network(x).log_softmax(1)[0, 7]

    (gradient,) = torch.autograd.grad(log_p(x), x)
    step = 1e-4
    with torch.no_grad():
        slope = (log_p(x + step * way) - log_p(x - step * way)) / (2 * step)
    assert abs((gradient * way).sum() / slope - 1) < 1e-5
