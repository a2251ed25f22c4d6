"""torch_function and jax_function, compared with the same functions in PyTorch and JAX."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scalargrad import exp, sin
from scalargrad.errors import OperandError
from scalargrad.export import jax_function, torch_function

pytestmark = pytest.mark.wide

X, W = [0.1, 0.2, 0.3], 1.5


def function(x: Any, w: Any) -> Any:
    """Return a number computed from an array and a number."""
    return sin(x[0] * w) + sum(exp(a * a) for a in x)


def squares(x: Any) -> Any:
    """Return the square of each number."""
    return [a * a for a in x]


def test_torch_function_can_be_differentiated_by_pytorch() -> None:
    """Value, gradients, Hessian, and the Jacobian of several results; float32 is kept."""
    torch = pytest.importorskip("torch")
    x = torch.tensor(X, dtype=torch.float64, requires_grad=True)
    w = torch.tensor(W, dtype=torch.float64, requires_grad=True)
    f, g = torch_function(function), torch_function(squares)

    def theirs(x: Any, w: Any) -> Any:
        return torch.sin(x[0] * w) + torch.exp(x * x).sum()

    for transform in (torch.autograd.functional.jacobian, torch.autograd.functional.hessian):
        torch.testing.assert_close(
            transform(f, (x, w)), transform(theirs, (x, w)), rtol=1e-14, atol=1e-14
        )
    torch.testing.assert_close(torch.autograd.functional.jacobian(g, x), torch.diag(2 * x))
    assert f(x, 2).dtype == torch.float64
    default = torch.get_default_dtype()  # which benchmarks set to float64
    torch.set_default_dtype(torch.float32)
    try:
        assert f(x.float(), W).dtype == torch.float32
    finally:
        torch.set_default_dtype(default)


def test_jax_function_can_be_differentiated_by_jax() -> None:
    """Value, gradients, second derivatives, jit, vmap, and several results."""
    jax: Any = pytest.importorskip("jax")
    f, g = jax_function(function), jax_function(squares, shape=(3,))
    enabled: Any = jax.enable_x64

    def theirs(x: Any, w: Any) -> Any:
        return jax.numpy.sin(x[0] * w) + jax.numpy.exp(x * x).sum()

    with enabled(True):
        x = np.array(X)
        transforms: list[Any] = [
            lambda f: jax.jit(jax.value_and_grad(f, (0, 1)))(x, W),
            lambda f: jax.jacrev(jax.grad(f))(x, W),
            lambda f: jax.vmap(jax.grad(f), (0, None))(np.stack([x, 2 * x]), W),
        ]
        for transform in transforms:
            found, expected = (jax.tree.leaves(transform(h)) for h in (f, theirs))
            assert all(map(np.allclose, found, expected))
        assert np.allclose(jax.jacrev(g)(x), np.diag(2 * x))
    assert f(np.array(X, np.float32), W).dtype == "float32"


def test_jax_function_shape_must_be_a_sequence_of_lengths() -> None:
    """The shape is checked before JAX is imported."""
    for shape in (None, 3, [1.5], ["a"]):
        with pytest.raises(OperandError, match="shape"):
            jax_function(squares, shape)  # type: ignore[arg-type]
