"""Functions of several arguments and results with a rule of their own for derivatives."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Generic, ParamSpec, TypeVar

from scalargrad.call import Call, Signals
from scalargrad.errors import GraphChangedError, OperandError
from scalargrad.grad_mode import builds_graphs, enable_grad, unless_recorded
from scalargrad.system.short_repr import counted, shown
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
    The rule is set by `defvjp`. What the function reads besides its arguments gets no gradient.

    A derivative of higher order differentiates the rule: then `fwd` and `bwd` are given Values, and
    so they are written with scalargrad's operations. A compiled function refuses to call the
    function, and as its graph is not kept, pictures and steps cannot show it: operations declared
    by `custom_op` can do all of that.

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
            In a compiled function.
        """
        if kwargs:
            raise OperandError(f"{self.name} was given {shown(kwargs)}: pass arguments by position")
        numbers, rebuild = flatten(args, f"the arguments of {self.name}")
        if not any(isinstance(x, Value) for x in numbers):
            return self._fun(*args)  # type: ignore[no-any-return]
        unless_recorded("rule")
        rule = _Rule(self, numbers, rebuild, len(args))
        if not builds_graphs():
            plain, shape = flatten(
                self._fun(*rebuild(iter(rule.floats))), f"the result of {self.name}"
            )
            return shape(iter([Value(x) for x in plain]))  # type: ignore[no-any-return]
        result, rule.residuals = rule.forward(rule.floats)
        outputs, rule.shape = flatten(result, f"the result of {self.name}")
        if any(isinstance(y, Value) for y in outputs):
            raise OperandError(
                f"{self.name} returned {shown(result)} for plain numbers: give what it reads "
                "around it as arguments, so that its rule can send them gradients"
            )
        values = tuple([x for x in numbers if isinstance(x, Value)])
        call = Call(self.name, values, outputs, rule)
        found: R = rule.shape(iter(call.outputs(range(len(outputs)), [Value] * len(outputs))))
        return found


class _Rule:
    """The rule of one call.

    Parameters
    ----------
    numbers : list
        Numbers and Values in the arguments.
    rebuild : callable
        Makes arguments of others.
    count : int
        The number of arguments.

    Attributes
    ----------
    floats : list of float
        The numbers, as they were then.
    residuals
        What `fwd` has returned for `bwd`.
    shape : Rebuild
        Makes a result of numbers.
    """

    residuals: Any
    shape: Rebuild

    def __init__(
        self, owner: custom_vjp[Any, Any], numbers: Sequence[Any], rebuild: Rebuild, count: int
    ) -> None:
        self._owner, self._numbers, self._rebuild, self._count = owner, numbers, rebuild, count
        self.floats = self._now()

    def _now(self) -> list[float]:
        return [x.data if isinstance(x, Value) else x for x in self._numbers]

    def forward(self, numbers: Sequence[Any]) -> tuple[Any, Any]:
        """Return the result at these numbers, and the residuals."""
        owner = self._owner
        if owner.fwd is None:
            raise OperandError(f"{owner.name} has no rule yet: call {owner.name}.defvjp(fwd, bwd)")
        found = owner.fwd(*self._rebuild(iter(numbers)))
        if not isinstance(found, tuple) or len(found) != 2:
            raise OperandError(
                f"fwd of {owner.name} returned {shown(found)}: return the result and the residuals"
            )
        return found

    def backward(self, residuals: Any, signals: Any) -> list[Any]:
        """Return the products for the numbers that are Values; None for 0."""
        owner = self._owner
        assert owner.bwd is not None
        found = owner.bwd(residuals, signals)
        if not isinstance(found, tuple) or len(found) != self._count:
            raise OperandError(
                f"bwd of {owner.name} returned {shown(found)}: return a tuple of "
                f"{counted(self._count, 'gradient')}, one for each argument"
            )
        args = self._rebuild(iter(range(len(self._numbers))))
        shares: list[Any] = [None] * len(self._numbers)
        for k, (arg, gradient) in enumerate(zip(args, found, strict=True)):
            places, _ = flatten(arg, "an argument")
            parts = [] if gradient is None else flatten(gradient, f"gradient {k} of bwd")[0]
            if gradient is not None and len(parts) != len(places):
                raise OperandError(
                    f"gradient {k} of {owner.name} has {counted(len(parts), 'number')}, and its "
                    f"argument {len(places)}"
                )
            for place, part in zip(places, parts, strict=False):
                shares[int(place)] = part
        return [x for x, y in zip(shares, self._numbers, strict=True) if isinstance(y, Value)]

    def _sent(self, residuals: Any, signals: Signals, call: Call) -> list[Any]:
        arrived = [signals.get(k, 0.0) for k in range(len(call.results))]
        return self.backward(residuals, self.shape(iter(arrived)))

    def pull_back(self, signals: Signals, call: Call) -> Sequence[float | None]:
        """Return the products for the operands, as floats."""
        return self._sent(self.residuals, signals, call)

    def pull_back_as_graph(self, signals: Signals, call: Call) -> Sequence[Scalar | None]:
        """Return them as Values, computed from the operands by the rule."""
        if self._now() != self.floats:
            raise GraphChangedError(
                f"data was assigned after {self._owner.name} was called: call it again before "
                "asking for its derivatives as a graph"
            )
        with enable_grad():
            return self._sent(self.forward(self._numbers)[1], signals, call)

    def require_linear(self, call: Call) -> None:
        """Raise OperandError if twice a signal is not sent back as twice as much."""
        for k in range(len(call.results)):
            once, twice = (self.pull_back(Signals({k: g}), call) for g in (1.0, 2.0))
            pairs = zip(once, twice, strict=True)
            if any(x is not None and y is not None and 2.0 * x != y for x, y in pairs):
                raise OperandError(
                    f"bwd of {self._owner.name} is not linear in g, and so it has no "
                    "forward-mode derivative: use grad, vjp or jacrev"
                )

    def reads(self, _k: int, _others: Sequence[int]) -> bool:
        """Return False: the rule knows all that an output depends on."""
        return False
