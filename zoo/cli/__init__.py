"""The command line; one module per verb of the zoo, one for all verbs of anomalib."""

from zoo.cli.dispatch import main

__all__ = ["main"]
