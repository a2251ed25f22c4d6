"""What `explain` returns: text, with a picture for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scalargrad.compiler.explain.measured import Timed
from scalargrad.compiler.explain.timeline import timeline
from scalargrad.system.files import write_atomically


class Explanation(str):
    """Text about a compiled function that notebooks show as a picture.

    Attributes
    ----------
    programs : sequence of Timed
        Each program with the time of every instruction, measured on this machine.
    code : str
        The LLVM IR of the program; empty where NumPy runs it.

    Examples
    --------
    >>> from scalargrad import jit
    >>> found = jit(lambda x, y: (x + y) * x).explain(2.0, 3.0)
    >>> [bar.name for bar in found.programs[0].bars]
    ['sum of gathered products', 'sum of gathered products']
    """

    __slots__ = ("code", "programs")

    programs: Sequence[Timed]
    code: str

    def __new__(cls, text: str, programs: Sequence[Timed], code: str = "") -> Explanation:
        """Make the text, and attach the programs and their code."""
        made = super().__new__(cls, text)
        made.programs = programs
        made.code = code
        return made

    def __repr__(self) -> str:
        return str(self)

    def svg(self) -> str:
        """Return the picture: each program as a bar, its instructions as wide as their time."""
        return timeline(self.splitlines()[0], self.programs)

    def _repr_svg_(self) -> str:
        return self.svg()

    def save(self, path: str | Path) -> Path:
        """Write the picture to an SVG file, atomically, and return its path."""
        target = Path(path)
        write_atomically(target, self.svg().encode())
        return target
