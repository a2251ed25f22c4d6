"""Value: one number in a graph; Parameter: a leaf that is trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from numbers import Number
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeAlias

from scalargrad import ops
from scalargrad.errors import GraphError, OperandError
from scalargrad.grad_mode import as_leaf, builds_graphs, derivatives, recorder, switches
from scalargrad.ops.custom import GIVEN
from scalargrad.ops.methods import junction, method, printed
from scalargrad.other_names import OTHER_NAMES
from scalargrad.system.one_line import is_describing, shown
from scalargrad.table.eager import diverted
from scalargrad.table.numbers import as_float, is_real
from scalargrad.table.operation import Binary, Operation, Unary
from scalargrad.table.validation import whole

if TYPE_CHECKING:
    from scalargrad.grad_mode import Recorder

_UnaryMethod: TypeAlias = "Callable[[Value], Value]"
_BinaryMethod: TypeAlias = "Callable[[Value, Value | float], Value]"


# What makes the methods of Value from operations of the table, typed for Value.


def _operator(op: Binary) -> tuple[_BinaryMethod, _BinaryMethod]:
    return printed(op), printed(op, reflected=True)


def _printed(*operations: Unary) -> tuple[_UnaryMethod, ...]:
    return tuple([printed(op) for op in operations])


def _methods(*operations: Operation) -> tuple[Callable[..., Value], ...]:
    return tuple([method(op) for op in operations])


def _junction(op: Binary) -> _BinaryMethod:
    return junction(op)


#: How often a Value was compared with a number by ``==``. If the count is the same after two things
#: were found equal, neither has a Value where the other has a number.
numbers_compared = [0]


class Value:
    """One number in a graph of elementary operations.

    Arithmetic on Values gives Values that remember their operands and, for each, the local
    gradient: the partial derivative of the result, fixed when the node is made.

    Parameters
    ----------
    data : real number
        Stored as a float.
    label : str, optional
        Name in pictures, steps and messages.
    children : list or tuple of n Values
        In the place of the label, as in microgpt: the operands of a node made by hand.
    local_grads : list or tuple of n real numbers
        ∂self/∂child for each of the children. They are fixed, so that such a node can neither be
        differentiated twice nor stepped through nor compiled, as one of a `custom_op` can.

    Attributes
    ----------
    data : float
        The number. Assigning converts to float.
    grad : float
        ∂root/∂self, in root unit / self unit, filled by `backward`.
    op : Operation or None
        The operation that made this node; None for a leaf.
    parents : tuple of Value or float
        Its operands in order; a plain float is a constant.
    local_grads : tuple of float or None
        ∂self/∂operand for each operand; None for a constant.
    label : str
        As given.

    Raises
    ------
    OperandError
        If `data` is not a real number, or there is not one local gradient for each child.

    Notes
    -----
    ``<``, ``<=``, ``>`` and ``>=`` compare data, and so do ``==`` and ``!=`` with a number. Two
    Values are equal only if they are one node, which ``hash`` goes by too: `scalargrad.eq`
    compares their data. A Value is true when its data is not 0. An array times a Value is an
    object array.

    References
    ----------
    A. Karpathy, micrograd, 2020, and microgpt, 2026, whose interfaces this keeps.

    Examples
    --------
    >>> x, y, z = Value(-2.0), Value(5.0), Value(-4.0)
    >>> f = (x + y) * z
    >>> f.backward()
    >>> f.data, x.grad, y.grad, z.grad
    (-12.0, -4.0, -4.0, 3.0)
    """

    __slots__ = ("_grad", "_number", "label", "local_grads", "op", "parents")

    _number: float
    _grad: float
    op: Operation | None
    parents: tuple[Value | float, ...]
    local_grads: tuple[float | None, ...]
    label: str

    #: What the results of one compiled call share; None for nodes that arithmetic made.
    _call: ClassVar[Any] = None
    #: The class of what operations make of this Value.
    _node: ClassVar[type]

    def __init__(
        self, data: float | Value, label: str | Sequence[Value] = "", *given: Any, **named: Any
    ) -> None:
        is_leaf = isinstance(label, str) and not given and not named
        if isinstance(data, Value):
            current = self._recorder()
            if current is not None and is_leaf:
                current.name(self, data)
                return
            raise OperandError(
                f"Value({data.label or '…'}) of a Value would lose its graph: use it as it is, "
                "or .detach() for a leaf with the same data"
            )
        if switches and hasattr(self, "label") and (current := recorder()) is not None:
            current.asked(self, "data assigned")
        plain = data.__class__ is float
        self._number = data if plain else as_float(data, "the data of a Value")
        self._grad = 0.0
        self.op = None
        self.parents = ()
        self.local_grads = ()
        self.label = label  # type: ignore[assignment] # operands are taken out again
        if is_leaf:
            as_leaf(self)
        else:
            _join(self, label, *given, **named)

    @staticmethod
    def _recorder() -> Recorder | None:
        """Return who records what is computed here, if anyone does."""
        return recorder() if switches else None

    @property
    def data(self) -> float:
        """The number itself."""
        if switches and (current := recorder()) is not None:
            current.asked(self, "data read")
        return self._number

    @data.setter
    def data(self, number: float) -> None:
        if switches and (current := recorder()) is not None:
            current.asked(self, "data assigned")
        self._number = (
            number if number.__class__ is float else as_float(number, "the data assigned")
        )

    @property
    def grad(self) -> float:
        """∂root/∂self, in root unit / self unit."""
        if switches and (current := recorder()) is not None:
            current.asked(self, "grad read")
        return self._grad

    @grad.setter
    def grad(self, signal: float | None) -> None:
        if switches and (current := recorder()) is not None:
            current.asked(self, "grad assigned")
        if signal.__class__ is not float and signal is not None:
            signal = as_float(signal, "the grad assigned")
        self._grad = signal  # type: ignore[assignment] # None, PyTorch's habit, counts as 0

    def backward(self, *, allow_nonfinite: bool = False) -> None:
        """Compute the gradient of this Value with respect to every node below it.

        The gradients are *added* to the `grad` of leaves and *set* on interior nodes, so a second
        call doubles those of the leaves exactly; `zero_grad` of a module or an optimiser clears
        them. Nothing is written unless the whole sweep succeeds.

        Parameters
        ----------
        allow_nonfinite : bool
            Go ahead although this Value is inf or nan.

        Raises
        ------
        NumericalError
            If this Value is not finite; the message names the node that first was not.

        Examples
        --------
        >>> w = Value(3.0)
        >>> (w * w).backward()
        >>> w.grad
        6.0
        >>> (w * w).backward()
        >>> w.grad
        12.0
        """
        from scalargrad.autodiff import backward

        if (current := self._recorder()) is not None:
            current.refused("backward")
        backward(self, allow_nonfinite=allow_nonfinite)

    def zero_grad(self) -> None:
        """Set this Value's own gradient to 0."""
        if (current := self._recorder()) is not None:
            current.asked(self, "zero_grad")
        self._grad = 0.0

    def item(self) -> float:
        """Return the number itself, as PyTorch's tensors of one number do.

        Examples
        --------
        >>> Value(2.0).item()
        2.0
        """
        return self.data

    def detach(self) -> Value:
        """Return a leaf with the same data, through which no gradient flows."""
        if (current := self._recorder()) is not None:
            detached: Value = current.detach(self)
            return detached
        return Value(self._number, self.label)

    def _apply(self, op: Operation, operands: tuple[Any, ...], checked: bool = True) -> Value:
        """Make the node of `op` over `operands`, at least one of which is a Value."""
        node: Value | None = diverted(op, operands, Value, checked) if switches else None
        return op.make_node(operands, Value, checked) if node is None else node

    # The operators, each with its reflected form, and the most frequent methods: printed from the
    # table when this class is made, see inspect.getsource(Value.__mul__).
    __add__, __radd__ = _operator(ops.add)
    __sub__, __rsub__ = _operator(ops.sub)
    __mul__, __rmul__ = _operator(ops.mul)
    __truediv__, __rtruediv__ = _operator(ops.div)
    __pow__, __rpow__ = _operator(ops.pow)
    __mod__, __rmod__ = _operator(ops.remainder)
    __floordiv__, __rfloordiv__ = _operator(ops.floor_divide)
    __neg__, __abs__ = _printed(ops.neg, ops.abs)
    exp, log, tanh, sigmoid, relu = _printed(ops.exp, ops.log, ops.tanh, ops.sigmoid, ops.relu)

    # Truths are joined as NumPy joins arrays of them.
    __and__ = __rand__ = _junction(ops.logical_and)
    __or__ = __ror__ = _junction(ops.logical_or)
    __xor__ = __rxor__ = _junction(ops.ne)

    # What NumPy's functions call on the entries of an object array, by NumPy's names.
    sin, cos, tan = _methods(ops.sin, ops.cos, ops.tan)
    arcsin, arccos, arctan = _methods(ops.asin, ops.acos, ops.atan)
    sinh, cosh = _methods(ops.sinh, ops.cosh)
    arcsinh, arccosh, arctanh = _methods(ops.asinh, ops.acosh, ops.atanh)
    sqrt, expm1, log1p, log2, log10 = _methods(ops.sqrt, ops.expm1, ops.log1p, ops.log2, ops.log10)
    exp2, rint, fabs = _methods(ops.exp2, ops.rint, ops.abs)
    deg2rad, rad2deg = radians, degrees = _methods(ops.deg2rad, ops.rad2deg)
    hypot, arctan2 = _methods(ops.hypot, ops.atan2)

    # The other operations of one number, and what else PyTorch's tensors have.
    asin, acos, atan, asinh, acosh, atanh = arcsin, arccos, arctan, arcsinh, arccosh, arctanh
    neg, abs, square, pow = _methods(ops.neg, ops.abs, ops.square, ops.pow)
    reciprocal, identity, erf, erfc = _methods(ops.reciprocal, ops.identity, ops.erf, ops.erfc)
    erfinv, lgamma, digamma = _methods(ops.erfinv, ops.lgamma, ops.digamma)
    floor, ceil, sign, step = _methods(ops.floor, ops.ceil, ops.sign, ops.step)
    softplus, silu, gelu, gelu_tanh = _methods(ops.softplus, ops.silu, ops.gelu, ops.gelu_tanh)
    elu, leaky_relu, ndtr, log_ndtr = _methods(ops.elu, ops.leaky_relu, ops.ndtr, ops.log_ndtr)
    isnan, isinf, isfinite = _methods(ops.isnan, ops.isinf, ops.isfinite)
    logical_not, clip = _methods(ops.logical_not, ops.clip)
    maximum, minimum = _methods(ops.maximum, ops.minimum)

    def __pos__(self) -> Value:
        return self

    def conjugate(self) -> Value:
        """Return this Value, as a real number's: what np.var and np.std call."""
        return self

    def __divmod__(self, other: Value | float) -> tuple[Value, Value]:
        return self // other, self % other

    def __rdivmod__(self, other: float) -> tuple[Value, Value]:
        return other // self, other % self

    def __round__(self, ndigits: int | None = None) -> Value:
        # 10^22 is the largest power of ten that a float holds.
        scale = 10.0 ** (0 if ndigits is None else whole(ndigits, "ndigits", -22, 22))
        return self.rint() if scale == 1.0 else (self * scale).rint() / scale

    def __invert__(self) -> Value:
        raise OperandError(
            f"~ of {self!r} would be a number, and true, as ~True is: write "
            "scalargrad.logical_not(x), or the opposite comparison"
        )

    def __lt__(self, other: Value | float) -> bool:
        if switches and recorder() is not None:
            return _recorded(ops.lt, self, other)  # type: ignore[no-any-return]
        return self._number.__lt__(_data_beside(ops.lt, other))

    def __le__(self, other: Value | float) -> bool:
        if switches and recorder() is not None:
            return _recorded(ops.le, self, other)  # type: ignore[no-any-return]
        return self._number.__le__(_data_beside(ops.le, other))

    def __gt__(self, other: Value | float) -> bool:
        if switches and recorder() is not None:
            return _recorded(ops.gt, self, other)  # type: ignore[no-any-return]
        return self._number.__gt__(_data_beside(ops.gt, other))

    def __ge__(self, other: Value | float) -> bool:
        if switches and recorder() is not None:
            return _recorded(ops.ge, self, other)  # type: ignore[no-any-return]
        return self._number.__ge__(_data_beside(ops.ge, other))

    def __eq__(self, other: object) -> bool:
        if switches and (current := recorder()) is not None:
            return current.equal(self, other, ops.eq)  # type: ignore[no-any-return]
        if isinstance(other, Value):
            return self is other
        is_number = is_real(other)
        if not is_number and not isinstance(other, Number):
            return NotImplemented
        numbers_compared[0] += 1
        # A float compares itself exactly with integers, fractions, decimals and complex numbers.
        exact = other.__class__ is int or not is_number
        return self._number == (other if exact else ops.eq.operand(other))

    def __ne__(self, other: object) -> bool:
        if switches and (current := recorder()) is not None:
            return current.equal(self, other, ops.ne)  # type: ignore[no-any-return]
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        if switches and recorder() is not None:
            return bool(ops.identity(self))
        return self._number != 0.0

    def __float__(self) -> float:
        raise OperandError(
            f"float() or a math function of {self!r} would drop the gradient: use .data for "
            "the number, or scalargrad's op of the same name (scalargrad.sin for math.sin) "
            "to keep the gradient; an array that Values are assigned to has dtype=object"
        )

    def __int__(self) -> int:
        raise OperandError(f"int() of {self!r} would drop the gradient: use int(….data)")

    def __trunc__(self) -> int:
        raise OperandError(
            f"trunc() of {self!r} would drop the gradient: use .data for the number, or "
            "where(x < 0, ceil(x), floor(x)) of scalargrad"
        )

    def as_integer_ratio(self) -> NoReturn:
        """Refuse to become a fraction, as which the functions of `statistics` compute."""
        raise OperandError(
            f"a fraction of {self!r} would drop the gradient: use .data for the number; in place "
            "of statistics.mean, scalargrad.mean keeps the gradient"
        )

    def __index__(self) -> int:
        raise OperandError(
            f"{self!r} is no index, size or number of steps: use int(….data), or for an entry "
            "scalargrad.take(values, i)"
        )

    def __format__(self, specification: str) -> str:
        return format(self.data, specification) if specification else repr(self)

    def __repr__(self) -> str:
        if (current := self._recorder()) is not None and not is_describing():
            current.asked(self, "text")
        label = f", label={self.label!r}" if self.label else ""
        return f"{type(self).__name__}(data={self._number}, grad={self._grad}{label})"

    def _repr_svg_(self) -> str | None:
        """Show the graph in a notebook, its parts folded where it is large."""
        if not self.parents:
            return None
        from scalargrad.show.graphs import glance

        return glance(self)

    @property
    def _prev(self) -> set[Value]:
        """Operands as a set of Values, as in micrograd; constants are wrapped on demand."""
        return set(self._children)

    @property
    def _children(self) -> tuple[Value, ...]:
        """The same in order, as in microgpt."""
        return tuple([x if isinstance(x, Value) else Value(x) for x in self.parents])

    @property
    def _local_grads(self) -> tuple[float, ...]:
        """∂self/∂child for each of them, as in microgpt; 0 for a constant."""
        return tuple([x or 0.0 for x in self.local_grads])

    @property
    def _op(self) -> str:
        """The operation's label, as in micrograd: ``+``, ``*``, ``**3``, ``ReLU``."""
        if self.op is None:
            return ""
        if self.op is ops.pow and isinstance(self.parents[1], float):
            return f"**{self.parents[1]:g}"
        return self.op.symbol

    @property
    def _backward(self) -> Callable[[], None]:
        """Adds to the gradients of the operands what this node sends them, as in micrograd."""
        return partial(_send_back, self)

    @_backward.setter
    def _backward(self, _: object) -> None:
        raise OperandError(
            "._backward was assigned: what a node sends back is no closure here, and would not be "
            "called; declare the operation, with its derivative, by "
            "@scalargrad.custom_op(partials=lambda y, x: (…,))"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        if self.op is not None or any(self is x for y in derivatives.get() for x in y.leaves):
            return _Itself(self), ()
        if (current := self._recorder()) is not None:
            return partial(current.copy_of, self), ()
        return _restore, (type(self), self._number, self._grad, self.label), self.__getstate__()

    def __getstate__(self) -> Any:
        """Return the attributes and slots that a derived class adds, or None, as pickle does."""
        if type(self) is Parameter or type(self) is Value:  # most; a search for slots takes long
            return None
        state: Any = object.__getstate__(self)
        attributes, slots = state
        more = {name: x for name, x in slots.items() if name not in Value.__slots__}
        return (attributes, more) if attributes or more else None


Value._node = Value


def _under_another_name(name: str) -> Callable[..., NoReturn]:
    def refused(self: Value, *_: object, **_named: object) -> NoReturn:
        raise OperandError(
            f"{name} of {shown(self)}: write {OTHER_NAMES[name]}, with scalargrad's functions"
        )

    return refused


# What people who know other libraries write, and NumPy calls on the entries of an object array.
for _name in OTHER_NAMES.keys() - vars(Value).keys():
    setattr(Value, _name, _under_another_name(_name))


class Parameter(Value):
    """A leaf to be trained: a weight or a bias.

    Behaves as a Value in every respect; modules list their Parameters, and pictures set
    them apart from inputs.

    Examples
    --------
    >>> w = Parameter(0.5, "w")
    >>> (w * 3.0).data
    1.5
    """

    __slots__ = ()


Scalar: TypeAlias = Value | float


def _join(
    node: Value, label: Any, local_grads: Any = (), *more: Any, children: Any = None, **named: Any
) -> None:
    """Make a leaf a node over children, with local gradients that were given; see `Value`."""
    if children is None:
        node.label, children = "", label
    values = isinstance(children, list | tuple) and all(isinstance(x, Value) for x in children)
    numbers = isinstance(local_grads, list | tuple) and not more and not named
    if not (values and numbers and len(children) == len(local_grads)):
        raise OperandError(
            f"Value was given {shown((*more, *named) or (children, local_grads))}: write "
            "Value(data, label), or Value(data, children, local_grads) with Values and a number "
            "for each; an operation with a formula for its derivative is declared by "
            "scalargrad.custom_op"
        )
    slopes = tuple([as_float(x, "a local gradient") for x in local_grads])
    if (current := recorder()) is not None:
        current.refused("given")
    if children and builds_graphs():
        node.op, node.parents, node.local_grads = GIVEN, tuple(children), slopes
    else:
        as_leaf(node)


def _send_back(node: Value) -> None:
    for operand, local in zip(node.parents, node.local_grads, strict=True):
        if isinstance(operand, Value) and local is not None:
            operand.grad += local * node.grad


def _data_beside(op: Operation, other: Value | float) -> Any:
    """Return the number a Value is compared with, or NotImplemented for an array's own method."""
    if other.__class__ is float or other.__class__ is int:  # Python compares integers exactly
        return other
    return other._number if isinstance(other, Value) else op.number_beside(other)


def _recorded(op: Operation, x: Value, other: Any) -> Any:
    """Return a comparison as what is being recorded, or NotImplemented."""
    current = recorder()
    if current is None or not (isinstance(other, Value) or is_real(other)):
        return op.number_beside(other)
    return current.compared(op, x, other)


class _Itself:
    """Makes the copy of a Value that a function under way computes with: itself, as of a float."""

    def __init__(self, value: Value) -> None:
        self._value = value

    def __call__(self) -> Value:
        if not derivatives.get() and recorder() is None:
            self.__reduce__()
        return self._value

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled."""
        x = self._value
        computed = (
            f"was computed by {x.op.name}" if x.op else "is what a function is differentiated by"
        )
        raise GraphError(
            f"only leaves can be copied and pickled, and {x!r} {computed}: take its .detach(), or "
            "keep the program that computes it"
        )


def _restore(kind: type[Value], data: float, grad: float, label: str) -> Value:
    """Rebuild a pickled leaf; what its class adds follows as state."""
    leaf = kind.__new__(kind)
    Value.__init__(leaf, data, label)
    leaf._grad = grad
    return leaf
