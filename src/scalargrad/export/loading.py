"""Load an exported program, and run it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from scalargrad.compiler.runner import Runner, runner_for
from scalargrad.errors import OperandError, StateError, TraceError
from scalargrad.export.exported import Exported
from scalargrad.export.json_program import read
from scalargrad.system.cached_property import cached_property
from scalargrad.system.files import file_path
from scalargrad.table.numbers import as_float


class Loaded:
    """A function read from a file: numbers in, numbers out.

    Attributes
    ----------
    name : str
    inputs, outputs : tuple of str
        What the numbers are.
    """

    def __init__(self, exported: Exported) -> None:
        self.name = exported.name
        self.inputs = tuple(exported.inputs)
        self.outputs = tuple(exported.outputs)
        self._exported = exported

    def __repr__(self) -> str:
        return f"<{self.name}: {len(self.inputs)} numbers to {len(self.outputs)}>"

    @cached_property
    def _run(self) -> Runner:
        return runner_for(self._exported.program)

    def __call__(self, numbers: Sequence[float]) -> list[float]:
        """Return the outputs for these inputs.

        Raises
        ------
        OperandError
            If there are more or fewer than `inputs`.
        TraceError
            If the function that was recorded takes another way for these numbers.
        """
        if len(numbers) != len(self.inputs):
            raise OperandError(
                f"{self.name} takes {len(self.inputs)} numbers, not {len(numbers)}: see inputs"
            )
        found = self._run([as_float(x, f"an input of {self.name}") for x in numbers])
        n = len(self.outputs)
        if tuple(x != 0.0 for x in found[n:]) != self._exported.outcomes:
            raise TraceError(
                f"{self.name} was recorded on another path than these numbers take, or they leave "
                "a domain: export it with an example that takes their path"
            )
        return found[:n]


def load(path: str | os.PathLike[str]) -> Loaded:
    """Read a function that `jit(f).export` wrote as JSON.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    Loaded
        Called with a sequence of numbers; says what they are in its attributes.

    Raises
    ------
    StateError
        If the file is damaged or foreign.

    Examples
    --------
    >>> from scalargrad import Value, jit
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     (file,) = jit(lambda x, y: x * y).export(f"{folder}/product.json", Value(3.0), 2.0)
    ...     product = load(file)
    >>> product.inputs, product.outputs
    (('x', 'y'), ('result', 'd(result)/d(x)'))
    >>> product([5.0, 7.0])
    [35.0, 7.0]
    """
    try:
        text = Path(file_path(path)).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise StateError(f"{path} holds no program of scalargrad's: it is not text") from error
    return Loaded(read(text, str(path)))
