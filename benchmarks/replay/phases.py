"""Times of the phases of compilation, and the candidate forms that were taken and rejected.

Functions of the measured package are replaced by functions that also record the time. If a revision
lacks one of them, that phase has no time.
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
#: The functions of each phase, in the order of compilation: module and name. If a function calls
#: one of another phase, that time counts for the other phase only.
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


class PhaseTimer:
    """Records the processor time of each phase, and the candidates.

    Attributes
    ----------
    seconds : dict
        The time of each phase since the last `clear`.
    candidates : list of dict
        The form of each program compiled since then, and the rejected forms with reasons.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.candidates: list[dict[str, Any]] = []
        self._open: list[str] = []
        self._since = 0.0
        for phase, functions in PHASES.items():
            for module, name in functions:
                self._replace(module, name, partial(self._add_timing, phase=phase))
        self._replace(f"{_NESTS}.compile_nests", "choose", self._record_choices)

    def clear(self) -> None:
        """Discard the recorded times and candidates."""
        self.seconds.clear()
        self.candidates = []

    def _replace(self, module: str, name: str, by: Callable[[Any], Any]) -> None:
        with suppress(ImportError, AttributeError):  # an earlier or later revision
            owner: Any = importlib.import_module(module)
            *path, last = name.split(".")
            for part in path:
                owner = getattr(owner, part)
            setattr(owner, last, by(getattr(owner, last)))

    def _add_timing(self, function: Any, phase: str) -> Any:
        if isgeneratorfunction(function):

            @wraps(function)
            def generate(*args: Any, **kwargs: Any) -> Iterator[Any]:
                items = function(*args, **kwargs)
                while True:
                    with self._phase(phase):
                        try:
                            item = next(items)
                        except StopIteration:
                            return
                    yield item

            return generate

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with self._phase(phase):
                return function(*args, **kwargs)

        return call

    @contextmanager
    def _phase(self, phase: str) -> Iterator[None]:
        """Count the time of the ``with`` block for a phase, and not for an enclosing phase."""
        self._add_elapsed()
        self._open.append(phase)
        try:
            yield
        finally:
            self._add_elapsed()
            self._open.pop()

    def _add_elapsed(self) -> None:
        now = time.process_time()
        if self._open:
            self.seconds[self._open[-1]] += now - self._since
        self._since = now

    def _record_choices(self, function: Any) -> Any:
        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            found = function(*args, **kwargs)
            choice = found[1]
            self.candidates.append({"form": choice.form, "rejected": [*map(list, choice.rejected)]})
            return found

        return call
