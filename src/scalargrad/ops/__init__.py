"""The operations, each defined once, in the module of its family."""

from __future__ import annotations

from scalargrad.opdef.symbol import TABLE as TABLE
from scalargrad.ops import (
    activations,
    arithmetic,
    exponential,
    indexing,
    reductions,
    rounding,
    selection,
    special,
    trigonometric,
)
from scalargrad.ops.activations import *
from scalargrad.ops.arithmetic import *
from scalargrad.ops.exponential import *
from scalargrad.ops.indexing import *
from scalargrad.ops.reductions import *
from scalargrad.ops.rounding import *
from scalargrad.ops.selection import *
from scalargrad.ops.special import *
from scalargrad.ops.trigonometric import *

__all__: list[str] = []
__all__ += activations.__all__
__all__ += arithmetic.__all__
__all__ += exponential.__all__
__all__ += indexing.__all__
__all__ += reductions.__all__
__all__ += rounding.__all__
__all__ += selection.__all__
__all__ += special.__all__
__all__ += trigonometric.__all__
