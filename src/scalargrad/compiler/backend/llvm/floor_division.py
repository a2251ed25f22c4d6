"""Python's // and %, without branches, for scalars and vectors alike."""

from __future__ import annotations

import math

from scalargrad.compiler.backend.llvm.emitter import Emitter


def _divided(e: Emitter, x: str, y: str) -> tuple[str, str, str]:
    """Return C's x mod y, whether it is not 0, and whether its sign differs from y's."""
    rest = e.body.assign(f"frem {e.type} {x}, {y}")
    some = e.compare("une", rest, 0.0)
    differ = _both(e, "xor", e.compare("olt", rest, 0.0), e.compare("olt", y, 0.0))
    return rest, some, _both(e, "and", some, differ)


def _both(e: Emitter, instruction: str, x: str, y: str) -> str:
    return e.body.assign(f"{instruction} {e.flag} {x}, {y}")


def floor_divide(e: Emitter, x: str, y: str) -> str:
    """Return ⌊x/y⌋; x·(±∞) where y is zero."""
    rest, _, opposite = _divided(e, x, y)
    quotient = e.div(e.sub(x, rest), y)
    quotient = e.select(opposite, e.sub(quotient, 1.0), quotient)
    whole = e.intrinsic("floor", quotient)
    off = e.compare("ogt", e.sub(quotient, whole), 0.5)
    whole = e.select(off, e.add(whole, 1.0), whole)
    none = e.compare("oeq", quotient, 0.0)
    found = e.select(none, e.intrinsic("copysign", 0.0, e.div(x, y)), whole)
    infinite = e.mul(x, e.intrinsic("copysign", math.inf, y))
    return e.select(e.compare("oeq", y, 0.0), infinite, found)


def remainder(e: Emitter, x: str, y: str) -> str:
    """Return x - y·⌊x/y⌋ with the sign of y; nan where y is zero."""
    rest, some, opposite = _divided(e, x, y)
    found = e.select(opposite, e.add(rest, y), rest)
    return e.select(some, found, e.intrinsic("copysign", 0.0, y))
