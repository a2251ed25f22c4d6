"""What each pass writes, on programs small enough to read."""

from __future__ import annotations

import itertools
import math
import pickle
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from scalargrad import Value, grad, jit, logsumexp, maximum, vmap
from scalargrad.compiler.packing.groups import group
from scalargrad.compiler.packing.memory import Memory
from scalargrad.compiler.passes.differentiate import differentiate
from scalargrad.compiler.passes.expressions import Plan, opened, partial_plans, plan, terms_of
from scalargrad.compiler.passes.kinds import ADJOINT, PRODUCTS
from scalargrad.compiler.passes.lower import lower
from scalargrad.compiler.passes.program import Program
from scalargrad.compiler.passes.sum_of_products import sum_of_products
from scalargrad.compiler.trace.record import record
from scalargrad.table.operation import Elementwise, Operation, Reduction
from scalargrad.table.printing import Expression
from scalargrad.table.symbol import TABLE, Symbol, evaluate


def recorded(f: object, count: int) -> Program:
    """Record a function of `count` numbers."""
    leaves = [Value(float(i + 1)) for i in range(count)]
    recording, _ = record(lambda: f(*leaves), leaves)  # type: ignore[operator]
    return recording.program


def test_record_keeps_operations_and_constants() -> None:
    """A program reads like the arithmetic that made it."""
    program = recorded(lambda x, y: x * y + 3.0, 2)
    assert str(program).splitlines() == [
        "%0 = input",
        "%1 = input",
        "%2 = mul(%0, %1)",
        "%3 = 3.0",
        "%4 = add(%2, %3)  ←",
    ]


def test_flatten_opens_chains_of_sums() -> None:
    """However a sum of products is spelled, it is one node."""
    spelled = [
        lambda w, x, b: w * x + b,
        lambda w, x, b: b + x * w,
        lambda w, x, b: sum([w * x, b], start=-0.0),
        lambda w, x, b: b - -(w * x),
    ]
    flat = [sum_of_products(recorded(f, 3)) for f in spelled]
    assert all([op for op in p.ops if op is PRODUCTS] == [PRODUCTS] for p in flat[:3])
    assert {frozenset(p.args[p.outputs[0]]) for p in flat[:3]} == {
        frozenset(flat[0].args[flat[0].outputs[0]])
    }


@pytest.mark.parametrize("count", [2, 3])
def test_a_program_says_how_many_lanes_a_node_has(count: int) -> None:
    """Two are more than one; what is a single number says nothing."""
    program = recorded(lambda *xs: sum(vmap(lambda x: x * x)(xs)) * 2.0, count)
    lanes = [line for line in str(program).splitlines() if "lanes" in line]
    assert len(lanes) == 2  # the batch and its squares
    assert all(line.endswith(f"    {count} lanes") for line in lanes)


def followed(steps: Plan, numbers: Sequence[float]) -> list[float]:
    """Follow a plan in floats; return the numbers given and those of its steps."""
    known = list(numbers)
    for op, refs in steps:
        found = [known[x] if isinstance(x, int) else x for x in refs]
        if isinstance(op, Operation):
            known.append(op.of_floats(*found))
        else:
            assert op is PRODUCTS
            known.append(sum(a * b for a, b in zip(found[::2], found[1::2], strict=True)))
    return known


def test_a_plan_computes_its_expression() -> None:
    """Of all partials, those that are an operand, a number or the result among them."""
    for op in TABLE.values():
        for arity in (op.arity,) if isinstance(op, Elementwise) else (1, 2, 3):
            drawn = random.Random(f"{op.name} of {arity}")
            numbers = [drawn.uniform(*op.domain.interval(i)) for i in range(arity)]
            result, operands, partials = op.trace_partials(arity)
            given = [op.of_floats(*numbers), *numbers]
            steps, refs = partial_plans(op, arity)
            known = followed(steps, given)
            for index, partial in enumerate(partials):
                (expression,), ref = opened(partial), refs[index]
                expected = evaluate(expression, dict(zip((result, *operands), given, strict=True)))
                found = known[ref] if isinstance(ref, int) else ref
                assert found == pytest.approx(expected, rel=1e-12), (op.name, index)
    x, y = Symbol("x"), Symbol("y")
    assert followed(plan(y, (x, y)), (2.0, 3.0))[-1] == 3.0
    assert followed(plan(7.0, (x, y)), (2.0, 3.0))[-1] == 7.0


