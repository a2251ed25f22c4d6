"""custom_vjp: functions with several arguments and results, and a derivative rule."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Generic, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from scalargrad.checks.arguments import check_function
from scalargrad.codegen.code_printer import expand
from scalargrad.engine.grad_mode import builds_graphs, enable_grad
from scalargrad.engine.multi_output import Cotangents, MultiOutputNode
from scalargrad.engine.recorder import recorder
from scalargrad.engine.tree import Rebuild, flatten
from scalargrad.engine.value import Scalar, Value
from scalargrad.errors import GraphChangedError, OperandError, TraceError
from scalargrad.opdef.operation import FixedArityOperation, Operation
from scalargrad.opdef.symbol import NodeInFormulaError, Symbol, evaluate
from scalargrad.ops.selection import where
from scalargrad.system.short_repr import format_value, pluralize

P = ParamSpec("P")
R = TypeVar("R")


class custom_vjp(Generic[P, R]):  # noqa: N801 - JAX's name
    """Define a custom reverse-mode derivative rule for a function, as ``jax.custom_vjp``.

    Parameters
    ----------
    fun : callable
        Takes and returns numbers, or lists, tuples, dicts, arrays and dataclasses of numbers.

    Notes
    -----
    The rule is set by `defvjp`. Values that the function closes over get no gradient.

    A derivative of higher order differentiates the rule: `fwd` and `bwd` are then called with
    Values, so write them with scalargrad's operations. In a compiled function they are traced, so
    use `where` instead of ``if``. The graph of the function itself is not kept, so that pictures
    and steps cannot show it; for a function with one result, use `custom_op`.

    Examples
    --------
    >>> from scalargrad import Value, cos, sin
    >>> @custom_vjp
    ... def polar(r, t):
    ...     return r * cos(t), r * sin(t)
    >>> def fwd(r, t):
    ...     return polar(r, t), (r, t)
    >>> def bwd(residuals, g):
    ...     r, t = residuals
    ...     x, y = g
    ...     return x * cos(t) + y * sin(t), r * (y * cos(t) - x * sin(t))
    >>> polar.defvjp(fwd, bwd)
    >>> r, t = Value(2.0), Value(0.0)
    >>> x, y = polar(r, t)
    >>> (3.0 * x + y * y).backward()
    >>> r.grad, t.grad
    (3.0, 0.0)
    """

    def __init__(self, fun: Callable[P, R]) -> None:
        check_function(fun, "fun", "one of numbers")
        functools.update_wrapper(self, fun)
        self._fun: Callable[..., Any] = fun
        self.name = getattr(fun, "__name__", "f")
        self.fwd: Callable[..., Any] | None = None
        self.bwd: Callable[..., Any] | None = None

    def __repr__(self) -> str:
        return f"<custom_vjp {self.name}>"

    def defvjp(self, fwd: Callable[..., Any], bwd: Callable[..., Any]) -> None:
        """Set the rule.

        Parameters
        ----------
        fwd : callable
            ``fwd(*args)`` returns the result of the function, and the residuals that `bwd` needs.
        bwd : callable
            ``bwd(residuals, g)``, where g is ∂root/∂result in the shape of the result, returns a
            tuple of ∂root/∂argument, one for each argument and in its shape; None means 0.
        """
        self.fwd = check_function(fwd, "fwd", "lambda x: (f(x), x)")
        self.bwd = check_function(bwd, "bwd", "lambda x, g: (2 * x * g,)")

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function.

        Raises
        ------
        OperandError
            If it has no rule, if an argument or the result does not consist of numbers, or if
            `bwd` does not return one gradient for each argument.
        TraceError
            In a compiled function, if the rule cannot be traced.
        """
        if kwargs:
            raise OperandError(
                f"{self.name} was given {format_value(kwargs)}: pass arguments by position"
            )
        numbers, rebuild = flatten(args, f"the arguments of {self.name}")
        if not any(isinstance(x, Value) for x in numbers):
            return self._fun(*args)  # type: ignore[no-any-return]
        rule = _Rule(self, numbers, rebuild, len(args))
        if (current := recorder()) is not None:
            return rule.trace(current)  # type: ignore[no-any-return]
        floats = [x.data if isinstance(x, Value) else x for x in numbers]
        if not builds_graphs():
            plain, shape = flatten(self._fun(*rebuild(iter(floats))), f"the result of {self.name}")
            return shape(iter([Value(x) for x in plain]))  # type: ignore[no-any-return]
        outputs, shape = rule.start(floats)
        if any(isinstance(y, Value) for y in outputs):
            raise _captured_value_error(self.name, shape(iter(outputs)))
        values = tuple([x for x in numbers if isinstance(x, Value)])
        node = MultiOutputNode(self.name, values, outputs, rule)
        result: R = shape(iter(node.outputs(range(len(outputs)), [Value] * len(outputs))))
        return result


def _captured_value_error(name: str, returned: Any) -> OperandError:
    """Return the error for a Value that was returned for floats: a captured variable is one."""
    return OperandError(f"{name} returned {format_value(returned)} for plain numbers: {_REMEDY}")


_REMEDY = "pass captured Values as arguments, so that its rule can compute their gradients"


