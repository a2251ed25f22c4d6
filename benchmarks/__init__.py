"""Measurements of scalargrad beside its peers: `python -m benchmarks.NAME`, from this repository.

A command has a table of comparisons, which `comparing` runs: contestants that must agree take
turns, and each row is a figure and its goal. `measuring` takes times, `reporting` writes tables.
"""
