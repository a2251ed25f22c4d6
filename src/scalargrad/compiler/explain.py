"""Explain a compiled function as text: what its program consists of, and how long a call takes."""

from __future__ import annotations

import time
import timeit
from collections.abc import Callable

from scalargrad.compiler.backend.choice import has_llvm
from scalargrad.compiler.call.specialization import Specialization
from scalargrad.compiler.nests.nested import Nested

#: A call is timed so often, and the shortest time is told.
_RUNS = 7


class Explanation(str):
    """Text about a compiled function, shown as it is printed.

    Attributes
    ----------
    code : str
        The LLVM IR of the program; empty where NumPy runs it.
    """

    __slots__ = ("code",)

    code: str

    def __new__(cls, text: str, code: str = "") -> Explanation:
        """Make the text, and attach the code."""
        made = super().__new__(cls, text)
        made.code = code
        return made

    def __repr__(self) -> str:
        return str(self)


def explain(path: Specialization, call: Callable[[], object]) -> Explanation:
    """Return the size of a recording, the parts of each of its programs, and the time of a call.

    Parameters
    ----------
    call : callable
        Makes a call, which is timed unless it draws random numbers.
    """
    function = path.function
    runners = {"forward": function.values}
    if len(function.moving) == 1 and path.differentiable:
        runners["forward and backward"] = function.values_and_row_of(function.moving[0])
    found = function.values.nests
    as_loops = f"found as {found.steps} steps of {found.loops} loops"
    lines = [f"{path.name}: {path.recorded} nodes recorded, {as_loops}"]
    codes = []
    for name, runner in runners.items():
        nests = runner.nests
        lines.append(f"{name}: {nests.steps} steps of {nests.loops} loops, {nests.cells * 8} bytes")
        lines += [f"  {line}" for line in nests.listing.splitlines()]
        codes.append(nests.module.text() if isinstance(nests, Nested) else "")
    lines.append(f"run by {'machine code' if has_llvm() else 'NumPy'}")
    if not path.draws:
        lines.append(f"time of a call: {_shortest(call)}, with its arguments read and results made")
    return Explanation("\n".join(lines), "\n".join(filter(None, codes)))


def _shortest(call: Callable[[], object]) -> str:
    """Return the shortest time of several calls, in a suitable unit."""
    seconds = min(timeit.repeat(call, timer=time.perf_counter, number=1, repeat=_RUNS))
    unit, scale = next(x for x in _UNITS if seconds * x[1] < 1000 or x[0] == "s")
    return f"{seconds * scale:.3g} {unit}"


_UNITS = (("ns", 1e9), ("µs", 1e6), ("ms", 1e3), ("s", 1.0))
