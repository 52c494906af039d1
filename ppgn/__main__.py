"""`python -m ppgn`, for launchers that start modules."""

from ppgn.cli import main

main()
