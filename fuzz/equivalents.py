"""Mutants that no test can kill, because they compute the same, each with its reason."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import suppress

#: By file, line before and line after.
EQUIVALENT: dict[tuple[str, str, str], str] = {
    (
        "optim/state.py",
        "start = dict(zip(optimizer.state_names, optimizer.first_state(own), strict=True))",
        "start = dict(zip(optimizer.state_names, optimizer.first_state(own), strict=False))",
    ): "an optimiser's names and first state have one length",
    (
        "losses/metrics.py",
        "wrong = named[0] != (scores[0] > limit)",
        "wrong = named[0] != (scores[ -1] > limit)",
    ): "there is one score",
    (
        "ops/special.py",
        "x, z = where(tiny, a, 1.0), where(tiny, b, 1.0)",
        "x, z = where(tiny, a, 1.0), where(tiny, b, 0.0)",
    ): "a number for the formula that is not chosen: any will do with which nothing is infinite",
    (
        "tree.py",
        "return np.stack(children).reshape(shape + children[0].shape)",
        "return np.stack(children).reshape(shape + children[ -1].shape)",
    ): "arrays that can be stacked have one shape",
    (
        "nn/inputs.py",
        'return isinstance(first, list | tuple | Mapping) or getattr(first, "ndim", 0) > 0',
        'return isinstance(first, list | tuple | Mapping) or getattr(first, "ndim", -1) > 0',
    ): "neither is more than 0",
    (
        "compiler/packing/groups.py",
        "depth = 1 + max([groups[x].depth for x in shape[1:]], default=0)",
        "depth = 1 + max([groups[x].depth for x in shape[1:]], default= 1)",
    ): "what has no operands may be placed at any time before its users",
    (
        "ops/special.py",
        "for k in range(2, int(_LARGE) - 1):",
        "for k in range(2, int(_LARGE) + 1):",
    ): "a number under 10 less 9 or 10 is less than 1, and so counts as the factor 1",
    (
        "compiler/passes/differentiate.py",
        "self._next = min(wrt, default=len(program)) + 1",
        "self._next = min(wrt, default=len(program)) + 0",
    ): "the first of these nodes is marked already, and a marked node is passed over",
    (
        "compiler/passes/program.py",
        "one=new[program.one] if program.one >= 0 and alive[program.one] else -1,",
        "one=new[program.one] if not program.one >= 0 and alive[program.one] else -1,",
    ): "a product with a 1 that is not known for one is computed, and is the same number",
    (
        "compiler/trace/domains.py",
        "ways[whole] += 1",
        "ways[whole] += 0",
    ): "fewer checks are left out: only speed differs",
    (
        "losses/functional.py",
        "if is_real(label_smoothing) and label_smoothing == 0.0:",
        "if is_real(label_smoothing) and label_smoothing == -1.0:",
    ): "times 1 and plus 0 they are the same probabilities, only slower",
    (
        "nn/inputs.py",
        'return getattr(x, "ndim", 0) > 1',
        'return getattr(x, "ndim", 1) > 1',
    ): "neither is more than 1",
    (
        "optim/lr_scheduler.py",
        'self.factor = number(positive(factor, "factor"), "factor", 0.0, 1.0)',
        'self.factor = number(positive(factor, "factor"), "factor", -1.0, 1.0)',
    ): "what is not positive was refused before",
    (
        "optim/lr_scheduler.py",
        "self._momenta = list(zip(most, least, most, strict=True))",
        "self._momenta = list(zip(most, least, most, strict=False))",
    ): "each has a number for each group",
    (
        "compiler/packing/memory.py",
        "if found > rounded:",
        "if found >= rounded:",
    ): "a block of no cells serves only those who ask for none",
    (
        "losses/reduction.py",
        'return hasattr(x, "__len__") and getattr(x, "ndim", 1) != 0',
        'return hasattr(x, "__len__") and getattr(x, "ndim", 2) != 0',
    ): "neither is 0",
    (
        "compiler/trace/whole_arrays.py",
        "if steps[0] <= 0:",
        "if steps[0] <= -1:",
    ): "lanes may read one number again: what is spared is a copy for each",
    (
        "train/trainer.py",
        "self.gradient = [g + n * x for g, x in zip(known, result.gradient, strict=True)]",
        "self.gradient = [g - n * x for g, x in zip(known, result.gradient, strict=True)]",
    ): "the norm of the negative gradient",
    (
        "ops/special.py",
        "_DIGAMMA = (-1 / 12, 691 / 32_760, -5 / 660, 1 / 240, -1 / 252, 1 / 120, -1 / 12)",
        "_DIGAMMA = (-1 / 11, 691 / 32_760, -5 / 660, 1 / 240, -1 / 252, 1 / 120, -1 / 12)",
    ): "times x**-14 it is less than a rounding error where the series is used, from 10 on",
    (
        "compiler/passes/lower.py",
        "elif isinstance(op, Total) and not folded:",
        "elif isinstance(op, Total) and  folded:",
    ): "sums written anew may simplify: only speed differs",
    (
        "compiler/passes/program.py",
        "needed[node] = 1",
        "needed[node] = 2",
    ): "any number but 0 marks a node",
    (
        "compiler/packing/instructions.py",
        "term: int = 0",
        "term: int = -1",
    ): "where it is left out, there is one term",
    (
        "compiler/trace/whole_arrays.py",
        "first, steps = self.whole.place(self), [x // self.itemsize for x in self.strides]",
        "first, steps = self.whole.place(self), [x / self.itemsize for x in self.strides]",
    ): "strides are whole multiples",
    (
        "compiler/passes/dependence.py",
        "step = max(64, _BITS // len(ops))",
        "step = max( 65, _BITS // len(ops))",
    ): "how much is looked at in one go: only speed differs",
    (
        "compiler/trace/domains.py",
        "once, lanes = -1, 1  # one number may be outside for all examples: it has no lanes",
        "once, lanes = -1, 0  # one number may be outside for all examples: it has no lanes",
    ): "each part reads a number of at least 1 lane",
    (
        "compiler/trace/domains.py",
        "return arity > 0 and passes_all(op, arity)",
        "return arity > 1 and passes_all(op, arity)",
    ): "fewer checks are left out: only speed differs",
    (
        "ops/special.py",
        "return where(x > 0, _lgamma_above_0(where(x > 0, x, 1.0)), reflected)",
        "return where(x > 0, _lgamma_above_0(where(x >= 0, x, 1.0)), reflected)",
    ): "at 0 the other branch is chosen",
}


def reason(path: str, before: str, after: str, lines: tuple[str, str]) -> str | None:
    """Return why a changed file computes the same; None if nothing says so."""
    if (path, *lines) in EQUIVALENT:
        return EQUIVALENT[path, *lines]
    with suppress(SyntaxError):
        if ast.dump(ast.parse(before)) == ast.dump(ast.parse(after)):
            return "another spelling of the same number"
    pairs = enumerate(zip(before, after, strict=False))
    around = list(_around(before, next((k for k, (x, y) in pairs if x != y), len(after))))
    for node, inner in zip(around, [*around[1:], None], strict=True):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Domain":
            if inner in node.args:
                return "where tests draw operands from"
            if isinstance(inner, ast.keyword) and inner.arg == "smooth":
                return "where tests do not compare with difference quotients"
        if isinstance(node, ast.FunctionDef) and any(
            getattr(decorator, "id", "") == "overload" for decorator in node.decorator_list
        ):
            return "a signature for type checkers, which is never called"
    return None


def _around(code: str, position: int) -> Iterator[ast.AST]:
    """Yield the nodes around a place in a text, from outside in."""
    line = code.count("\n", 0, position) + 1
    column = len(code[code.rfind("\n", 0, position) + 1 : position].encode())
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.expr | ast.stmt | ast.keyword):
            start, end = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
            if start <= (line, column) < end:
                yield node
