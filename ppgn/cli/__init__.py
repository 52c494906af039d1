"""The command line. Errors that a person can mend are one line, without a traceback."""

from __future__ import annotations

import sys

import typer

from ppgn.cli.ablate import ablate_command
from ppgn.cli.convert import convert_command
from ppgn.cli.evaluate import evaluate_command
from ppgn.cli.models import models_command
from ppgn.cli.sample import sample_command
from ppgn.cli.train import app as train_app

app = typer.Typer(
    help="Plug-and-play samplers: a generator, a prior and a classifier make p(h | y).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("sample")(sample_command)
app.command("evaluate")(evaluate_command)
app.command("ablate")(ablate_command)
app.command("models")(models_command)
app.command("convert-caffe")(convert_command)
app.add_typer(train_app, name="train")


def main() -> None:
    """Run the command line: exit status 0, 1 with one line for an error, 130 after Ctrl-C."""
    try:
        app()
    except (ValueError, TypeError, OSError, RuntimeError, ImportError, ArithmeticError) as error:
        typer.echo(f"ppgn: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        typer.echo("ppgn: stopped", err=True)
        sys.exit(130)
