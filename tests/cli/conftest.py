from __future__ import annotations

import sys

import pytest

from ppgn import cli


@pytest.fixture
def call(capsys):
    """Run the command line in this process, `call("models", ...)`: (exit status, standard output, standard error)."""

    def called(*arguments):
        argv, sys.argv = sys.argv, ["ppgn", *map(str, arguments)]
        try:
            cli.main()
            status = 0
        except SystemExit as end:
            status = end.code or 0
        finally:
            sys.argv = argv
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return called
