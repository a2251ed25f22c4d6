"""Work spread over processes, threads and clusters: points of a sweep, chunks of a sum.

`workers` is SciPy's convention: a number of local processes, or anything with ``map``, or a
``map`` itself, from `concurrent.futures`, `multiprocessing`, mpi4py, Dask or joblib.
"""

from __future__ import annotations

from scalargrad.parallel.chunked_sum import ChunkedSum as ChunkedSum
from scalargrad.parallel.chunked_sum import sum_over as sum_over
from scalargrad.parallel.sweeping import SweepInterrupt as SweepInterrupt
from scalargrad.parallel.sweeping import sweep as sweep

__all__ = [
    "ChunkedSum",
    "SweepInterrupt",
    "sum_over",
    "sweep",
]
