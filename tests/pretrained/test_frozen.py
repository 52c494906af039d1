"""A network handed in is left as it was, and its copy is for use alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ppgn.pretrained import frozen, load_weights
from ppgn.pretrained.states import unshared


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout())


def test_the_copy_computes_the_same_and_learns_nothing():
    original = network().eval()
    copy, x = frozen(original), torch.randn(3, 1, 5, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(copy(x), original(x))
    assert not copy(x).requires_grad
    assert not any(p.requires_grad for p in copy.parameters())


def test_the_original_keeps_its_flags_gradients_and_modes():
    original = network()
    original[1].eval()
    original(torch.ones(1, 1, 5, 5)).sum().backward()
    gradient = original[0].weight.grad
    copy = frozen(original)
    assert not any(module.training for module in copy.modules())
    assert [module.training for module in original.modules()] == [True, True, False, True]
    assert all(p.requires_grad for p in original.parameters())
    assert original[0].weight.grad is gradient
    assert copy[0].weight.grad is None


def test_the_weights_are_the_same_memory_and_tied_ones_stay_tied():
    original = network()
    original.append(original[0])
    copy = frozen(original)
    for name, tensor in original.state_dict().items():
        assert copy.state_dict()[name].data_ptr() == tensor.data_ptr()
    assert copy[3] is copy[0]
    with torch.no_grad():
        original[0].bias.fill_(7.0)
    assert (copy[0].bias == 7).all()


def test_moving_the_copy_leaves_the_original_where_it_is():
    original = network()
    frozen(original).double()
    assert {tensor.dtype for tensor in original.state_dict().values()} == {torch.float32, torch.int64}


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize(
    "wrap", [nn.utils.spectral_norm, nn.utils.weight_norm, nn.utils.parametrizations.spectral_norm]
)
def test_weights_that_are_computed(wrap):
    """After a forward pass in train mode such a weight is no leaf, which torch refuses to copy."""
    original = wrap(nn.Linear(3, 4))
    original(torch.ones(2, 3))
    copy = frozen(original)
    assert torch.equal(copy(torch.ones(2, 3)), original.eval()(torch.ones(2, 3)))
    assert not copy(torch.ones(2, 3)).requires_grad


def test_a_compiled_network():
    original = torch.compile(network().eval())
    copy = frozen(original)
    assert copy._orig_mod[0].weight.data_ptr() == original._orig_mod[0].weight.data_ptr()
    assert not any(p.requires_grad for p in copy.parameters())


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning", "ignore:.*torch.jit:FutureWarning")
def test_a_torchscript_network():
    original = torch.jit.script(nn.Linear(3, 4))
    copy = frozen(original)
    assert not any(p.requires_grad for p in copy.parameters())
    assert all(p.requires_grad for p in original.parameters())
    assert torch.equal(copy(torch.ones(2, 3)), original(torch.ones(2, 3)))


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("wrap", [nn.utils.spectral_norm, nn.utils.weight_norm])
def test_a_copy_to_be_filled_has_memory_of_its_own(wrap):
    original = wrap(nn.Linear(3, 4))
    original(torch.ones(2, 3))
    before = {name: value.clone() for name, value in original.state_dict().items()}
    filled = load_weights(unshared(original), {name: value + 1 for name, value in before.items()})
    assert all(torch.equal(filled.state_dict()[name], value + 1) for name, value in before.items())
    assert all(torch.equal(value, before[name]) for name, value in original.state_dict().items())
