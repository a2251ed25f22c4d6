"""Times of the phases of compilation, and the candidates that were taken and rejected.

Functions of the package that is measured are replaced by ones that also note the time. A revision
that lacks one of them has no time of that phase.
"""

from __future__ import annotations

import importlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial, wraps
from inspect import isgeneratorfunction
from typing import Any

_NESTS = "scalargrad.compiler.nests"
#: The functions of each phase, in the order of compilation: module, and name in it. What one calls
#: of another phase counts there alone.
PHASES: dict[str, list[tuple[str, str]]] = {
    "record": [("scalargrad.compiler.call.specializations", "Specializations.record")],
    "find loops": [(f"{_NESTS}.compile_nests", "trees")],
    "lower": [
        (f"{_NESTS}.compile_nests", "unfold"),
        (f"{_NESTS}.compile_nests", "unrolled"),
        (f"{_NESTS}.partition", "Partition.__init__"),
        (f"{_NESTS}.lowering", "Lowering.run"),
    ],
    "differentiate": [(f"{_NESTS}.lowering", "gradient")],
    "schedule": [(f"{_NESTS}.compile_nests", "scheduled")],
    "emit": [(f"{_NESTS}.compile_nests", "print_llvm"), (f"{_NESTS}.compile_nests", "numpy_code")],
    "LLVM": [("scalargrad.compiler.backend.llvm.machine_code", "compile_module")],
}


class Watch:
    """Notes the processor time of each phase, and the candidates.

    Attributes
    ----------
    seconds : dict
        The time of each phase since the last `clear`.
    candidates : list of dict
        For each program that was compiled since then, the form taken, and those rejected, with
        reasons.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.candidates: list[dict[str, Any]] = []
        self._open: list[str] = []
        self._since = 0.0
        for phase, functions in PHASES.items():
            for module, name in functions:
                self._replace(module, name, partial(self._timed, phase=phase))
        self._replace(f"{_NESTS}.compile_nests", "choose", self._noting_choices)

    def clear(self) -> None:
        """Forget what was noted."""
        self.seconds.clear()
        self.candidates = []

    def _replace(self, module: str, name: str, by: Callable[[Any], Any]) -> None:
        with suppress(ImportError, AttributeError):  # an earlier or later revision
            owner: Any = importlib.import_module(module)
            *path, last = name.split(".")
            for part in path:
                owner = getattr(owner, part)
            setattr(owner, last, by(getattr(owner, last)))

    def _timed(self, function: Any, phase: str) -> Any:
        if isgeneratorfunction(function):

            @wraps(function)
            def generate(*args: Any, **kwargs: Any) -> Iterator[Any]:
                items = function(*args, **kwargs)
                while True:
                    with self._within(phase):
                        try:
                            item = next(items)
                        except StopIteration:
                            return
                    yield item

            return generate

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with self._within(phase):
                return function(*args, **kwargs)

        return call

    @contextmanager
    def _within(self, phase: str) -> Iterator[None]:
        """Count the time of the ``with`` block for a phase, and not for the enclosing phase."""
        self._pass()
        self._open.append(phase)
        try:
            yield
        finally:
            self._pass()
            self._open.pop()

    def _pass(self) -> None:
        now = time.process_time()
        if self._open:
            self.seconds[self._open[-1]] += now - self._since
        self._since = now

    def _noting_choices(self, function: Any) -> Any:
        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            found = function(*args, **kwargs)
            choice = found[1]
            self.candidates.append({"form": choice.form, "rejected": [*map(list, choice.rejected)]})
            return found

        return call
