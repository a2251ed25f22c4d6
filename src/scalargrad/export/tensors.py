"""Compiled functions in PyTorch and JAX, which take tensors and have derivatives."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from scalargrad.checks.arguments import check_function, check_size
from scalargrad.compiler.jitted import jit
from scalargrad.errors import OperandError
from scalargrad.system.packages import optional_dependency
from scalargrad.system.short_repr import format_value
from scalargrad.transforms.functional import vjp

Function = Callable[..., Any]


def torch_function(f: Function) -> Function:
    """Compile a function of numbers, and return it as a function of PyTorch tensors.

    Parameters
    ----------
    f : callable
        Called with a float for a tensor without axes, and with a NumPy array for other tensors;
        returns a number, or an array, list or tuple of numbers.

    Returns
    -------
    callable
        Takes tensors and returns one tensor, of the dtype to which PyTorch promotes the arguments;
        computations are in float64 on the CPU. It is differentiable to any order.

    Raises
    ------
    MissingPackageError
        If PyTorch is not installed.

    Examples
    --------
    The area of a rectangle, and its derivatives with respect to both sides::

        area = torch_function(lambda sides: sides[0] * sides[1])
        sides = torch.tensor([2.0, 3.0], requires_grad=True)
        area(sides).backward()
        sides.grad  # tensor([3., 2.])
    """
    check_function(f, "f", "torch_function(lambda x: x * x)")
    with optional_dependency("torch_function needs"):
        import torch  # noqa: F401
    called = _of_tensors(_of_parts(f))
    return lambda *tensors: called(*tensors)[0]


def _of_tensors(f: Function) -> Function:
    """Return `f`, which returns a tuple of numbers, as a function to a tuple of tensors."""
    import numpy as np
    import torch

    compiled = jit(f)
    back = functools.cache(lambda count: _of_tensors(_pullback(f, count)))

    class Called(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, *tensors: Any) -> Any:
            ctx.save_for_backward(*tensors)
            kind = functools.reduce(torch.promote_types, [x.dtype for x in tensors])
            kind = kind if kind.is_floating_point else torch.get_default_dtype()
            given = [x.detach().cpu().double().numpy() for x in tensors]
            results = compiled(*[x if x.ndim else float(x) for x in given])
            return tuple([torch.tensor(np.asarray(x, float), dtype=kind) for x in results])

        @staticmethod
        def backward(ctx: Any, *cotangents: Any) -> Any:
            return back(len(cotangents))(*ctx.saved_tensors, *cotangents)

    return lambda *tensors: Called.apply(*map(torch.as_tensor, tensors))


def _of_parts(f: Function) -> Function:
    """Return a function that returns the result of `f` in a tuple, lists as arrays."""
    import numpy as np

    def called(*args: Any) -> Any:
        result = f(*args)
        return (np.array(result) if isinstance(result, list | tuple) else result,)

    return called


def _pullback(f: Function, count: int) -> Function:
    """Return the pullback of `count` results as a function of arguments and cotangents."""

    def called(*given: Any) -> Any:
        return vjp(f, *given[:-count])[1](given[-count:])

    return called


def jax_function(f: Function, shape: Sequence[int] = ()) -> Function:
    """Compile a function of numbers, and return it as a function of JAX arrays.

    Parameters
    ----------
    f : callable
        Called with a float for an array without axes, and with a NumPy array for other arrays;
        returns a number, or an array, list or tuple of numbers.
    shape : sequence of int
        The shape of the result, which JAX must know in advance; () for a number.

    Returns
    -------
    callable
        Takes arrays and returns one array, of the dtype of JAX: float32 unless ``jax_enable_x64``
        is set; computations are in float64. It is differentiable to any order in reverse mode, and
        can be used in ``jax.jit`` and ``jax.vmap``, which calls it once for each example.

    Raises
    ------
    OperandError
        If `shape` is not a sequence of integers.
    MissingPackageError
        If JAX is not installed.

    Examples
    --------
    The area of a rectangle, and its derivatives with respect to both sides::

        area = jax_function(lambda sides: sides[0] * sides[1])
        jax.jit(jax.grad(area))(numpy.array([2.0, 3.0]))  # Array([3., 2.], dtype=float32)
    """
    check_function(f, "f", "jax_function(lambda x: x * x)")
    if not isinstance(shape, list | tuple):
        raise OperandError(
            f"shape is {format_value(shape)}: give one length for each axis, as in (3,)"
        )
    lengths = tuple([check_size(x, "shape") for x in shape])
    with optional_dependency("jax_function needs"):
        import jax  # noqa: F401
    called = _of_arrays(_of_parts(f), lambda _: [lengths])
    return lambda *args: called(*args)[0]


def _of_arrays(
    f: Function, shapes: Callable[[Sequence[Any]], Sequence[tuple[int, ...]]]
) -> Function:
    """Return `f`, which returns a tuple, as a function of arrays; `shapes` gives its shapes."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    compiled = jit(f)

    def run(*args: Any, kind: Any) -> Any:
        found = compiled(*[np.asarray(x, float) if np.ndim(x) else float(x) for x in args])
        return tuple(np.asarray(x, kind) for x in found)

    @jax.custom_vjp  # type: ignore[untyped-decorator]
    def called(*args: Any) -> Any:
        kind = jnp.result_type(float, *args)  # computed here, because a callback has other settings
        made = tuple(jax.ShapeDtypeStruct(x, kind) for x in shapes(args))
        return jax.pure_callback(
            functools.partial(run, kind=kind), made, *args, vmap_method="sequential"
        )

    @functools.cache
    def back(count: int) -> Function:
        return _of_arrays(_pullback(f, count), lambda given: [jnp.shape(x) for x in given[:-count]])

    def backward(args: Any, cotangents: Any) -> Any:
        return back(len(cotangents))(*args, *cotangents)

    called.defvjp(lambda *args: (called(*args), args), backward)
    return called  # type: ignore[no-any-return]
