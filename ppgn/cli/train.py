"""`ppgn train classifier | joint | dae`: the commands that made the bundles."""

from __future__ import annotations

import typer

from ppgn.cli.train_classifier import classifier_command
from ppgn.cli.train_dae import dae_command
from ppgn.cli.train_joint import joint_command

app = typer.Typer(help="Train a network that a pipeline is made of.", no_args_is_help=True)
app.command("classifier")(classifier_command)
app.command("joint")(joint_command)
app.command("dae")(dae_command)
