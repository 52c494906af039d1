"""A helper of test_processes: one process of a training on small digits, alone or started by a launcher.

    process_child.py DIGITS.npz OUT STEPS EVERY FAMILY...

Where the environment says KILL_AT=STEP, every process kills itself (SIGKILL) as that step begins.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch

from ppgn import data, models, training

SHAPE, BATCH, EPOCH = (1, 8, 8), 32, 8


def build(make, seed=0):
    return models.build(make, seed)


def _gan():
    generator = build(lambda: models.UpconvGenerator(8, SHAPE, (8, 4)))
    discriminator = build(lambda: models.DCGANDiscriminator(SHAPE, (8, 8), norm="none"), 1)
    return training.gan_trainer(generator, discriminator, critic_steps=2, r1=1.0, penalty_every=2)


def _joint(images):
    encoder = build(lambda: models.ConvClassifier(SHAPE, width=4, code=8)).eval().requires_grad_(False)
    generator = build(lambda: models.UpconvGenerator(8, SHAPE, (8, 4)), 1)
    discriminator = build(lambda: models.ConditionalDiscriminator(8, SHAPE, width=4), 2)
    some = data.to_float(images.images[:100]).double()
    noise = training.Noise(0.3, 0.3, 0.3)
    return training.joint_trainer(generator, discriminator, encoder, images=some, noise=noise, balance=True)


def vae():
    return build(lambda: models.VAE(SHAPE, latent=4, width=8))


FAMILIES = {
    "autoencoder": lambda _: training.autoencoder_trainer(build(lambda: models.Autoencoder(SHAPE, latent=4, width=8))),
    "vae": lambda _: training.vae_trainer(vae(), binarise=True, free_bits=0.1),
    "vaegan": lambda _: training.vaegan_trainer(
        vae(), build(lambda: models.DCGANDiscriminator(SHAPE, (8, 8), norm="none"), 1)
    ),
    "gan": lambda _: _gan(),
    "joint": _joint,
    "pixels": lambda _: training.autoregressive_trainer(
        build(lambda: models.GatedPixelCNN(SHAPE, width=8, layers=2, classes=10)), binarise=True, clip=0.01
    ),
}


def batches(images, start):
    kill_at = int(os.environ.get("KILL_AT", -1))
    for step, batch in enumerate(data.batches(images, BATCH, 0, start), start):
        if step == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        yield batch._replace(images=batch.images.double())


def run(family, digits, out, steps, every, resume=True):
    images = data.load(digits).part(":256")
    return training.run(
        FAMILIES[family](images), lambda start: batches(images, start), steps=steps, seed=0, out=Path(out) / family,
        config={}, resume=resume, device=training.join("cpu"), checkpoint_every=every, log_every=5,
        steps_per_epoch=EPOCH, batch_size=BATCH, progress=False,
    )  # fmt: skip


def main(digits, out, steps, every, *families):
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    print("pid", os.getpid(), flush=True)
    for family in families:
        last = run(family, digits, out, int(steps), int(every))
        if training.is_main():
            print(family, *last.values(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
