"""What a compiled function runs for an operation: on arrays, and on eight lanes as LLVM IR."""

from __future__ import annotations

from scalargrad.compiler.backend.llvm.emitter import WIDTH, Emitter
from scalargrad.compiler.backend.llvm.ir_module import IRModule
from scalargrad.compiler.backend.llvm.operations import apply, can_write
from scalargrad.compiler.backend.numpy_runner import has_numpy_code, numpy_code
from scalargrad.compiler.passes.partial import Partial, expression_of, partial
from scalargrad.table.operation import Elementwise, Operation

#: Longer text says less than the formula.
_LONGEST = 400


def forms_of(op: Operation) -> list[tuple[str, Elementwise | Partial]]:
    """Return the value of an operation and its partials, by names, where they are computed."""
    if not isinstance(op, Elementwise):
        return []
    names = [f"d{op.name}_d{x.name}" for x in op.operand_symbols]
    return [(op.name, op), *((name, partial(op, k)) for k, name in enumerate(names))]


def numpy_lines(op: Operation) -> list[str]:
    """Return the code of value and partials on arrays."""
    lines: list[str] = []
    for name, form in forms_of(op):
        symbols, expression = expression_of(form)
        if not has_numpy_code(expression):
            return []
        names = {symbol: symbol.name for symbol in symbols}
        body, result = numpy_code(expression, names)
        head = f"def {name}({', '.join(names.values())}):"
        lines += [head, *(f"    {line}" for line in [*body, f"return {result}"]), ""]
    return lines[:-1] if len(lines) <= _LONGEST else []


def llvm_lines(op: Operation) -> list[str]:
    """Return the IR of value and partials on eight lanes."""
    module = IRModule()
    for name, form in forms_of(op):
        if not can_write(form):
            return []
        symbols, _ = expression_of(form)
        kind = f"<{WIDTH} x double>"
        declared = ", ".join(f"{kind} %{symbol.name}" for symbol in symbols)
        body = module.function(name, declared, kind)
        emitter = Emitter(body, WIDTH)
        found = emitter.number(apply(emitter, form, *[f"%{x.name}" for x in symbols]))
        body.line(f"ret {kind} {found}")
    lines = module.text().splitlines()
    return lines if len(lines) <= _LONGEST else []
