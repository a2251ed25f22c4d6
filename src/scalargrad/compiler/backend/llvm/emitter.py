"""Emitter: append LLVM instructions for scalars or vectors to the body of a function.

The same Python code emits both widths, so that a number has equal digits as a scalar and on a lane
of a vector. Conditions are comparisons, false for nan, and ``select``. A product and a sum are
contracted to ``llvm.fma`` only by an explicit call of `Emitter.fma`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence

from scalargrad.compiler.backend.llvm.ir_module import FunctionBody, IRModule

#: An operand of an instruction: a register or a constant.
Operand = str | float


class Emitter:
    """Emitter of instructions on registers of `width` numbers.

    Parameters
    ----------
    body : FunctionBody
        The function to which instructions are appended.
    width : int
        1 for scalars, otherwise a power of two.
    inline : bool
        True to inline exp, log and the other functions of this package, which is faster in a
        loop; False to call them, which keeps long straight-line code short.

    Attributes
    ----------
    type, flag, whole : str
        The LLVM types of floats, truth values and integers at this width.

    Examples
    --------
    >>> from scalargrad.compiler.backend.llvm.ir_module import IRModule
    >>> module = IRModule()
    >>> body = module.function("run", "ptr %m")
    >>> lanes = Emitter(body, 8)
    >>> x = lanes.load("%m")
    >>> lanes.store(lanes.fma(x, x, 1.0), "%m")
    >>> body.line("ret void")
    >>> print(module.text())  # doctest: +ELLIPSIS
    declare <8 x double> @llvm.fma.v8f64(<8 x double>, <8 x double>, <8 x double>)
    define void @run(ptr %m) nounwind {
    entry:
      %v0 = load <8 x double>, ptr %m, align 8
      %v1 = call <8 x double> @llvm.fma.v8f64(...)
    ...
    """

    def __init__(self, body: FunctionBody, width: int = 1, *, inline: bool = True) -> None:
        self.body = body
        self.width = width
        self.inline = inline
        self.type, self.flag, self.whole = (self._wide(x) for x in ("double", "i1", "i64"))

    def _wide(self, kind: str) -> str:
        return kind if self.width == 1 else f"<{self.width} x {kind}>"

    # Numbers and memory ------------------------------------------------------------------------

    def number(self, x: Operand) -> str:
        """Return an operand as text; a float becomes a constant with this number on every lane."""
        return x if isinstance(x, str) else self._everywhere("double", _bits(x))

    def integer(self, x: int) -> str:
        """Return an integer constant (i64) as text, with this number on every lane."""
        return self._everywhere("i64", str(x))

    def _everywhere(self, kind: str, text: str) -> str:
        return text if self.width == 1 else f"splat ({kind} {text})"

    def load(self, pointer: str) -> str:
        """Load `width` adjacent numbers from an address."""
        return self.body.assign(f"load {self.type}, ptr {pointer}, align 8")

    def store(self, x: Operand, pointer: str) -> None:
        """Store `width` numbers at an address."""
        self.body.line(f"store {self.type} {self.number(x)}, ptr {pointer}, align 8")

    def spread(self, single: str) -> str:
        """Return a vector with a scalar on every lane."""
        first = self.body.assign(f"insertelement {self.type} poison, double {single}, i64 0")
        zeros = f"<{self.width} x i32> zeroinitializer"
        return self.body.assign(f"shufflevector {self.type} {first}, {self.type} poison, {zeros}")

    def vector(self, singles: Iterable[str]) -> str:
        """Return a vector of scalars; lanes after the last scalar are undefined."""
        found = "poison"
        for k, x in enumerate(singles):
            found = self.body.assign(f"insertelement {self.type} {found}, double {x}, i64 {k}")
        return found

    def lane(self, x: str, k: int) -> str:
        """Return the number on one lane."""
        return self.body.assign(f"extractelement {self.type} {x}, i64 {k}")

    def reversed(self, x: str) -> str:
        """Return the lanes in reverse order."""
        order = ", ".join(f"i32 {k}" for k in reversed(range(self.width)))
        both = f"{self.type} {x}, {self.type} poison, <{self.width} x i32> <{order}>"
        return self.body.assign(f"shufflevector {both}")

    def first(self, x: str, other: Operand, count: int) -> str:
        """Return the first `count` lanes of one vector, then the remaining lanes of another."""
        return self.select(self._are_first(count), x, other)

    def store_first(self, x: str, pointer: str, count: int) -> None:
        """Store the first `count` lanes at an address."""
        name, mask = "llvm.masked.store.v8f64.p0", f"{self.flag} {self._are_first(count)}"
        types = f"{self.type}, ptr, i32, {self.flag}"
        self.body.module.declared[name] = f"declare void @{name}({types})"
        self.body.line(f"call void @{name}({self.type} {x}, ptr {pointer}, i32 8, {mask})")

    def _are_first(self, count: int) -> str:
        """Return a constant mask that is true on the first `count` lanes."""
        return f"<{', '.join(f'i1 {int(k < count)}' for k in range(self.width))}>"

    # Arithmetic --------------------------------------------------------------------------------

    def add(self, x: Operand, y: Operand) -> str:
        """Return x + y."""
        return self._two("fadd", x, y)

    def sub(self, x: Operand, y: Operand) -> str:
        """Return x - y."""
        return self._two("fsub", x, y)

    def mul(self, x: Operand, y: Operand) -> str:
        """Return x·y."""
        return self._two("fmul", x, y)

    def div(self, x: Operand, y: Operand) -> str:
        """Return x / y."""
        return self._two("fdiv", x, y)

    def neg(self, x: str) -> str:
        """Return -x."""
        return self.body.assign(f"fneg {self.type} {x}")

    def fma(self, x: Operand, y: Operand, z: Operand) -> str:
        """Return x·y + z, rounded once."""
        return self.intrinsic("fma", x, y, z)

    def _two(self, instruction: str, x: Operand, y: Operand) -> str:
        return self.body.assign(f"{instruction} {self.type} {self.number(x)}, {self.number(y)}")

    def polynomial(self, x: str, coefficients: Sequence[float]) -> Operand:
        """Return c₀ + c₁x + x²·(c₂ + c₃x + x²·(c₄ + …)), half as deep as Horner's scheme."""
        square = self.mul(x, x)
        found: Operand | None = None
        for k in reversed(range(0, len(coefficients), 2)):
            pair: Operand = coefficients[k]
            if k + 1 < len(coefficients):
                pair = self.fma(coefficients[k + 1], x, pair)
            found = pair if found is None else self.fma(found, square, pair)
        assert found is not None
        return found

    def intrinsic(self, name: str, *operands: Operand) -> str:
        """Call an LLVM intrinsic: fma, fabs, sqrt, floor, …."""
        kind = "f64" if self.width == 1 else f"v{self.width}f64"
        return self.call(f"llvm.{name}.{kind}", *operands)

    def call(self, function: str, *operands: Operand) -> str:
        """Call a function of another module, whose parameters have this width."""
        types = ", ".join([self.type] * len(operands))
        self.body.module.declared[function] = f"declare {self.type} @{function}({types})"
        given = ", ".join(f"{self.type} {self.number(x)}" for x in operands)
        return self.body.assign(f"call {self.type} @{function}({given})")

    # Conditions --------------------------------------------------------------------------------

    def compare(self, condition: str, x: Operand, y: Operand) -> str:
        """Return truth values of an LLVM condition: olt, ole, ogt, oge, oeq, une or uno."""
        return self._two(f"fcmp {condition}", x, y)

    def select(self, test: str, x: Operand, y: Operand) -> str:
        """Return x where the test is true and y elsewhere."""
        chosen = f"{self.type} {self.number(x)}, {self.type} {self.number(y)}"
        return self.body.assign(f"select {self.flag} {test}, {chosen}")

    def either(self, test: str, first: Callable[[], str], second: Callable[[], str]) -> str:
        """Branch: return the result of `first` if a scalar test is true, else that of `second`."""
        body, ways = self.body, list[str]()
        labels, done = (self.body.fresh("then"), self.body.fresh("else")), self.body.fresh("done")
        body.line(f"br i1 {test}, label %{labels[0]}, label %{labels[1]}")
        for label, write in zip(labels, (first, second), strict=True):
            body.begin(label)
            ways.append(f"[{write()}, %{body.block}]")
            body.line(f"br label %{done}")
        body.begin(done)
        return body.assign(f"phi {self.type} {', '.join(ways)}")

    # Integers and bits -------------------------------------------------------------------------

    def integers(self, instruction: str, x: str, y: int | str) -> str:
        """Return the result of an instruction on two integers."""
        second = self.integer(y) if isinstance(y, int) else y
        return self.body.assign(f"{instruction} {self.whole} {x}, {second}")

    def bits(self, x: str) -> str:
        """Return the 64 bits of a number as an integer."""
        return self.body.assign(f"bitcast {self.type} {x} to {self.whole}")

    def of_bits(self, x: str) -> str:
        """Return the number with these 64 bits."""
        return self.body.assign(f"bitcast {self.whole} {x} to {self.type}")

    # Functions ---------------------------------------------------------------------------------

    def shared(self, name: str, write: Callable[..., str], operands: Sequence[Operand]) -> str:
        """Call a function shared by all programs; `write` emits its body at the first call."""
        full, module = f"sg.{name}.{self.width}", self.body.module
        if full not in module.shared:
            own = module.shared[full] = IRModule(module.shared)
            names = [f"%a{i}" for i in range(len(operands))]
            body = own.function(full, ", ".join(f"{self.type} {x}" for x in names), self.type)
            body.line(f"ret {self.type} {write(Emitter(body, self.width), *names)}")
        return self.call(full, *operands)

    def library(self, name: str, *operands: Operand) -> str:
        """Call a function of the C library, once for each lane."""
        if self.width == 1:
            return self.call(name, *operands)

        def write(e: Emitter, *lanes: str) -> str:
            one = Emitter(e.body)
            return e.vector(one.call(name, *(e.lane(x, k) for x in lanes)) for k in range(e.width))

        return self.shared(f"{name}.lanes", write, operands)


def _bits(x: float) -> str:
    (bits,) = struct.unpack("<Q", struct.pack("<d", x))
    return f"0x{bits:016X}"