def test_what_the_partials_of_a_reduction_share_is_written_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each partial of a maximum depends on all operands: 4,000 of them took minutes to compile."""
    traced: list[tuple[str, int]] = []
    trace_partials = Reduction.trace_partials

    def counted(op: Reduction, arity: int) -> Any:
        traced.append((op.name, arity))
        return trace_partials(op, arity)

    monkeypatch.setattr(Reduction, "trace_partials", counted)
    xs = [0.25 * (k % 43) for k in range(87)]  # the largest stands at two places
    shares = jit(grad(lambda xs: maximum(*xs)))(xs)
    assert shares == [0.5 if k % 43 == 42 else 0.0 for k in range(87)]
    weights = jit(lambda xs: grad(lambda w: logsumexp([w * x for x in xs[:2]] + xs[2:]))(1.0))(xs)
    total = math.fsum(map(math.exp, xs))
    assert weights == pytest.approx(0.25 * math.exp(0.25) / total, rel=1e-12)
    assert max(Counter(traced).values()) == 1


def test_the_terms_of_a_difference_have_their_signs() -> None:
    """The sign goes to the constant of a product, on whichever side it stands, or beside it."""
    x, y = Symbol("x"), Symbol("y")
    numbers = {"x": 5.0, "y": 7.0}

    def value(part: Expression) -> float:
        if not isinstance(part, Symbol):
            return float(part)
        return numbers[part.name] if part.op is None else math.prod(map(value, part.operands))

    found = terms_of(y - 2.0 * x - x * 3.0 - x * y)
    assert sum(value(a) * value(b) for a, b in found) == 7.0 - 10.0 - 15.0 - 35.0
    assert [b for a, b in found if a is x] == [-2.0, -3.0]


def test_flatten_writes_equal_nodes_once_and_drops_dead_ones() -> None:
    """x*y computed twice is one node, an unused exp none."""
    program = sum_of_products(recorded(lambda x, y: [x * y, x * y, x.exp()][:2], 2))
    assert [op.name for op in program.ops] == ["input", "input", "products"]
    assert program.outputs == [2, 2]


def test_flatten_computes_constants() -> None:
    """2 + 3 and pow(x, 1) leave nothing to do."""
    program = sum_of_products(recorded(lambda x: (Value(2.0) + 3.0) * x**1.0, 1))
    assert list(program.constants.values()) == [5.0]


def test_derive_writes_error_signals_as_sums_of_products() -> None:
    """∂(w·x + b)/∂w is x."""
    program = sum_of_products(recorded(lambda w, x, b: w * x + b, 3))
    program.ops.append(ADJOINT)
    program.args.append((0, program.outputs[0], program.one))
    program.outputs = [len(program) - 1]
    assert differentiate(program).outputs == [1]


def test_groups_hold_what_differs_in_inputs_only() -> None:
    """Three samples of two operations make two groups of three."""
    program = sum_of_products(recorded(lambda x, y, z: [v.exp().tanh() for v in (x, y, z)], 3))
    groups, numbers, *_ = group(program)
    assert [(g.op, len(g.nodes)) for g in groups[2:]] == [
        (program.ops[3], 3),
        (program.ops[4], 3),
    ]
    assert numbers[:3] == [0, 0, 0]


def test_memory_hands_out_released_blocks_again() -> None:
    """The smallest free block that is large enough is taken, and split."""
    memory = Memory(0)
    first, _ = memory.block(64), memory.block(8)
    memory.release(first, 64)
    assert memory.block(16) == first
    assert memory.block(40) == first + 16


def test_memory_gives_no_cell_twice_and_returns_to_what_it_was() -> None:
    """Blocks in use never overlap, and freed ones serve again, where the same is asked for."""
    chance = random.Random(0)
    memory = Memory(3)
    used: dict[int, int] = {}
    for _ in range(2000):
        if used and chance.random() < 0.5:
            address = chance.choice(list(used))
            memory.release(address, used.pop(address))
        else:
            size = chance.choice([1, 2, 5, 8, 13, 64])
            used[memory.block(size)] = size
        ends = sorted((start, start + size) for start, size in used.items())
        assert all(start >= 3 for start, _ in ends[:1])
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(ends))
        assert not ends or ends[-1][1] <= memory.size
        assert all(start % 8 == 0 for start, size in used.items() if size == 64)
    same = Memory(0)
    for _ in range(50):
        taken = [(same.block(size), size) for size in (64, 8, 16, 1)]
        for address, size in taken:
            same.release(address, size)
    assert same.size <= 64 + 8 + 16 + 8


def test_a_block_of_no_cells_is_nothing_to_give_back() -> None:
    """A block of size 0 is never handed out for a larger one."""
    memory = Memory(0)
    memory.release(memory.block(0), 0)
    first = memory.block(1)
    assert (first, memory.block(1)) == (0, 1)


def test_programs_are_pickled_by_the_names_of_their_operations() -> None:
    """A program read back is the same program."""
    program = lower(recorded(lambda x, y: (x * y).exp() + 2.0, 2))
    assert str(pickle.loads(pickle.dumps(program))) == str(program)
    assert pickle.loads(pickle.dumps(PRODUCTS)) is PRODUCTS
