"""Measurements of scalargrad beside its peers: `python -m benchmarks.NAME`, from this repository.

`measuring` takes times and `reporting` writes tables; every other file is a command or a peer.
"""