def _cache_output(owner: Any, key: Any, output: _Output) -> _Output:
    """Return the cached operation of an output if it has the same expressions, else cache it."""
    known = _cache.setdefault(owner, {})
    if key not in known or not known[key].is_same(output):
        known[key] = output
    return known[key]


#: Operations of traced outputs, so that two traces of a function contain the same operations.
_cache: WeakKeyDictionary[Any, dict[Any, _Output]] = WeakKeyDictionary()


class _Rule:
    """The rule of one call, with its arguments as numbers and Values.

    Parameters
    ----------
    numbers : list
        The Values in the arguments.
    rebuild : callable
        Rebuilds the arguments from other numbers.
    count : int
        The number of arguments.
    """

    def __init__(
        self, owner: custom_vjp[Any, Any], numbers: Sequence[Any], rebuild: Rebuild, count: int
    ) -> None:
        self.owner, self.numbers, self._rebuild, self._count = owner, numbers, rebuild, count

    def forward(self, numbers: Sequence[Any]) -> tuple[Any, Any]:
        """Return the result at these numbers, and the residuals."""
        owner = self.owner
        if owner.fwd is None:
            raise OperandError(f"{owner.name} has no rule yet: call {owner.name}.defvjp(fwd, bwd)")
        both = owner.fwd(*self._rebuild(iter(numbers)))
        if not isinstance(both, tuple) or len(both) != 2:
            raise OperandError(
                f"fwd of {owner.name} returned {format_value(both)}: return the result and the "
                "residuals"
            )
        return both

    def start(self, floats: Sequence[float]) -> tuple[list[Any], Rebuild]:
        """Return the results at these numbers, and store the residuals for `pull_back`."""
        self._floats = floats
        result, self._residuals = self.forward(floats)
        outputs, self._shape = flatten(result, f"the result of {self.owner.name}")
        return outputs, self._shape

    def backward(self, residuals: Any, cotangents: Any) -> list[Any]:
        """Return the gradients for the numbers that are Values; None for 0."""
        owner = self.owner
        assert owner.bwd is not None
        by_argument = owner.bwd(residuals, cotangents)
        if not isinstance(by_argument, tuple) or len(by_argument) != self._count:
            raise OperandError(
                f"bwd of {owner.name} returned {format_value(by_argument)}: return a tuple of "
                f"{pluralize(self._count, 'gradient')}, one for each argument"
            )
        args = self._rebuild(iter(range(len(self.numbers))))
        gradients: list[Any] = [None] * len(self.numbers)
        for k, (arg, gradient) in enumerate(zip(args, by_argument, strict=True)):
            indices, _ = flatten(arg, "an argument")
            parts = [] if gradient is None else flatten(gradient, f"gradient {k} of bwd")[0]
            if gradient is not None and len(parts) != len(indices):
                raise OperandError(
                    f"gradient {k} of {owner.name} has {pluralize(len(parts), 'number')}, but its "
                    f"argument has {len(indices)}: return one number for each"
                )
            for index, part in zip(indices, parts, strict=False):
                gradients[int(index)] = part
        return [x for x, y in zip(gradients, self.numbers, strict=True) if isinstance(y, Value)]

    def trace(self, current: Any) -> Any:
        """Record the outputs as operations; their partials are those of `bwd`, linear in g."""
        numbers = self.numbers
        symbols = [Symbol(f"x{i}") if isinstance(x, Value) else x for i, x in enumerate(numbers)]
        operands = [x for x in symbols if isinstance(x, Symbol)]
        values = [x for x in numbers if isinstance(x, Value)]
        try:
            result, residuals = self.forward(symbols)
            results, shape = flatten(result, f"the result of {self.owner.name}")
            cotangents = [Symbol(f"g{k}") for k in range(len(results))]
            gradients = self.backward(residuals, shape(iter(cotangents)))
        except NodeInFormulaError as error:
            raise TraceError(
                f"{self.owner.name} reads a captured Value, which a compiled function cannot "
                f"trace: {_REMEDY}"
            ) from error
        except (TypeError, AttributeError) as error:
            raise TraceError(
                f"the rule of {self.owner.name} cannot be traced: {error}. Write fwd and bwd with "
                "scalargrad's operations, and where instead of if"
            ) from error
        units: dict[Any, Any] = {g: {g: 1.0} for g in cotangents}
        try:
            factors = [
                _as_sum(evaluate(expand(0.0 if x is None else x, {}), units, _apply_linear, None))
                for x in gradients
            ]
        except _NonlinearError:
            raise TraceError(
                f"bwd of {self.owner.name} is not linear in g, so its result cannot be compiled: "
                "call the function outside jit, or return products of g and factors that do not "
                "depend on g"
            ) from None
        partials = [[x.get(g, 0.0) for x in factors] for g in cotangents]
        outputs = [
            _Output(self.owner.name, k, operands, *both)
            for k, both in enumerate(zip(results, partials, strict=True))
        ]
        names = [x.name if isinstance(x, Symbol) else x for x in symbols]
        ops = [_cache_output(self.owner, (k, *names), y) for k, y in enumerate(outputs)]
        return shape(iter([current.node(op, tuple(values)) for op in ops]))

    def _shaped(self, cotangents: Cotangents, count: int) -> Any:
        return self._shape(iter([cotangents.get(k, 0.0) for k in range(count)]))

    def pull_back(self, cotangents: Cotangents, node: MultiOutputNode) -> Sequence[float | None]:
        """Return the gradients by the operands, as floats."""
        gradients = self.backward(self._residuals, self._shaped(cotangents, len(node.results)))
        if (value := next((x for x in gradients if isinstance(x, Value)), None)) is not None:
            raise _captured_value_error(f"bwd of {self.owner.name}", value)
        return gradients

    def pull_back_as_graph(
        self, cotangents: Cotangents, node: MultiOutputNode
    ) -> Sequence[Scalar | None]:
        """Return the gradients as Values, which the rule computes from the operands."""
        now = [x.data if isinstance(x, Value) else x for x in self.numbers]
        if now != self._floats:
            raise GraphChangedError(
                f"data was assigned after {self.owner.name} was called: call it again before "
                "computing its derivatives as a graph"
            )
        with enable_grad():
            _, residuals = self.forward(self.numbers)
            return self.backward(residuals, self._shaped(cotangents, len(node.results)))

    def require_linear(self, node: MultiOutputNode) -> None:
        """Raise OperandError unless doubling a cotangent doubles the gradients."""
        for k in range(len(node.results)):
            once, twice = (self.pull_back(Cotangents({k: g}), node) for g in (1.0, 2.0))
            pairs = zip(once, twice, strict=True)
            if any(x is not None and y is not None and 2.0 * x != y for x, y in pairs):
                raise OperandError(
                    f"bwd of {self.owner.name} is not linear in g, so {self.owner.name} has no "
                    "forward-mode derivative: use grad, vjp or jacrev"
                )

    def reads(self, _k: int, _others: Sequence[int]) -> bool:
        """Return False: the rule accounts for every dependence of an output."""
        return False


