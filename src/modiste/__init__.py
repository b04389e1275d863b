"""modiste trains, judges and uses classifiers of clothes."""

__version__ = "0.1.0"
