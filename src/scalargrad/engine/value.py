"""Value: a number that is a node of a graph; Parameter: a leaf that is trained."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from numbers import Number
from typing import Any, ClassVar, TypeAlias

from scalargrad import ops
from scalargrad.checks.arguments import check_integer
from scalargrad.checks.numbers import as_float, float_of, is_real
from scalargrad.codegen.eager import apply_without_graph
from scalargrad.engine.active_derivatives import active_derivatives, register_leaf
from scalargrad.engine.branch_log import record_comparison
from scalargrad.engine.conversions import PythonProtocols
from scalargrad.engine.micrograd_compat import MicrogradNames, init_manual_node
from scalargrad.engine.recorder import active_modes, float_comparisons, recorder
from scalargrad.errors import OperandError
from scalargrad.opdef.operation import Operation
from scalargrad.ops.methods import comparison, compile_methods, logical, methods, operator


@functools.cache
def _backward_pass() -> Callable[..., None]:
    """Return `autodiff.backward`; an import at each call would double its time."""
    from scalargrad.engine.autodiff import backward

    return backward


#: The gradient of a leaf at which none has arrived, known by its identity: a gradient that was
#: computed is another float, also where it is 0.
NO_GRADIENT = 0.0


class Value(PythonProtocols, MicrogradNames):
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
        Instead of the label, as in microgpt: the operands of a node that is built manually.
    local_grads : list or tuple of n real numbers
        ∂self/∂child for each of the children. These are fixed numbers, so such a node cannot be
        differentiated twice, stepped through or compiled; a node of a `custom_op` can.

    Attributes
    ----------
    data : float
        The number. An assigned number is converted to a float when it is next used.
    grad : float
        ∂root/∂self, in root unit / self unit, filled by `backward`; None counts as 0.
    op : Operation or None
        The operation that made this node; None for a leaf.
    parents : tuple of Value or float
        Its operands in order; a plain float is a constant.
    local_grads : tuple of float or None
        ∂self/∂operand for each operand; None for a constant.
    label : str
        Name in pictures, steps and messages.

    Raises
    ------
    OperandError
        If `data` is not a real number, or the number of local gradients differs from the number
        of children.

    Notes
    -----
    ``<``, ``<=``, ``>`` and ``>=`` compare data, and so do ``==`` and ``!=`` with a number. Two
    Values are equal only if they are the same node, and ``hash`` is that of the node;
    `scalargrad.eq` compares their data. A Value is true if its data is not 0. An array times a
    Value is an object array.

    References
    ----------
    A. Karpathy, micrograd, 2020, and microgpt, 2026, whose interfaces are kept.

    Examples
    --------
    >>> x, y, z = Value(-2.0), Value(5.0), Value(-4.0)
    >>> f = (x + y) * z
    >>> f.backward()
    >>> f.data, x.grad, y.grad, z.grad
    (-12.0, -4.0, -4.0, 3.0)
    """

    __slots__ = ("__dict__", "data", "grad", "label", "local_grads", "op", "parents")

    data: float
    grad: float
    op: Operation | None
    parents: tuple[Value | float, ...]
    local_grads: tuple[float | None, ...]
    label: str

    #: Class of the nodes that operations create from this Value.
    _node: ClassVar[type]

    def __init__(
        self, data: float | Value, label: str | Sequence[Value] = "", *args: Any, **kwargs: Any
    ) -> None:
        if isinstance(data, Value):
            raise OperandError(
                f"Value({data.label or '…'}) of a Value would lose its graph: use the Value "
                "itself, or .detach() for a leaf with the same data"
            )
        self.data = data if type(data) is float else as_float(data, "the data of a Value")
        self.grad = NO_GRADIENT
        self.op = None
        self.parents = self.local_grads = ()
        self.label = label  # type: ignore[assignment] # operands are moved to parents below
        if args or kwargs or not isinstance(label, str):
            init_manual_node(self, label, *args, **kwargs)
        elif active_derivatives.get():
            register_leaf(self)

    def backward(self, *, allow_nonfinite: bool = False) -> None:
        """Compute the gradient of this Value with respect to every node below it.

        The gradients are *added* to the `grad` of leaves and *set* on interior nodes, so a second
        call doubles those of the leaves exactly; `zero_grad` of a module or an optimizer clears
        them. Gradients are written only if the whole sweep succeeds.

        Parameters
        ----------
        allow_nonfinite : bool
            Continue even if this Value is inf or nan, or a gradient is nan.

        Raises
        ------
        NumericalError
            If this Value is not finite, or the gradient of a leaf would be nan. The message names
            the node where it arose, and no gradient is written.

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
        _backward_pass()(self, allow_nonfinite=allow_nonfinite)

    def zero_grad(self) -> None:
        """Set this Value's own gradient to 0."""
        self.grad = NO_GRADIENT

    def item(self) -> float:
        """Return the data as a float, like `item` of PyTorch's tensors.

        Examples
        --------
        >>> Value(2.0).item()
        2.0
        """
        return self.data

    def detach(self) -> Value:
        """Return a new leaf with the same data; no gradient flows through it."""
        return Value(self.data, self.label)

    def _apply(self, op: Operation, operands: tuple[Any, ...], checked: bool = True) -> Value:
        """Create the node of `op` with `operands`, at least one of which is a Value."""
        node: Value | None = (
            apply_without_graph(op, operands, Value, checked) if active_modes else None
        )
        return op.make_node(operands, Value, checked) if node is None else node

    # The operators, each with its reflected form, and the most frequent methods. Their code is
    # generated from the operation definitions: see inspect.getsource(Value.__mul__).
    __add__, __radd__ = operator(ops.add)
    __sub__, __rsub__ = operator(ops.sub)
    __mul__, __rmul__ = operator(ops.mul)
    __truediv__, __rtruediv__ = operator(ops.div)
    __pow__, __rpow__ = operator(ops.pow)
    __mod__, __rmod__ = operator(ops.remainder)
    __floordiv__, __rfloordiv__ = operator(ops.floor_divide)
    __neg__, __abs__ = compile_methods(ops.neg, ops.abs)
    exp, log, tanh = compile_methods(ops.exp, ops.log, ops.tanh)
    sigmoid, relu = compile_methods(ops.sigmoid, ops.relu)

    # Logical operators on truth values, as on NumPy's arrays of bool.
    __and__ = __rand__ = logical(ops.logical_and, "&")
    __or__ = __ror__ = logical(ops.logical_or, "|")
    __xor__ = __rxor__ = logical(ops.ne, "^")

    # Methods, under NumPy's names, that NumPy's functions call on the entries of object arrays.
    sin, cos, tan = methods(ops.sin, ops.cos, ops.tan)
    arcsin, arccos, arctan = methods(ops.asin, ops.acos, ops.atan)
    sinh, cosh = methods(ops.sinh, ops.cosh)
    arcsinh, arccosh, arctanh = methods(ops.asinh, ops.acosh, ops.atanh)
    sqrt, expm1, log1p, log2, log10 = methods(ops.sqrt, ops.expm1, ops.log1p, ops.log2, ops.log10)
    exp2, rint, fabs, cbrt = methods(ops.exp2, ops.rint, ops.abs, ops.cbrt)
    deg2rad, rad2deg = radians, degrees = methods(ops.deg2rad, ops.rad2deg)
    hypot, arctan2 = methods(ops.hypot, ops.atan2)

    # The other operations of one operand, and more methods of PyTorch's tensors.
    asin, acos, atan, asinh, acosh, atanh = arcsin, arccos, arctan, arcsinh, arccosh, arctanh
    neg, abs, square, pow = methods(ops.neg, ops.abs, ops.square, ops.pow)
    reciprocal, identity, erf, erfc = methods(ops.reciprocal, ops.identity, ops.erf, ops.erfc)
    erfinv, lgamma, digamma = methods(ops.erfinv, ops.lgamma, ops.digamma)
    floor, ceil, sign, step = methods(ops.floor, ops.ceil, ops.sign, ops.step)
    softplus, silu, gelu, gelu_tanh = methods(ops.softplus, ops.silu, ops.gelu, ops.gelu_tanh)
    elu, leaky_relu, ndtr, log_ndtr = methods(ops.elu, ops.leaky_relu, ops.ndtr, ops.log_ndtr)
    isnan, isinf, isfinite = methods(ops.isnan, ops.isinf, ops.isfinite)
    logical_not, clip, logsigmoid = methods(ops.logical_not, ops.clip, ops.logsigmoid)
    maximum, minimum, logaddexp = methods(ops.maximum, ops.minimum, ops.logaddexp)

    def __pos__(self) -> Value:
        return self

    def conjugate(self) -> Value:
        """Return this Value, which is real; np.var and np.std call this method."""
        return self

    def __divmod__(self, other: Value | float) -> tuple[Value, Value]:
        return self // other, self % other

    def __rdivmod__(self, other: float) -> tuple[Value, Value]:
        return other // self, other % self

    def __round__(self, ndigits: int | None = None) -> Value:
        # 10^22 is the largest power of ten that a float represents exactly.
        scale = 10.0 ** (0 if ndigits is None else check_integer(ndigits, "ndigits", -22, 22))
        return self.rint() if scale == 1.0 else (self * scale).rint() / scale

    __lt__, __le__ = comparison(ops.lt), comparison(ops.le)
    __gt__, __ge__ = comparison(ops.gt), comparison(ops.ge)

    def __eq__(self, other: object) -> bool:
        if active_modes and (current := recorder()) is not None:
            return current.equal(self, other, ops.eq)  # type: ignore[no-any-return]
        if isinstance(other, Value):
            return self is other
        is_number = is_real(other)
        if not is_number and not isinstance(other, Number):
            return NotImplemented
        float_comparisons.count += 1
        # A float compares itself exactly with integers, fractions, decimals and complex numbers.
        exact = type(other) is int or not is_number
        number = other if exact else ops.eq.as_operand(other)
        equal = float_of(self) == number
        return record_comparison(ops.eq, self, number, equal) if is_number else equal

    def __ne__(self, other: object) -> bool:
        if active_modes and (current := recorder()) is not None:
            return current.equal(self, other, ops.ne)  # type: ignore[no-any-return]
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        if active_modes and recorder() is not None:
            return bool(ops.identity(self))
        return record_comparison(ops.ne, self, 0.0, float_of(self) != 0.0)

    def __format__(self, specification: str) -> str:
        return format(self.data, specification) if specification else repr(self)

    def __repr__(self) -> str:
        label = f", label={self.label!r}" if self.label else ""
        return f"{type(self).__name__}(data={self.data}, grad={self.grad}{label})"

    def _repr_svg_(self) -> str | None:
        """Show the graph in a notebook; the parts of a large one are collapsed."""
        if not self.parents:
            return None
        from scalargrad.show.graphs import glance

        return glance(self)


Value._node = Value


class Parameter(Value):
    """A leaf that is trained: a weight or a bias.

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
