"""A module of LLVM IR as text, to which functions and lines are appended."""

from __future__ import annotations

import itertools
from collections.abc import Iterable


class IRModule:
    """A module: its functions, and declarations of the external functions that they call.

    Attributes
    ----------
    declared : dict
        The declarations by name.
    shared : dict
        Modules by the name of their one function, such as the exponential, which all programs
        share.

    Examples
    --------
    >>> module = IRModule()
    >>> body = module.function("run", "ptr %m")
    >>> body.line("ret void")
    >>> print(module.text())
    define void @run(ptr %m) nounwind {
    entry:
      ret void
    }
    """

    def __init__(self, shared: dict[str, IRModule] | None = None) -> None:
        self.declared: dict[str, str] = {}
        self.shared = {} if shared is None else shared
        self._functions: list[FunctionBody] = []

    def function(self, name: str, parameters: str, result: str = "void") -> FunctionBody:
        """Return the empty body of a new function."""
        body = FunctionBody(self, f"{result} @{name}({parameters}) nounwind")
        self._functions.append(body)
        return body

    def own_text(self) -> str:
        """Return the text of the module without shared functions."""
        return "\n".join([*self.declared.values(), *(x.text() for x in self._functions)])

    def text(self) -> str:
        """Return the text of the module with its shared functions."""
        modules = self, *self.shared.values()
        declared = {name: x for module in modules for name, x in module.declared.items()}
        external = [x for name, x in declared.items() if name not in self.shared]
        return "\n".join([*external, *(x.text() for m in modules for x in m._functions)])


class FunctionBody:
    """The lines of one function.

    Parameters
    ----------
    signature : str
        The type of the result, the name, the parameters and the attributes.

    Attributes
    ----------
    block : str
        The label of the current basic block, which a later ``phi`` may name.
    """

    def __init__(self, module: IRModule, signature: str) -> None:
        self.module = module
        self.block = "entry"
        self._signature = signature
        self._lines: list[str] = []
        self._names = itertools.count()

    def fresh(self, stem: str = "v") -> str:
        """Return a name that the function does not use yet, without the % sign."""
        return f"{stem}{next(self._names)}"

    def line(self, text: str) -> None:
        """Append an instruction without a result."""
        self._lines.append(f"  {text}")

    def assign(self, text: str) -> str:
        """Append an instruction and return the register of its result."""
        register = f"%{self.fresh()}"
        self._lines.append(f"  {register} = {text}")
        return register

    def begin(self, label: str) -> None:
        """Begin a basic block."""
        self._lines.append(f"{label}:")
        self.block = label

    def cut(self) -> None:
        """End the basic block and begin another directly after it."""
        label = self.fresh("next")
        self.line(f"br label %{label}")
        self.begin(label)

    def reserve(self) -> int:
        """Reserve a position for lines that `fill` supplies later, such as a ``phi``."""
        self._lines.append("")
        return len(self._lines) - 1

    def fill(self, place: int, lines: Iterable[str]) -> None:
        """Put lines at a reserved position."""
        self._lines[place] = "\n".join(f"  {x}" for x in lines)

    def text(self) -> str:
        """Return the text of the function."""
        lines = "\n".join(filter(None, self._lines))
        return f"define {self._signature} {{\nentry:\n{lines}\n}}"
