"""Programs of random statements: jitted calls are compared with eager calls.

``python -m tests.compiler.random_programs --from 0 --count 1600`` compares 100,000 calls, writes
each seed to a file and prints the seeds that differ; if run again, it continues after the last
seed in the file. It runs in check mode, which compares each result with that of an eager call.
Errors, and functions that are jitted inside others, are compared here, the latter in the first two
calls.

One comparison is one call of a jitted function with new arguments or new captured numbers: its
value or error, the gradients of a call with Values, and the state of the generator. A refused call
does not count, nor does one in which eager code raises an error for a nan that the result does
not depend on, since compiled code does not compute it. Of ten calls jit itself makes two eagerly,
because a number is not finite or there are too many paths.
"""

from __future__ import annotations

import functools
import math
import os
import random
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from tests.compiler.search import NOT_COMPARED, main
from tests.inner import topological_order

import scalargrad as sg
from scalargrad import JitWarning, TraceError, Value, grad, jit, jvp, nn, scan, value_and_grad, vmap
from scalargrad.errors import NumericalError, OperandError

Numbers = list[Any]
Step = Callable[[Numbers, random.Random], Any]

UNARY: list[Callable[[Any], Any]] = [
    lambda x: sg.sin(sg.tanh(x)), sg.tanh, sg.sigmoid, sg.relu, abs, lambda x: -x,
    lambda x: x * x, lambda x: 2.0 - x,
    lambda x: sg.exp(-abs(x)), lambda x: sg.log(1.0 + x * x), lambda x: sg.sqrt(abs(x) + 0.5),
    lambda x: x / (1.5 + sg.cos(sg.tanh(x))), lambda x: x**3,
    lambda x: x.detach() if isinstance(x, Value) else x,
    lambda x: 1.0 / x, sg.log, sg.sqrt,
]  # fmt: skip
BINARY: list[Callable[[Any, Any], Any]] = [
    lambda x, y: x + y, lambda x, y: x - y, lambda x, y: x * y, lambda x, y: x / y,
    sg.maximum, lambda x, y: sg.where(x > y, x, 0.5 * y), lambda x, y: sg.mean([x, y, x]),
    lambda x, y: sg.logsumexp([x, y]), lambda x, y: sg.take([x, y, 0.25], x > y),
    lambda x, y: x * y + x, lambda x, y: sum(sg.softmax([x, y, 1.0])[:2]) * x,
]  # fmt: skip


#: How often a scan goes through its entries, by how deep its statement may be nested.
OFTEN = {2: [1, 4, 100], 1: [1, 4], 0: [1, 4]}


class Two(NamedTuple):
    """A point of two numbers, as an argument."""

    first: Any
    second: Any


@dataclass
class Three:
    """Three numbers, as an argument."""

    x: Any
    rest: list[Any]


#: How three numbers may be given, and how a function finds them again.
FORMS: list[tuple[Callable[[Numbers], Any], Callable[[Any], Numbers]]] = [
    (list, list),
    (tuple, list),
    (lambda xs: {"a": xs[0], "rest": xs[1:]}, lambda given: [given["a"], *given["rest"]]),
    (lambda xs: [[xs[0]], xs[1:]], lambda given: [x for row in given for x in row]),
    (lambda xs: (Two(*xs[:2]), xs[2]), lambda given: [*given[0], given[1]]),
    (lambda xs: Three(xs[0], xs[1:]), lambda given: [given.x, *given.rest]),
    (np.array, lambda given: given.tolist()),
]


class Program:
    """A function of a list of numbers, composed of statements.

    Its code makes no generator, since each trace would then be made twice.
    """

    def __init__(self, weight: float, data: Any) -> None:
        self.weight = weight  # closed over by each statement that multiplies by it
        self.data = data
        self.models: list[nn.Module] = []
        self.tables: list[Any] = [data]
        self.within: list[Program] = []
        self.statements: list[Step] = []

    def __call__(self, xs: Numbers, source: random.Random) -> Any:
        """Run the statements, each on the results of earlier ones."""
        known = list(xs)
        for statement in self.statements:
            known.append(statement(known, source))
        return known[-1] + 0.5 * known[-2]

    def change(self) -> None:
        """Change the captured numbers of the statements."""
        self.weight = 0.5 - self.weight
        for table in self.tables:
            table[0] *= -0.5
        for model in self.models:
            for parameter in model.parameters():
                parameter.data *= -0.5
        for program in self.within:
            program.change()


