"""Mutants that no test can kill, because they compute the same, each with its reason."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import suppress

#: By file, line before and line after.
EQUIVALENT: dict[tuple[str, str, str], str] = {
    (
        "optim/torch_state.py",
        'if "momentum_buffer" in optimizer.state_names[:1]:  # SGD\'s counts no steps',
        'if "momentum_buffer" in optimizer.state_names[: 2]:  # SGD\'s counts no steps',
    ): "SGD has one name; RMSprop's third is momentum_buffer, and no other optimiser has it",
    (
        "optim/from_torch.py",
        "named = dict(zip(names, start, strict=True))",
        "named = dict(zip(names, start, strict=False))",
    ): "an optimiser's names and first state have one length",
    (
        "losses/metrics.py",
        "yield (t > 0.0) != (scores[0] > limit)",
        "yield (t > 0.0) != (scores[ -1] > limit)",
    ): "there is one score",
    (
        "optim/lr_scheduler/decay.py",
        "if (epoch - 1 - self.T_max) % (2 * self.T_max) == 0:  # up again from the trough itself",
        "if (epoch - 1 + self.T_max) % (2 * self.T_max) == 0:  # up again from the trough itself",
    ): "both sides differ by 2 T_max, and so not in what is left over",
    (
        "autodiff.py",
        'deque(map(setattr, nodes, repeat("_grad"), grads), maxlen=0)',
        'deque(map(setattr, nodes, repeat("_grad"), grads), maxlen= 1)',
    ): "the deque is there to be run through, not to keep anything",
    (
        "compiler/trace/alike_nodes.py",
        "signs = by_sign & np.isfinite(numbers) & (numbers != 0.0)",
        "signs = by_sign & np.isfinite(numbers) & (numbers != 1.0)",
    ): "0 is answered for as positive numbers are, but in x / 0, which raises when it is recorded",
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
        "nn/rows.py",
        'return isinstance(first, list | tuple | Mapping) or getattr(first, "ndim", 0) > 0',
        'return isinstance(first, list | tuple | Mapping) or getattr(first, "ndim", -1) > 0',
    ): "neither is more than 0",
    (
        "compiler/passes/splitter.py",
        "self.columns.update((x, Column(out, 1)) for x, out in zip(kept, places, strict=True))",
        "self.columns.update((x, Column(out, 1)) for x, out in zip(kept, places, strict=False))",
    ): "each node that is kept has a place",
    (
        "compiler/packing/strides.py",
        "strides = blocks[:, 1:, 0] - blocks[:, :-1, 0]",
        "strides = blocks[:, 1:, -1] - blocks[:, :-1, 0]",
    ): "only rows with equal steps count, and of these the last column is as far from the first",
    (
        "compiler/packing/groups.py",
        "depth = 1 + max([groups[x].depth for x in shape[1:]], default=0)  # type: ignore[index]",
        "depth = 1 + max([groups[x].depth for x in shape[1:]], default= 1)  # type: ignore[index]",
    ): "what has no operands may be placed at any time before its users",
    (
        "ops/special.py",
        "for k in range(2, int(_LARGE) - 1):",
        "for k in range(2, int(_LARGE) + 1):",
    ): "a number under 10 less 9 or 10 is less than 1, and so counts as the factor 1",
    (
        "compiler/packing/scalar_packer.py",
        "order = (0, 1, 2) if terms_inside else (2, 0, 1)",
        "order = (0, 1, 2) if not terms_inside else (2, 0, 1)",
    ): "in which order constants are stored, and so read: only speed differs",
    (
        "compiler/packing/lane_packer.py",
        "places = [self._factor(x[:, t : t + 1], shape, 0) for x in (a, b)]",
        "places = [self._factor(x[:, t : t + 1], shape, 1) for x in (a, b)]",
    ): "in which order constants are stored, and so read: only speed differs",
    (
        "compiler/packing/lane_packer.py",
        "places = [self._factor(x[:, t : t + 1], shape, 0) for x in (a, b)]",
        "places = [self._factor(x[:, t : t + 1], shape, -1) for x in (a, b)]",
    ): "in which order constants are stored, and so read: only speed differs",
    (
        "compiler/packing/lane_packer.py",
        "if a.outer == 0 and b.inner == 0:",
        "if not a.outer == 0 and b.inner == 0:",
    ): "whether a factor is transposed first: only speed differs",
    (
        "compiler/packing/lane_packer.py",
        "return place._replace(inner=self._step(int(nodes[0, 0])))",
        "return place._replace(inner=self._step(int(nodes[0, -1])))",
    ): "all terms of a run are in one group, and of a group all nodes have lanes or none has",
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
        "compiler/trace/nested_derivatives.py",
        "by_columns = (2 * len(self.leaves) + 1) * (len(trace.ops) - self._start)",
        "by_columns = ( 3 * len(self.leaves) + 1) * (len(trace.ops) - self._start)",
    ): "which of two ways to the same derivatives is taken: only speed differs",
    (
        "compiler/trace/nested_derivatives.py",
        "by_columns = (2 * len(self.leaves) + 1) * (len(trace.ops) - self._start)",
        "by_columns = (2 / len(self.leaves) + 1) * (len(trace.ops) - self._start)",
    ): "which of two ways to the same derivatives is taken: only speed differs",
    (
        "compiler/trace/domains.py",
        "ways[whole] += 1",
        "ways[whole] += 0",
    ): "fewer checks are left out: only speed differs",
    (
        "losses/classes.py",
        "if is_real(label_smoothing) and label_smoothing == 0.0:",
        "if is_real(label_smoothing) and label_smoothing == -1.0:",
    ): "times 1 and plus 0 they are the same probabilities, only slower",
    (
        "nn/rows.py",
        'return getattr(x, "ndim", 0) > 1',
        'return getattr(x, "ndim", 1) > 1',
    ): "neither is more than 1",
    (
        "optim/lr_scheduler/factors.py",
        'self.factor = number(positive(factor, "factor"), "factor", 0.0, 1.0)',
        'self.factor = number(positive(factor, "factor"), "factor", -1.0, 1.0)',
    ): "what is not positive was refused before",
    (
        "optim/lr_scheduler/cycles.py",
        "self._momentum_of = list(zip(most, least, most, strict=True))",
        "self._momentum_of = list(zip(most, least, most, strict=False))",
    ): "each has a number for each group",
    (
        "optim/lr_scheduler/combined.py",
        "for part, state in zip(self.schedulers, found[2], strict=True):",
        "for part, state in zip(self.schedulers, found[2], strict=False):",
    ): "the states were counted when they were read",
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
