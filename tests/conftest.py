from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import browser
import numpy as np
import pytest
import torch

import ppgn
from ppgn import data

SHARED = Path(__file__).parents[2] / "shared"


def pytest_collection_modifyitems(items):
    """Long tests first, so that no core waits for the last of them."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture
def global_randomness_untouched():
    """No call of ours may draw from, or seed, a global generator."""
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    yield
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002
    assert random.getstate() == before[2]


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def digits() -> ppgn.Pipeline:
    """The variant whose walk is the same at every step, so that a few steps show what sampling does."""
    return ppgn.load("mnist", "ppgn-h")


@pytest.fixture
def sevens(digits) -> ppgn.Pipeline:
    return digits.given(ppgn.conditions.class_label(digits.classifier, 7))


@pytest.fixture(scope="session")
def mnist_file() -> str:
    path = SHARED / "data" / "mnist.npz"
    if not path.exists():
        pytest.skip("needs the MNIST images, which do not come with the repository")
    return str(path)


@pytest.fixture(scope="session")
def fashion_file() -> str:
    path = SHARED / "data" / "fashion_mnist.npz"
    if not path.exists():
        pytest.skip("needs the Fashion-MNIST images, which do not come with the repository")
    return str(path)


@pytest.fixture(scope="session")
def third_party() -> Callable[[str], Path]:
    """From the name of another maker's network to its file."""

    def found(name: str) -> Path:
        path = SHARED / "weights" / f"{name}.safetensors"
        if not path.exists():
            pytest.skip(f"needs the weights of {name}, which do not come with the repository")
        return path

    return found


@pytest.fixture(scope="session")
def small_digits(tmp_path_factory) -> str:
    """scikit-learn's 1,797 real 8x8 digits as an .npz."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images = (images.reshape(-1, 8, 8) * 15.9375).astype(np.uint8)
    path = tmp_path_factory.mktemp("data") / "digits.npz"
    np.savez(path, x_train=images[:1500], y_train=labels[:1500], x_test=images[1500:], y_test=labels[1500:])
    return str(path)


@pytest.fixture(scope="session")
def small_images(small_digits) -> data.ImageSet:
    return data.load(small_digits)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """A browser that shows pages; skips where there is none."""
    if browser.found() is None:
        pytest.skip("no Chromium is installed")
    started = browser.Browser(tmp_path_factory.mktemp("profile"))
    yield started
    started.close()