class _NonlinearError(Exception):
    """The result of a `bwd` is not a linear combination of cotangents."""


def _apply_linear(op: Operation, parts: Sequence[Any]) -> Any:
    """Apply an operation; a dict is a linear combination, from cotangent to coefficient."""
    sums = [k for k, x in enumerate(parts) if isinstance(x, dict)]
    if not sums:
        return op.of(*parts, checked=False)
    if op.name in {"add", "sub", "neg", "sum"}:
        total: dict[Symbol, Any] = {}
        for k, part in enumerate(parts):
            is_negative = op.name == "neg" or (op.name == "sub" and k == 1)
            for g, y in _scale(_as_sum(part), -1.0 if is_negative else 1.0).items():
                total[g] = total[g] + y if g in total else y
        return total
    if op.name == "where" and 0 not in sums:
        chosen, other = map(_as_sum, parts[1:])
        both = dict.fromkeys([*chosen, *other])
        return {g: where(parts[0], chosen.get(g, 0.0), other.get(g, 0.0)) for g in both}
    if op.name == "mul" and len(sums) == 1:
        return _scale(parts[sums[0]], parts[1 - sums[0]])
    if op.name == "div" and sums == [0]:
        return _scale(parts[0], 1.0 / parts[1])
    raise _NonlinearError


def _as_sum(x: Any) -> dict[Symbol, Any]:
    if not isinstance(x, dict) and (isinstance(x, Symbol) or x != 0.0):
        raise _NonlinearError
    return x if isinstance(x, dict) else {}


def _scale(factors: dict[Symbol, Any], by: Any) -> dict[Symbol, Any]:
    return {g: by if type(y) is float and y == 1.0 else y * by for g, y in factors.items()}


class _Output(FixedArityOperation):
    """One output as an operation of a traced program."""

    composite = True

    def __init__(
        self, name: str, k: int, operands: Sequence[Symbol], value: Any, partials: Sequence[Any]
    ) -> None:
        Operation.__init__(self, self._value, self._partials, name=f"{name}_{k + 1}")
        self.arity = len(operands)
        self.operand_symbols = tuple(operands)
        self.result_symbol = Symbol("y")
        self._expressions = value, *partials
        self._by_classes, self._methods, self._reflected = {}, {}, {}

    def _at(self, operands: Sequence[Any]) -> list[Any]:
        known: dict[object, Any] = dict(zip(self.operand_symbols, operands, strict=True))
        return [expand(x, known) for x in self._expressions]

    def _value(self, *operands: Any) -> Any:
        return self._at(operands)[0]

    def _partials(self, _result: Any, *operands: Any) -> tuple[Any, ...]:
        return tuple(self._at(operands)[1:])

    def is_same(self, other: _Output) -> bool:
        """Return True if another output with as many operands has the same expressions."""
        known: dict[object, Any] = {}
        mine = [expand(x, known) for x in self._expressions]
        known |= dict(zip(other.operand_symbols, self.operand_symbols, strict=True))
        return [*map(_key, mine)] == [_key(expand(x, known)) for x in other._expressions]


def _key(x: Any) -> Any:
    return x if isinstance(x, Symbol) else repr(float(x))
