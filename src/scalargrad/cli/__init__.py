"""The command line: `start` is the entry point, and `main` has the commands and the error handling.

The command ``train`` has a file of its own.
"""
