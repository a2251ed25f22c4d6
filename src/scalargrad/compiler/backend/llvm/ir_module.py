"""A module of LLVM IR as text, built function by function and line by line."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

#: The attributes of a function: it does not read floating-point exception flags.
_ATTRIBUTES = "nounwind"


class IRModule:
    """A module of functions, with their declarations and constants.

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

    def __init__(self) -> None:
        self._functions: dict[str, FunctionBody] = {}
        self._declared: dict[str, str] = {}

    def function(
        self, name: str, parameters: str, result: str = "void", *, internal: bool = False
    ) -> FunctionBody:
        """Return the empty body of a new function."""
        signature = f"{result} @{name}({parameters}) {_ATTRIBUTES}"
        body = self._functions[name] = FunctionBody(self, signature, internal=internal)
        return body

    def shared(self, name: str, write: Callable[[], object]) -> str:
        """Return the name of an internal function, which `write` adds at the first request."""
        if name not in self._functions:
            write()
        return name

    def declare(self, name: str, result: str, operands: Iterable[str]) -> str:
        """Declare an external function, unless that is done, and return its name."""
        self._declared[name] = f"declare {result} @{name}({', '.join(operands)})"
        return name

    @property
    def declared(self) -> list[str]:
        """The external functions that are called, other than LLVM's intrinsics."""
        return sorted(x for x in self._declared if not x.startswith("llvm."))

    @property
    def internal(self) -> list[str]:
        """The names of internal functions."""
        return [name for name, x in self._functions.items() if x.is_internal]

    def text(self, *, whole: bool = True) -> str:
        """Return the module, whole or with its internal functions declared alone."""
        texts = [x.text() if whole or not x.is_internal else x.declaration() for x in
                 self._functions.values()]  # fmt: skip
        return "\n".join([*self._declared.values(), *texts])

    def text_of(self, name: str) -> str:
        """Return a module of one internal function, and declarations of those that it calls."""
        text = self._functions[name].text(internal=False)
        others = {x: self._functions[x].declaration() for x in self.internal if x != name}
        called = [y for x, y in (self._declared | others).items() if f"@{x}(" in text]
        return "\n".join([*called, text])


class FunctionBody:
    """The lines of one function.

    Parameters
    ----------
    signature : str
        Its result, name, parameters and attributes.
    internal : bool
        Whether it is the same in every module.

    Attributes
    ----------
    is_internal : bool
    block : str
        The label of the current basic block, which a later ``phi`` may name.
    """

    def __init__(self, module: IRModule, signature: str, *, internal: bool = False) -> None:
        self.module = module
        self.block = "entry"
        self._signature, self.is_internal = signature, internal
        self._lines: list[str] = []
        self._names = itertools.count()

    def fresh(self, stem: str = "v") -> str:
        """Return a name not yet used in the function, without the % sign."""
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
        """End a basic block; the next follows at once."""
        label = self.fresh("next")
        self.line(f"br label %{label}")
        self.begin(label)

    def reserve(self) -> int:
        """Reserve a place for lines that `fill` supplies later, such as a ``phi``."""
        self._lines.append("")
        return len(self._lines) - 1

    def fill(self, place: int, lines: Iterable[str]) -> None:
        """Put lines in a reserved place."""
        self._lines[place] = "\n".join(f"  {x}" for x in lines)

    def lines(self) -> str:
        """Return the lines between the braces."""
        return "\n".join(["entry:", *filter(None, self._lines)])

    def declaration(self) -> str:
        """Return the declaration of the function in a module that calls it."""
        return f"declare {self._signature}"

    def text(self, *, internal: bool = True) -> str:
        """Return the whole function, for other modules too if it is not to be internal."""
        linkage = "internal " * (self.is_internal and internal)
        return f"define {linkage}{self._signature} {{\n{self.lines()}\n}}"
