"""The version of this package, in a file of its own so that any other can name it."""

__version__ = "0.2.0"
