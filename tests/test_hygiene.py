"""Nothing of the caller's is changed behind the caller's back, and nothing is shown or kept that was not asked for."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import termios

import pytest
import torch

import ppgn


def snapshot(network):
    return [
        (name, m.training, len(m._forward_hooks), len(m._backward_hooks), len(m._forward_pre_hooks))
        for name, m in network.named_modules()
    ], [(name, p.requires_grad, p.grad is None, p.sum().item()) for name, p in network.named_parameters()]


def test_a_run_changes_nothing(sevens):
    sevens.classifier.requires_grad_(True)  # as a person's own network would be
    networks = [sevens.generator, sevens.classifier, sevens.prior.denoiser]
    before = [snapshot(network) for network in networks]
    place = os.getcwd(), signal.getsignal(signal.SIGINT), torch.get_num_threads(), torch.is_grad_enabled()
    ppgn.sample(sevens, n=2, steps=3, seed=0, progress=False)
    assert [snapshot(network) for network in networks] == before
    assert (os.getcwd(), signal.getsignal(signal.SIGINT), torch.get_num_threads(), torch.is_grad_enabled()) == place


def shown(tmp_path, name, *options):
    """What a terminal shows of `ppgn sample`."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    command = [sys.executable, "-m", "ppgn", "sample", "--n", "1", "--label", "1", "--steps", "3", "--device", "cpu"]
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path / name), *options],
        stderr=theirs,
        stdout=theirs,
        env={**os.environ, "COLUMNS": "100"},
    )
    os.close(theirs)
    text = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # the other side is closed
            break
        text += piece
        if not piece:
            break
    assert process.wait() == 0
    return text.decode()


def test_progress_is_for_terminals_that_want_it(tmp_path, sevens, capfd):
    assert "step/s" in shown(tmp_path, "a")
    assert "step/s" not in shown(tmp_path, "b", "--no-progress")
    ppgn.sample(sevens, n=1, steps=2, seed=0)  # no terminal here
    assert capfd.readouterr().err == ""


MEMORY = """
import resource, torch, ppgn
torch.set_num_threads(1)
pipeline = ppgn.load("mnist")
pipeline = pipeline.given(ppgn.conditions.class_label(pipeline.classifier, 7))
ppgn.sample(pipeline, 16, {steps}, seed=0, progress=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_steps():
    """1,000 more steps cost their log-probabilities (64 KB) and an allocator's noise, not their states."""

    def peak(steps):
        code = MEMORY.format(steps=steps)
        return int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)

    states = 1000 * 16 * (784 + 3 * 128) * 4 / 1024  # KiB, had they been kept
    assert peak(1080) - peak(80) < 0.2 * states


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_the_noise_is_the_same_and_the_walk_close():
    def walk(device):
        pipeline = ppgn.pretrained.load("mnist", device=device)
        pipeline = pipeline.given(ppgn.conditions.class_label(pipeline.classifier, 7))
        return ppgn.sample(pipeline, n=4, steps=5, seed=0, progress=False)

    assert torch.allclose(walk("cuda").codes, walk("cpu").codes, atol=1e-3)


def test_precision_follows_the_networks():
    """Codes take the generator's type; a double pipeline walks in double."""
    pipeline = ppgn.load("mnist")
    double = ppgn.Pipeline(
        pipeline.generator.double(), ppgn.priors.joint(lambda x: x.flatten(1)[:, :128]),
        ppgn.conditions.class_label(pipeline.classifier.double(), 7), latent_shape=(128,),
    )  # fmt: skip
    sampler = ppgn.samplers.mala_approx(double, 0.01, 0.1, 0.01)
    assert ppgn.sample(double, n=1, steps=2, seed=0, sampler=sampler, progress=False).codes.dtype == torch.float64
