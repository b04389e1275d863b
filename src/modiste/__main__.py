"""Lets `python -m modiste` do what `modiste` does."""

from modiste.cli.main import main

main()
