"""A terminal laboratory for exploratory probing of language models."""

__version__ = "0.1.0"
