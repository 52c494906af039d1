"""Contact sheets: what they show, and that nothing is changed by them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import process_child
import pytest
import torch
from PIL import Image
from torch import nn

from ppgn import data, images, models, training
from ppgn.training.sheets import contact_sheet

pytestmark = pytest.mark.usefixtures("global_randomness_untouched")
FAMILIES = {
    **process_child.FAMILIES,
    "denoiser": lambda _: training.image_dae_trainer(
        models.build(lambda: models.ImageDenoiser((1, 8, 8), width=8), 0), sigma=0.3
    ),
    "rows": lambda _: training.autoregressive_trainer(models.build(lambda: models.RowLSTM((1, 8, 8), width=4), 0)),
}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def batch(small_images):
    return next(data.batches(small_images, 64, 0))


@pytest.mark.parametrize("family", FAMILIES)
def test_images_in_range_and_nothing_changed(family, batch, small_images):
    """Training flags, gradients, weights, the global generators; and the same picture again."""
    if family == "joint":
        small_images = small_images.part(":100")
    torch.set_default_dtype(torch.float64)
    trainer = FAMILIES[family](small_images)
    batch = batch._replace(images=batch.images.double())
    try:
        modules = [m for network in trainer.modules.values() for m in network.modules()]
        modules[0].train()
        flags = [m.training for m in modules]
        before = {k: v.clone() for n, m in trainer.modules.items() for k, v in m.state_dict(prefix=n).items()}
        sheet = contact_sheet(trainer, batch, seeded())
        assert [m.training for m in modules] == flags
        assert all(p.grad is None for network in trainer.modules.values() for p in network.parameters())
        for n, m in trainer.modules.items():
            assert all(torch.equal(v, before[k]) for k, v in m.state_dict(prefix=n).items())
        assert contact_sheet(trainer, batch, seeded()).tobytes() == sheet.tobytes()
        for module in trainer.results.values():
            module.eval()
        with torch.no_grad():
            shown = trainer.sheet(batch, seeded())
        assert shown.shape[1:] == (1, 8, 8)
        assert len(shown) == (16 if family in ("pixels", "rows") else 64)
        assert shown.isfinite().all()
        if family != "denoiser":
            assert shown.min() >= 0
            assert shown.max() <= 1
    finally:
        torch.set_default_dtype(torch.float32)


def test_reconstructions_stand_beside_their_originals(batch):
    trainer = training.autoencoder_trainer(models.build(lambda: models.Autoencoder((1, 8, 8), latent=4, width=8), 0))
    shown, network = trainer.sheet(batch, seeded()), trainer.results["model"]
    assert torch.equal(shown[::2], batch.images[:32])
    assert torch.equal(shown[1::2], network(network.encode(batch.images[:32])))


def test_one_sheet_an_epoch_and_one_at_the_end(tmp_path, small_images):
    """Of the averaged network with the seed of the run, on the disk and in TensorBoard; bits as without sheets."""

    def run(name, **options):
        network = models.build(lambda: models.VAE((1, 8, 8), latent=4, width=8), 0)
        trainer = training.vae_trainer(network)
        training.run(
            trainer, lambda k: data.batches(small_images, 32, 0, k), steps=7, seed=3, out=tmp_path / name, config={},
            progress=False, **options,
        )  # fmt: skip
        return trainer

    trainer = run("sheets", steps_per_epoch=3, tensorboard=True)
    run("none")
    folder = tmp_path / "sheets" / "samples"
    assert sorted(p.name for p in folder.iterdir()) == ["epoch-0001.png", "epoch-0002.png", "epoch-0003.png"]
    assert not (tmp_path / "none" / "samples").exists()
    a, b = ((tmp_path / name / "checkpoint.safetensors").read_bytes() for name in ("sheets", "none"))
    assert a == b
    with torch.no_grad():
        known = images.grid(trainer.results["model"].eval()(torch.randn(64, 4, generator=seeded(3))))
    found = np.asarray(Image.open(folder / "epoch-0003.png"))
    assert (found == np.asarray(known)).all()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "sheets" / "tensorboard")).Reload()
    assert [event.step for event in events.Images("samples")] == [3, 6, 7]


def test_a_trainer_without_a_sheet(batch):
    trainer = training.classifier_trainer(models.build(lambda: nn.Linear(2, 2), 0))
    with pytest.raises(ValueError, match="the trainer must have a sheet, but this one has none"):
        contact_sheet(replace(trainer, sheet=None), batch, seeded())
