"""`ppgn train FAMILY`: the commands that made the bundles."""

from __future__ import annotations

import typer

from ppgn.cli.train_autoencoders import autoencoder_command, vae_command
from ppgn.cli.train_captioner import captioner_command
from ppgn.cli.train_classifier import classifier_command
from ppgn.cli.train_dae import dae_command
from ppgn.cli.train_gan import gan_command, vaegan_command
from ppgn.cli.train_joint import joint_command
from ppgn.cli.train_pixels import pixelcnn_command, pixelrnn_command

FAMILIES = {
    "classifier": classifier_command,
    "captioner": captioner_command,
    "joint": joint_command,
    "dae": dae_command,
    "autoencoder": autoencoder_command,
    "vae": vae_command,
    "gan": gan_command,
    "vaegan": vaegan_command,
    "pixelcnn": pixelcnn_command,
    "pixelrnn": pixelrnn_command,
}

app = typer.Typer(help="Train a network that a pipeline is made of, or a baseline.", no_args_is_help=True)
for family, run in FAMILIES.items():
    app.command(family)(run)
