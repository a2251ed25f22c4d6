"""The command line: `start` is the entry point, and `main` has the commands and the error handling.

The commands ``train`` and ``sweep`` have files of their own.
"""
