"""Run work in processes, threads and clusters: the points of a sweep, the chunks of a sum.

The parameter `workers` follows SciPy: a number of local processes, an object with a ``map`` method,
or a ``map`` function, of `concurrent.futures`, `multiprocessing`, mpi4py, Dask or joblib.
"""

from __future__ import annotations

from scalargrad.parallel.chunked_sum import ChunkedSum, sum_over
from scalargrad.parallel.sweeping import SweepInterrupt, sweep

__all__ = [
    "ChunkedSum",
    "SweepInterrupt",
    "sum_over",
    "sweep",
]