class Drawing:
    """A generator of random statements.

    Parameters
    ----------
    rng : random.Random
        The random numbers.
    depth : int
        Maximum nesting of derivatives and vmap.
    """

    def __init__(self, rng: random.Random, depth: int = 2) -> None:
        data = np.array([[rng.uniform(-1.0, 1.0) for _ in range(3)] for _ in range(2)])
        self.program = Program(rng.uniform(-1.0, 1.0), data)
        for _ in range(rng.randint(2, 7)):
            self.program.statements.append(self._statement(rng, depth))

    def _statement(self, rng: random.Random, depth: int) -> Step:
        kinds = [self._unary, self._binary, self._binary, self._branch, self._loop, self._closure]
        kinds += [self._delays, self._sorted, self._module, self._several, self._still]
        kinds += [self._bounded, self._looked_up, self._rows]
        if depth:
            kinds += [self._grad, self._gradients, self._jvp, self._vjp, self._matrix]
            kinds += [self._grad_of_scan, self._grad_by_gradient, self._vmap, self._vmap_of_grad]
            kinds += [self._scan, self._scan_of_dict, self._jit, self._draw]
        if depth == 2:
            kinds += [self._examples]
        chosen: Any = rng.choice(kinds)
        made: Step = chosen(rng, depth)
        return made

    def _place(self, rng: random.Random) -> Callable[[Numbers], Any]:
        k = rng.randrange(100)
        return lambda known: known[k % len(known)]

    def _unary(self, rng: random.Random, _: int) -> Step:
        op, x = rng.choice(UNARY), self._place(rng)
        return lambda known, source: op(x(known))

    def _binary(self, rng: random.Random, _: int) -> Step:
        op, x, y = rng.choice(BINARY), self._place(rng), self._place(rng)
        return lambda known, source: op(x(known), y(known))

    def _branch(self, rng: random.Random, depth: int) -> Step:
        x, limit = self._place(rng), rng.uniform(-1.0, 1.0)
        yes, no = self._statement(rng, depth - 1 if depth else 0), self._unary(rng, 0)
        return lambda known, source: (yes if x(known) > limit else no)(known, source)

    def _loop(self, rng: random.Random, _: int) -> Step:
        x, op, count = self._place(rng), rng.choice(BINARY), rng.randint(2, 5)

        def loop(known: Numbers, source: random.Random) -> Any:
            total = x(known)
            for k in range(count):
                total = op(total, known[k % len(known)]) * 0.5
            return total

        return loop

    def _closure(self, rng: random.Random, _: int) -> Step:
        x, around = self._place(rng), self.program
        return lambda known, source: around.weight * x(known) + around.weight

    def _delays(self, rng: random.Random, _: int) -> Step:
        """Draw a recurrence that reads a state several steps back."""
        op, inner, back = rng.choice(BINARY), rng.choice(UNARY[:12]), rng.randint(1, 3)
        x, count = self._place(rng), rng.choice([8, 20])

        def delays(known: Numbers, source: random.Random) -> Any:
            cells = [x(known) * (0.1 * k) for k in range(back)]
            for k in range(count):
                cells.append(0.5 * op(inner(cells[-back]), cells[-1]) + known[k % len(known)])
            return cells[-1] + cells[count // 2]

        return delays

    def _sorted(self, rng: random.Random, _: int) -> Step:
        k = rng.randrange(3)

        def middle(known: Numbers, source: random.Random) -> Any:
            few = known[:3]
            return (sorted(few) if all(x == x for x in few) else few)[k % len(few)]

        return middle

    def _still(self, rng: random.Random, _: int) -> Step:
        """Draw an operation through which no gradient flows."""
        op, x = rng.choice(UNARY[:12]), self._place(rng)

        def still(known: Numbers, source: random.Random) -> Any:
            with sg.no_grad():
                y = op(x(known))
            return y + x(known)

        return still

    def _bounded(self, rng: random.Random, _: int) -> Step:
        """Draw a loop that ends by a condition."""
        x, limit = self._place(rng), rng.uniform(0.3, 1.0)

        def bounded(known: Numbers, source: random.Random) -> Any:
            y = x(known)
            for _ in range(3):
                if not abs(y) > limit:
                    break
                y = y * 0.5
            return y

        return bounded

    def _looked_up(self, rng: random.Random, _: int) -> Step:
        """Draw a `take` with a computed index."""
        x, y, limit = self._place(rng), self._place(rng), rng.uniform(-0.5, 0.5)

        def looked_up(known: Numbers, source: random.Random) -> Any:
            a, b = x(known), y(known)
            return sg.take([a * b, 0.25, known[0], b], (a > limit) + 2.0 * (b > limit))

        return looked_up

    def _rows(self, rng: random.Random, _: int) -> Step:
        """Draw a vmap over the rows of an array, with results along a random axis."""
        f, x, axis = self._smooth(rng), self._place(rng), rng.randrange(2)
        data = self.program.data

        def rows(known: Numbers, source: random.Random) -> Any:
            mapped = vmap(
                lambda row, y: (row * y, f([row[0], y], source)), (0, None), out_axes=(axis, 0)
            )
            products, ys = mapped(data, x(known))
            return sum(ys.tolist()) + products.tolist()[1][0]

        return rows

    def _examples(self, rng: random.Random, _: int) -> Step:
        """Draw a mean over many captured examples, with or without its derivative."""
        f, x, count, sloped = (
            self._smooth(rng),
            self._place(rng),
            rng.choice([40, 300]),
            rng.random(),
        )
        table: Any = np.array([[rng.uniform(-1.0, 1.0) for _ in range(4)] for _ in range(count)])
        self.program.tables.append(table)
        data = table if rng.random() < 0.5 else table.tolist()

        def examples(known: Numbers, source: random.Random) -> Any:
            def loss(w: Any) -> Any:
                each = vmap(lambda row: f([row[0] * w, row[1] + known[-1]], source) * row[2])
                return sum(each(data)) / count

            if sloped < 0.5:
                return loss(x(known))
            value, slope = value_and_grad(loss)(x(known))
            return value + slope

        return examples

    def _module(self, rng: random.Random, _: int) -> Step:
        model, x, y = nn.MLP(2, [3, 1], rng=rng), self._place(rng), self._place(rng)
        self.program.models.append(model)
        return lambda known, source: model([x(known), y(known)])

    def _several(self, rng: random.Random, _: int) -> Step:
        """Draw a sum over results of one function."""
        op, x, count = rng.choice(UNARY[:12]), self._place(rng), rng.choice([5, 20, 40])
        total: Any = rng.choice([sum, sg.sum])

        def several(known: Numbers, source: random.Random) -> Any:
            rows = [op(x(known) * (0.1 * k) + known[k % len(known)]) for k in range(count)]
            return total([y * y for y in rows])

        return several

    def _inner(self, rng: random.Random, depth: int) -> Step:
        if rng.random() >= 0.4:
            return self._smooth(rng)
        self.program.within.append(type(self)(rng, depth - 1).program)
        return self.program.within[-1]

    def _smooth(self, rng: random.Random) -> Step:
        ops = [rng.choice(UNARY[:12]) for _ in range(2)]
        return lambda known, source: ops[0](ops[1](known[0]) * known[-1])

    def _grad(self, rng: random.Random, depth: int) -> Step:
        f, x, kind = self._inner(rng, depth), self._place(rng), rng.randrange(4)

        def derived(known: Numbers, source: random.Random) -> Any:
            def of_one(y: Any) -> Any:
                return f([y, *known], source)

            if kind == 0:
                value, slope = value_and_grad(of_one)(x(known))
                return value * 0.5 + slope
            if kind == 1:
                return grad(of_one)(x(known))
            if kind == 2:
                return grad(lambda a, b: f([a, b, *known], source), argnums=1)(known[0], x(known))
            slopes = grad(lambda ys: f(ys, source))(known[:3])
            return slopes[0] * slopes[1] + slopes[-1]

        return derived

    def _gradients(self, rng: random.Random, depth: int) -> Step:
        """Draw a derivative of an expression with a derivative, with or without its graph."""
        f, x, twice = self._inner(rng, depth), self._place(rng), rng.random() < 0.5

        def derived(known: Numbers, source: random.Random) -> Any:
            def with_slope(z: Any) -> Any:
                leaf = z * 1.0 if twice else z
                y = f([leaf, *known], source)
                if not isinstance(y, Value):
                    return y * 0.5
                try:
                    (slope,) = sg.gradients(y, [leaf], create_graph=twice, allow_nonfinite=True)
                except OperandError:  # y is a number
                    return y * 0.5
                return y * 0.5 + slope * z

            return grad(with_slope)(x(known))

        return derived

    def _jvp(self, rng: random.Random, depth: int) -> Step:
        f, x, t = self._inner(rng, depth), self._place(rng), self._place(rng)

        def derived(known: Numbers, source: random.Random) -> Any:
            y, slope = jvp(lambda y: f([y, *known], source), (x(known),), (t(known),))
            return y * 0.5 + slope

        return derived

    def _vjp(self, rng: random.Random, depth: int) -> Step:
        f, x, t = self._inner(rng, depth), self._place(rng), self._place(rng)

        def derived(known: Numbers, source: random.Random) -> Any:
            y, pull = sg.vjp(lambda y: f([y, *known], source), x(known))
            (slope,) = pull(t(known))
            return y * 0.5 + slope

        return derived

    def _matrix(self, rng: random.Random, depth: int) -> Step:
        """Draw an entry of a Hessian or of a Jacobian."""
        f, g = self._smooth(rng), self._inner(rng, depth)
        second, i, j = rng.random() < 0.5, rng.randrange(2), rng.randrange(2)

        def entry(known: Numbers, source: random.Random) -> Any:
            def results(ys: Numbers) -> Numbers:
                return [f(ys, source), g([*ys, *known], source)]

            xs = [known[0], known[-1]]
            if second:
                return sg.hessian(lambda ys: f(ys, source))(xs)[i][j]
            return sg.jacobian(results)(xs)[i][j]

        return entry

    def _grad_of_scan(self, rng: random.Random, depth: int) -> Step:
        f, x, often = self._smooth(rng), self._place(rng), rng.choice(OFTEN[depth])

        def derived(known: Numbers, source: random.Random) -> Any:
            def loss(w: Any) -> Any:
                def step(carry: Any, y: Any) -> tuple[Any, Any]:
                    return 0.5 * f([carry, y * w], source), carry * w

                carry, ys = scan(step, known[-1], known[:3] * often)
                return carry + ys[-1] * ys[0]

            return grad(loss)(x(known))

        return derived

    def _grad_by_gradient(self, rng: random.Random, _: int) -> Step:
        """Draw a derivative at a number that is itself a derivative."""
        f, x, by_slope = self._smooth(rng), self._place(rng), rng.random() < 0.5

        def derived(known: Numbers, source: random.Random) -> Any:
            slope = grad(lambda y: f([y, known[0]], source))(x(known))
            at = slope if by_slope else x(known)
            return grad(lambda z: f([z * slope, known[-1]], source) * slope)(at) + slope

        return derived

    def _vmap(self, rng: random.Random, depth: int) -> Step:
        f = self._smooth(rng) if rng.random() < 0.7 else self._inner(rng, depth)
        return lambda known, source: sum(
            vmap(lambda y: f([y, *known], source))([*known[:3], 0.3, -0.4])
        )

    def _vmap_of_grad(self, rng: random.Random, depth: int) -> Step:
        """Draw values and derivatives for several examples, with a shared argument."""
        f = self._inner(rng, depth)
        count = 3 if isinstance(f, Program) else rng.choice([3, 12, 33])

        def mapped(known: Numbers, source: random.Random) -> Any:
            xs = [known[k % len(known)] * (0.1 * k) for k in range(count)]
            slopes = vmap(grad(lambda y: f([y, known[-1]], source)))(xs)
            pairs = vmap(lambda y, z: (f([y, z], source), y * z), in_axes=(0, None))(xs, known[0])
            return sum(slopes) * slopes[1] + sum(y for y, _ in pairs) + pairs[-1][1] * pairs[0][0]

        return mapped

    def _scan(self, rng: random.Random, depth: int) -> Step:
        f, x, often = self._smooth(rng), self._place(rng), rng.choice(OFTEN[depth])

        def scanned(known: Numbers, source: random.Random) -> Any:
            def step(carry: Any, y: Any) -> tuple[Any, Any]:
                return 0.5 * f([carry, y], source), carry

            carry, ys = scan(step, x(known), known[:3] * often)
            return carry + sum(ys)

        return scanned

    def _scan_of_dict(self, rng: random.Random, depth: int) -> Step:
        """Draw a scan whose carry, elements and results have several numbers each."""
        f, g = self._smooth(rng), self._inner(rng, depth)
        x, often = self._place(rng), rng.choice(OFTEN[0 if isinstance(g, Program) else depth])

        def scanned(known: Numbers, source: random.Random) -> Any:
            def step(carry: Any, entry: Any) -> tuple[Any, Any]:
                a, b = carry["a"], carry["b"]
                moved = {"a": 0.5 * f([a, b], source), "b": b * 0.3 + entry[0]}
                return moved, [g([a, entry[1], known[0]], source), b]

            entries = [(y, 0.5 * k) for k, y in enumerate(known[:3] * often)]
            carry, ys = scan(step, {"a": x(known), "b": known[-1]}, entries)
            return carry["a"] + sum(y[0] for y in ys) + ys[0][1] * ys[-1][0]

        return scanned

    def _jit(self, rng: random.Random, depth: int) -> Step:
        f = self._inner(rng, depth)
        return lambda known, source: jit(lambda ys: f(ys, source))(
            [*known]
        )  # with its present value

    def _draw(self, rng: random.Random, _: int) -> Step:
        x = self._place(rng)
        return lambda known, source: x(known) * sg.drawn(source.uniform, 0.5, 1.5)


@dataclass
class Case:
    """A program with the form of its argument and, for some seeds, a large array as another."""

    program: Program
    form: Callable[[Numbers], Any]
    read: Callable[[Any], Numbers]
    data: Any

    def __call__(self, given: Any, data: Any, source: random.Random) -> Any:
        """Return the result of the program for three numbers and the array."""
        xs = self.read(given)
        y = self.program(xs, source)
        if data is not None:
            y = y + sum(vmap(lambda row: sg.tanh(row[0] * xs[0] + row[1] * row[2]))(data)) / 400
        return y


def case_of(seed: int, drawing: type[Drawing] = Drawing) -> Case:
    """Return the case of a seed."""
    rng = random.Random(seed)
    program, form, data = drawing(rng).program, rng.choice(FORMS), None
    if rng.random() < 0.2:
        data = np.array([[rng.uniform(-1.0, 1.0) for _ in range(3)] for _ in range(400)])
    return Case(program, *form, data)


SPECIAL = [0.0, -0.0, 1.0, -1.0, 1e200, -1e-200, math.inf, -math.inf, math.nan]
#: So large are numbers that, added up or multiplied in another order, may overflow.
HUGE = 1e290


def arguments(rng: random.Random, count: int) -> list[list[float]]:
    """Return random points, some of them special; the last point is the first one again."""
    found = [[rng.uniform(-2.0, 2.0) for _ in range(3)] for _ in range(4)]
    while len(found) < count - 1:
        found.append([rng.choice(SPECIAL) if rng.random() < 0.5 else x for x in found[0]])
        found.append([rng.uniform(-2.0, 2.0) for _ in range(3)])
    return [*found[: count - 1], found[0]]


def compare(seed: int, by_values: bool, points: int = 6, drawing: type[Drawing] = Drawing) -> str:
    """Return the difference between jitted and eager calls: numbers, gradients, errors, generator.

    Captured state changes after half of the calls. A refusal, for a condition on the examples of
    vmap or on a draw, ends the comparison.
    """
    case = case_of(seed, drawing)
    eager, mine = random.Random(seed), random.Random(seed)
    recorded: Any = jit(lambda given, data: case(given, data, mine))
    f: Any = _by_values if by_values else _by_floats
    function = f(case, lambda given: case(given, case.data, eager))
    compiled = f(case, lambda given: recorded(given, case.data))
    is_check = os.environ.get("SCALARGRAD_JIT") == "check"
    for k, xs in enumerate(arguments(random.Random(seed + 1), points)):
        if k == points // 2:
            case.program.change()
        before = eager.getstate()
        found = _outcome(functools.partial(compiled, xs), mine)
        if found[0] is TraceError:
            return NOT_COMPARED
        if k > 1 and is_check and isinstance(found[0], list):
            eager.setstate(mine.getstate())
            continue
        expected = _outcome(functools.partial(function, xs), eager)
        is_result = not isinstance(found[0], type)
        if (expected[0] is NumericalError and is_result) or all(map(_is_of_nan, (found, expected))):
            mine.setstate(eager.getstate())
            continue
        errors = functools.partial(_errors, case, xs, before)
        if _nan_among(expected) and not _agree(found, expected, errors):
            expected = _as_python(expected, functools.partial(function, xs), eager, before)
        if not _agree(found, expected, errors):
            return f"at {xs}: {found[0]} for {expected[0]}"
    return ""


def _outcome(f: Callable[[], Any], source: random.Random) -> Any:
    """Return the outcome of a call, and the state of the generator after it."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", JitWarning)
        try:
            found = f()
        except (sg.ScalargradError, ArithmeticError, ValueError) as error:
            is_difference = isinstance(error, TraceError) and "eager code" in str(error)
            return str(error) if is_difference else type(error), source.random()
    return [float(x.data if isinstance(x, Value) else x) for x in found], source.random()


def _by_floats(case: Case, f: Callable[[Any], Any]) -> Callable[[Numbers], Numbers]:
    return lambda xs: [f(case.form(xs))]


def _by_values(case: Case, f: Callable[[Any], Any]) -> Callable[[Numbers], Numbers]:
    """Return value and gradient by Values."""

    def both(xs: Numbers) -> Numbers:
        leaves = [Value(x) for x in xs]
        y = f(case.form(leaves))
        if not isinstance(y, Value):  # as the element that `take` selected does not depend on any
            return [y, *[0.0] * len(xs)]
        return [y, *sg.gradients(y, leaves, allow_nonfinite=True)]

    return both


def _close(a: float, b: float) -> bool:
    same = a == b or (a != a and b != b) or math.isclose(a, b, rel_tol=1e-8, abs_tol=1e-9)
    return same or (min(a, b) >= HUGE or max(a, b) <= -HUGE)


def _agree(found: Any, expected: Any, errors: Callable[[], list[float]]) -> bool:
    """Return True if two outcomes agree within the possible effects of rounding."""
    if not isinstance(found[0], list) or not isinstance(expected[0], list):
        return bool(found == expected)
    if found[1] != expected[1]:
        return False
    pairs = enumerate(zip(found[0], expected[0], strict=True))
    unlike = [i for i, (x, y) in pairs if not _close(x, y)]
    if not all(math.isfinite(found[0][i]) and math.isfinite(expected[0][i]) for i in unlike):
        return False
    if not unlike:
        return True
    allowed = errors()
    return all(abs(found[0][i] - expected[0][i]) <= allowed[i] for i in unlike)


def _errors(case: Case, xs: Numbers, state: Any) -> list[float]:
    """Return bounds of the effect of rounding on the value and the gradients of a program.

    Each node may differ by some units in its last place. The effect on the value is its derivative
    with respect to the node: it is large for x / s'(9), since s' = s (1 - s) has few digits. A
    gradient is a sum of products along all paths, which may cancel.
    """
    leaves = [Value(x) for x in xs]
    source = random.Random()
    source.setstate(state)
    with sg.disable_jit():
        y = case(case.form(leaves), case.data, source)
    if not isinstance(y, Value):
        return [0.0] * (len(xs) + 1)
    order = topological_order(y)
    signals = sg.gradients(y, order, allow_nonfinite=True)
    terms = [abs(signal * node.data) for signal, node in zip(signals, order, strict=True)]
    of_value = 1e-15 * sum(filter(math.isfinite, terms))
    relative = 1e-12 + 1e3 * of_value / abs(y.data or math.inf)
    sizes = dict.fromkeys(leaves, 0.0) | {y: 1.0}
    for node in reversed(order):
        size = sizes.get(node, 0.0)
        for x, local in zip(node.parents, node.local_grads, strict=True):
            if isinstance(x, Value) and local is not None:
                sizes[x] = sizes.get(x, 0.0) + size * abs(local)
    return [of_value, *(relative * sizes[x] for x in leaves)]


def _is_of_nan(outcome: Any) -> bool:
    """Return True if a call raised an error for a nan, also in a function jitted inside."""
    said = outcome[0]
    return said is NumericalError or (isinstance(said, str) and any(x in said for x in _OF_NAN))


_OF_NAN = ("NumericalError", "gradient nan")


def _nan_among(outcome: Any) -> bool:
    return isinstance(outcome[0], list) and any(map(math.isnan, outcome[0]))


def _as_python(expected: Any, f: Callable[[], Any], source: random.Random, before: Any) -> Any:
    """Return an outcome in which nan is replaced by the numbers of a run without any jit.

    A function jitted inside the eager one sends 0 to the elements that `take` does not select, and
    multiplies it by an infinite derivative; in eager code these elements are not operands.
    """
    source.setstate(before)
    with sg.disable_jit():
        numbers, state = _outcome(f, source)
    if not isinstance(numbers, list) or state != expected[1]:
        return expected
    pairs = zip(expected[0], numbers, strict=True)
    return [y if math.isnan(x) else x for x, y in pairs], state


def difference(seed: int) -> str:
    """Return the difference for a seed in 32 calls, with floats or with Values."""
    return "; ".join({compare(seed, by_values, points=32) for by_values in (False, True)} - {""})


if __name__ == "__main__":
    backend = os.environ.setdefault("SCALARGRAD_JIT", "check")
    sys.exit(main(difference, f"random_programs_{backend}" if backend else "random_programs"))
