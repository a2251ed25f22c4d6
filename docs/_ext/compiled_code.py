"""The compiled code of an operation, on eight lanes, as LLVM IR."""

from __future__ import annotations

from scalargrad.codegen.code_printer import expand
from scalargrad.codegen.formulas import Expression
from scalargrad.compiler.backend.llvm.emitter import Emitter
from scalargrad.compiler.backend.llvm.ir_module import IRModule
from scalargrad.compiler.backend.llvm.operations import compute, has_llvm_form
from scalargrad.compiler.passes.expressions import expression_of, subexpressions
from scalargrad.opdef.operation import FixedArityOperation, Operation
from scalargrad.opdef.symbol import Symbol

#: So many numbers are in a vector.
_LANES = 8
#: Longer text says less than the formula.
_LONGEST = 400


def forms_of(op: Operation) -> list[tuple[str, list[Symbol], Expression]]:
    """Return the value of an operation and its partials: names, what they read, and expressions."""
    if not isinstance(op, FixedArityOperation) or not has_llvm_form(op):
        return []
    symbols, value = expression_of(op)
    found = [(op.name, [*symbols], value)]
    for x, declared in zip(op.operand_symbols, op.partial_expressions, strict=True):
        partial = expand(declared, {})
        parts = {*subexpressions(partial)}
        read = [y for y in (op.result_symbol, *op.operand_symbols) if y in parts]
        found.append((f"d{op.name}_d{x.name}", read, partial))
    return found


def llvm_lines(op: Operation) -> list[str]:
    """Return the IR of value and partials on eight lanes."""
    module = IRModule()
    for name, symbols, expression in forms_of(op):
        kind = f"<{_LANES} x double>"
        declared = ", ".join(f"{kind} %{symbol.name}" for symbol in symbols)
        body = module.function(name, declared, kind)
        emitter = Emitter(body, _LANES)
        found = compute(emitter, expression, {x: f"%{x.name}" for x in symbols})
        body.line(f"ret {kind} {emitter.number(found)}")
    lines = module.text().splitlines()
    return lines if len(lines) <= _LONGEST else []
