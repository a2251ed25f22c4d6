"""Functions of several arguments and results with a rule of their own for derivatives."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Generic, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from scalargrad.call import Call, Signals
from scalargrad.errors import GraphChangedError, OperandError, TraceError
from scalargrad.grad_mode import builds_graphs, enable_grad, recorder
from scalargrad.ops.selection import where
from scalargrad.system.short_repr import format_value, pluralize
from scalargrad.table.code import expand
from scalargrad.table.operation import Elementwise, Operation
from scalargrad.table.symbol import NodeInFormulaError, Symbol, evaluate
from scalargrad.table.validation import function
from scalargrad.tree import Rebuild, flatten
from scalargrad.value import Scalar, Value

P = ParamSpec("P")
R = TypeVar("R")


class custom_vjp(Generic[P, R]):  # noqa: N801 - JAX's name
    """Give a function a rule of its own for reverse-mode derivatives, as ``jax.custom_vjp``.

    Parameters
    ----------
    fun : callable
        Takes numbers, and lists, tuples, dicts, arrays and dataclasses of them, and returns these.

    Notes
    -----
    The rule is set by `defvjp`. Values that the function closes over get no gradient.

    A derivative of higher order differentiates the rule: then `fwd` and `bwd` are given Values, and
    so they are written with scalargrad's operations. In a compiled function they are recorded, and
    choose by `where` rather than by ``if``. The graph of the function itself is not kept, so that
    pictures and steps cannot show it; for one number, `custom_op` can.

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
        function(fun, "fun", "one of numbers")
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
            ``fwd(*args)`` returns the result of the function, and residuals: whatever `bwd` needs.
        bwd : callable
            ``bwd(residuals, g)`` is given ∂root/∂result in the shape of the result, and returns a
            tuple of ∂root/∂argument, one for each argument in its shape; None stands for 0.
        """
        self.fwd = function(fwd, "fwd", "lambda x: (f(x), x)")
        self.bwd = function(bwd, "bwd", "lambda x, g: (2 * x * g,)")

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function.

        Raises
        ------
        OperandError
            If it has no rule, or an argument or the result is not made of numbers, or `bwd` does
            not return one gradient for each argument.
        TraceError
            In a compiled function, if the rule cannot be recorded.
        """
        if kwargs:
            raise OperandError(
                f"{self.name} was given {format_value(kwargs)}: pass arguments by position"
            )
        numbers, rebuild = flatten(args, f"the arguments of {self.name}")
        if not any(isinstance(x, Value) for x in numbers):
            return self._fun(*args)  # type: ignore[no-any-return]
        given = _Rule(self, numbers, rebuild, len(args))
        if (current := recorder()) is not None:
            return given.recorded(current)  # type: ignore[no-any-return]
        floats = [x.data if isinstance(x, Value) else x for x in numbers]
        if not builds_graphs():
            plain, shape = flatten(self._fun(*rebuild(iter(floats))), f"the result of {self.name}")
            return shape(iter([Value(x) for x in plain]))  # type: ignore[no-any-return]
        outputs, shape = given.start(floats)
        if any(isinstance(y, Value) for y in outputs):
            raise _reads_around(self.name, shape(iter(outputs)))
        values = tuple([x for x in numbers if isinstance(x, Value)])
        call = Call(self.name, values, outputs, given)
        found: R = shape(iter(call.outputs(range(len(outputs)), [Value] * len(outputs))))
        return found


def _reads_around(name: str, returned: Any) -> OperandError:
    """Return the error for a Value that a rule made of floats, so of one around it."""
    return OperandError(f"{name} returned {format_value(returned)} for plain numbers: {_REMEDY}")


_REMEDY = "give what it reads around it as arguments, so that its rule can send them gradients"


def _as_before(owner: Any, key: Any, output: _Output) -> _Output:
    """Return an output as it was recorded before, if it is still the same."""
    known = _recorded.setdefault(owner, {})
    if key not in known or not known[key].is_same(output):
        known[key] = output
    return known[key]


