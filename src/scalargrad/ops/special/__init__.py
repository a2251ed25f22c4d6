"""Special functions: those of `gamma`, and those of the normal distribution, `standard_normal`."""

from __future__ import annotations

from scalargrad.ops.special.gamma import betaln, digamma, lgamma
from scalargrad.ops.special.standard_normal import erfinv, log_ndtr, ndtr

__all__ = ["betaln", "digamma", "erfinv", "lgamma", "log_ndtr", "ndtr"]
