"""Measurements of scalargrad and its peers: run `python -m benchmarks.NAME` in this repository.

Each command has a table of comparisons, which `comparing` runs: the contestants run alternately and
must agree, and each row is a figure and its goal. `measuring` measures times, `reporting` writes
tables.
"""