#: The outputs that were recorded, so that two recordings of a function are alike.
_recorded: WeakKeyDictionary[Any, dict[Any, _Output]] = WeakKeyDictionary()


class _Rule:
    """The rule of one call, with its arguments as numbers and Values.

    Parameters
    ----------
    numbers : list
        The Values in the arguments.
    rebuild : callable
        Makes arguments of others.
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
        found = owner.fwd(*self._rebuild(iter(numbers)))
        if not isinstance(found, tuple) or len(found) != 2:
            raise OperandError(
                f"fwd of {owner.name} returned {format_value(found)}: return the result and the "
                "residuals"
            )
        return found

    def start(self, floats: Sequence[float]) -> tuple[list[Any], Rebuild]:
        """Return the results at these numbers, and keep what `pull_back` needs."""
        self._floats = floats
        result, self._residuals = self.forward(floats)
        outputs, self._shape = flatten(result, f"the result of {self.owner.name}")
        return outputs, self._shape

    def backward(self, residuals: Any, signals: Any) -> list[Any]:
        """Return the products for the numbers that are Values; None for 0."""
        owner = self.owner
        assert owner.bwd is not None
        found = owner.bwd(residuals, signals)
        if not isinstance(found, tuple) or len(found) != self._count:
            raise OperandError(
                f"bwd of {owner.name} returned {format_value(found)}: return a tuple of "
                f"{pluralize(self._count, 'gradient')}, one for each argument"
            )
        args = self._rebuild(iter(range(len(self.numbers))))
        shares: list[Any] = [None] * len(self.numbers)
        for k, (arg, gradient) in enumerate(zip(args, found, strict=True)):
            places, _ = flatten(arg, "an argument")
            parts = [] if gradient is None else flatten(gradient, f"gradient {k} of bwd")[0]
            if gradient is not None and len(parts) != len(places):
                raise OperandError(
                    f"gradient {k} of {owner.name} has {pluralize(len(parts), 'number')}, and its "
                    f"argument {len(places)}"
                )
            for place, part in zip(places, parts, strict=False):
                shares[int(place)] = part
        return [x for x, y in zip(shares, self.numbers, strict=True) if isinstance(y, Value)]

    def recorded(self, current: Any) -> Any:
        """Record the outputs as operations, whose partials are what the rule makes of units."""
        numbers = self.numbers
        symbols = [Symbol(f"x{i}") if isinstance(x, Value) else x for i, x in enumerate(numbers)]
        operands = [x for x in symbols if isinstance(x, Symbol)]
        values = [x for x in numbers if isinstance(x, Value)]
        try:
            result, residuals = self.forward(symbols)
            found, shape = flatten(result, f"the result of {self.owner.name}")
            signals = [Symbol(f"g{k}") for k in range(len(found))]
            shares = self.backward(residuals, shape(iter(signals)))
        except NodeInFormulaError as error:
            raise TraceError(
                f"{self.owner.name} reads a Value around it, which a compiled function knows only "
                f"when it is called: {_REMEDY}"
            ) from error
        except (TypeError, AttributeError) as error:
            raise TraceError(
                f"the rule of {self.owner.name} cannot be recorded: {error}. Write fwd and bwd "
                "with scalargrad's operations, and where for if"
            ) from error
        units: dict[Any, Any] = {g: {g: 1.0} for g in signals}
        try:
            factors = [
                _as_sum(evaluate(expand(0.0 if x is None else x, {}), units, _combined, None))
                for x in shares
            ]
        except _NonlinearError:
            raise TraceError(
                f"bwd of {self.owner.name} is not linear in g, so that a program cannot add up "
                "what it returns: call the function outside, or multiply g by what does not "
                "depend on it"
            ) from None
        partials = [[x.get(g, 0.0) for x in factors] for g in signals]
        outputs = [
            _Output(self.owner.name, k, operands, *both)
            for k, both in enumerate(zip(found, partials, strict=True))
        ]
        names = [x.name if isinstance(x, Symbol) else x for x in symbols]
        known = [_as_before(self.owner, (k, *names), y) for k, y in enumerate(outputs)]
        return shape(iter([current.node(op, tuple(values)) for op in known]))

    def _cotangents(self, signals: Signals, count: int) -> Any:
        return self._shape(iter([signals.get(k, 0.0) for k in range(count)]))

    def pull_back(self, signals: Signals, call: Call) -> Sequence[float | None]:
        """Return the products for the operands, as floats."""
        cotangents = self._cotangents(signals, len(call.results))
        found = self.backward(self._residuals, cotangents)
        if (value := next((x for x in found if isinstance(x, Value)), None)) is not None:
            raise _reads_around(f"bwd of {self.owner.name}", value)
        return found

    def pull_back_as_graph(self, signals: Signals, call: Call) -> Sequence[Scalar | None]:
        """Return them as Values, computed from the operands by the rule."""
        now = [x.data if isinstance(x, Value) else x for x in self.numbers]
        if now != self._floats:
            raise GraphChangedError(
                f"data was assigned after {self.owner.name} was called: call it again before "
                "asking for its derivatives as a graph"
            )
        with enable_grad():
            _, residuals = self.forward(self.numbers)
            return self.backward(residuals, self._cotangents(signals, len(call.results)))

    def require_linear(self, call: Call) -> None:
        """Raise OperandError unless doubling a signal doubles what is sent back."""
        for k in range(len(call.results)):
            once, twice = (self.pull_back(Signals({k: g}), call) for g in (1.0, 2.0))
            pairs = zip(once, twice, strict=True)
            if any(x is not None and y is not None and 2.0 * x != y for x, y in pairs):
                raise OperandError(
                    f"bwd of {self.owner.name} is not linear in g, and so it has no "
                    "forward-mode derivative: use grad, vjp or jacrev"
                )

    def reads(self, _k: int, _others: Sequence[int]) -> bool:
        """Return False: the rule knows all that an output depends on."""
        return False


class _NonlinearError(Exception):
    """A `bwd` whose result is no sum of signals, each times what depends on none."""


def _combined(op: Operation, parts: Sequence[Any]) -> Any:
    """Apply an operation; a dict is a sum of signals, by what each is multiplied by."""
    sums = [k for k, x in enumerate(parts) if isinstance(x, dict)]
    if not sums:
        return op.of(*parts, checked=False)
    if op.name in {"add", "sub", "neg", "sum"}:
        found: dict[Symbol, Any] = {}
        for k, part in enumerate(parts):
            is_negative = op.name == "neg" or (op.name == "sub" and k == 1)
            for g, y in _scaled(_as_sum(part), -1.0 if is_negative else 1.0).items():
                found[g] = found[g] + y if g in found else y
        return found
    if op.name == "where" and 0 not in sums:
        chosen, other = map(_as_sum, parts[1:])
        both = dict.fromkeys([*chosen, *other])
        return {g: where(parts[0], chosen.get(g, 0.0), other.get(g, 0.0)) for g in both}
    if op.name == "mul" and len(sums) == 1:
        return _scaled(parts[sums[0]], parts[1 - sums[0]])
    if op.name == "div" and sums == [0]:
        return _scaled(parts[0], 1.0 / parts[1])
    raise _NonlinearError


def _as_sum(x: Any) -> dict[Symbol, Any]:
    if not isinstance(x, dict) and (isinstance(x, Symbol) or x != 0.0):
        raise _NonlinearError
    return x if isinstance(x, dict) else {}


def _scaled(factors: dict[Symbol, Any], by: Any) -> dict[Symbol, Any]:
    return {g: by if type(y) is float and y == 1.0 else y * by for g, y in factors.items()}


class _Output(Elementwise):
    """One output as an operation of a recording."""

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
        """Return whether another output of as many operands has the same expressions."""
        known: dict[object, Any] = {}
        mine = [expand(x, known) for x in self._expressions]
        known |= dict(zip(other.operand_symbols, self.operand_symbols, strict=True))
        return [*map(_key, mine)] == [_key(expand(x, known)) for x in other._expressions]


def _key(x: Any) -> Any:
    return x if isinstance(x, Symbol) else repr(float(x))
