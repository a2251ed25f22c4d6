"""Load an exported shared library, and call it: ``load("spring.so")([0.1, 2.0])``."""

from __future__ import annotations

import ctypes
import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from scalargrad.errors import OperandError, StateError, TraceError
from scalargrad.system.files import file_path
from scalargrad.table.numbers import as_float


class Loaded:
    """A function of a shared library: numbers in, numbers out.

    Attributes
    ----------
    name : str
    inputs, outputs : tuple of str
        What the numbers are.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        try:
            library = ctypes.CDLL(os.fspath(path.resolve(strict=True)))
            names = json.loads(ctypes.string_at(getattr(library, f"{self.name}_names")))
            self._function = getattr(library, self.name)
            self.inputs, self.outputs = tuple(names["inputs"]), tuple(names["outputs"])
        except FileNotFoundError:
            raise
        except (OSError, AttributeError, ValueError, LookupError, TypeError) as error:
            raise StateError(
                f"{path} is no shared library that scalargrad wrote for this machine, or has "
                f"another name than it was written under: {error}"
            ) from error
        self._has_guards = bool(names["is_guarded"])
        self._lock = threading.Lock()  # it computes in memory of its own

    def __repr__(self) -> str:
        return f"<{self.name}: {len(self.inputs)} numbers to {len(self.outputs)}>"

    def __call__(self, numbers: Sequence[float]) -> list[float]:
        """Return the outputs for these inputs.

        Raises
        ------
        OperandError
            If there are more or fewer than `inputs`.
        TraceError
            If the function that was recorded takes another way for these numbers.
        """
        given, n = len(numbers), len(self.outputs)
        if given != len(self.inputs):
            raise OperandError(
                f"{self.name} takes {len(self.inputs)} numbers, not {given}: see inputs"
            )
        found = (ctypes.c_double * (n + self._has_guards))()
        values = (as_float(x, f"an input of {self.name}") for x in numbers)
        into = (ctypes.c_double * given)(*values)
        with self._lock:
            self._function(into, found)
        if self._has_guards and found[n] == 0.0:
            raise TraceError(
                f"{self.name} was recorded on another path than these numbers take, or they leave "
                "a domain: export it with an example that takes their path"
            )
        return found[:n]


def load(path: str | os.PathLike[str]) -> Loaded:
    """Load a function that `jit(f).export` wrote as a shared library.

    Loading a library runs its code: load only what you or somebody you trust has written.

    Parameters
    ----------
    path : str or path
        A ``.so`` file, under the name it was written under.

    Returns
    -------
    Loaded
        Called with a sequence of numbers; says what they are in its attributes.

    Raises
    ------
    StateError
        If the file is damaged, foreign, or for another kind of processor.

    Examples
    --------
    >>> from scalargrad import Value, jit
    >>> product = jit(lambda x, y: x * y)
    >>> files = product.export("product.so", Value(3.0), 2.0)  # doctest: +SKIP
    >>> load("product.so")([5.0, 7.0])  # doctest: +SKIP
    [35.0, 7.0]
    """
    return Loaded(Path(file_path(path)))
