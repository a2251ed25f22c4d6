"""JAX: vectorised by hand, and the scalar code on JAX's own tracers; both compiled by `jax.jit`.

The parameters stay in JAX's arrays and are donated to the next call; each step waits until all its
results are computed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.moons.problem import PENALTY, Problem, Step, layers, loss


def in_doubles() -> Any:
    """Return JAX, which computes in float64 from now on."""
    import jax

    jax.config.update("jax_enable_x64", True)
    return jax


def descent(
    loss_of: Callable[[Any, Any], Any], inputs: Any, layers: Any, activate: Any, rate: float
) -> tuple[Any, Any]:
    """Return a step of gradient descent on matrices, and the parameters it starts from.

    Parameters
    ----------
    loss_of : callable
        Takes the outputs of a network of these layers, and their parameters.
    """
    jax = in_doubles()
    xs = jax.numpy.array(inputs)

    def objective(parameters: Any) -> Any:
        h, (w_out, b_out) = xs, parameters[-1]
        for w, b in parameters[:-1]:
            h = activate(h @ w.T + b)
        return loss_of(h @ w_out.T + b_out, parameters)

    def step(state: Any) -> Any:
        value, gradient = jax.value_and_grad(objective)(state)
        return jax.tree.map(lambda p, g: p - rate * g, state, gradient), value

    return step, [(jax.numpy.array(w), jax.numpy.array(b)) for w, b in layers]


def call_compiled(function: Any, *arguments: Any) -> Callable[[], Any]:
    """Compile a function, and return a call of it that waits for its results."""
    jax = in_doubles()
    run = jax.jit(function)
    return lambda: jax.block_until_ready(run(*arguments))


def run_steps(step: Any, state: Any) -> Step:
    """Compile a step, and return a run that makes one step from the state of the last."""
    jax = in_doubles()
    compiled = jax.jit(step, donate_argnums=0)

    def run() -> float:
        nonlocal state
        state, value = jax.block_until_ready(compiled(state))
        return float(value)

    return run


def vectorised_step(problem: Problem) -> Step:
    """Return the step on matrices."""
    return run_steps(*_on_matrices(problem))


def step_by_scan(problem: Problem) -> Step:
    """Return the same step, 200 of them in one program."""
    step, state = _on_matrices(problem)
    scan = in_doubles().lax.scan

    def repeat(state: Any) -> Any:
        state, values = scan(lambda state, _: step(state), state, length=200)
        return state, values[-1]

    run = run_steps(repeat, state)
    setattr(run, "steps", 200)  # noqa: B010 - a function to mypy
    return run


def _on_matrices(problem: Problem) -> tuple[Any, Any]:
    np = in_doubles().numpy
    ys = np.array(problem.labels)

    def loss_of(h: Any, parameters: Any) -> Any:
        penalty = sum((w * w).sum() + (b * b).sum() for w, b in parameters)
        return np.maximum(1 - ys * h[:, 0], 0).mean() + PENALTY * penalty

    unit = getattr(in_doubles().nn, problem.activation)
    return descent(loss_of, problem.points, layers(problem.parameters), unit, problem.rate)


def scalar_step(problem: Problem) -> Step:
    """Return the step, computed by the same scalar code as scalargrad's.

    The parameters are one array: passing 337 arrays takes longer than computing with them. A
    maximum compiles far sooner than `jax.nn.relu`, whose slope is a selection.
    """
    jax = in_doubles()
    np = jax.numpy

    def relu(x: Any) -> Any:
        return jax.lax.max(x, 0.0)

    activate = relu if problem.activation == "relu" else getattr(jax.nn, problem.activation)

    def objective(parameters: Any) -> Any:
        return loss(parameters, problem.points, problem.labels, activate, relu)

    def step(state: Any) -> Any:
        parameters = [state[i] for i in range(len(problem.parameters))]
        value, gradient = jax.value_and_grad(objective)(parameters)
        return state - problem.rate * np.stack(gradient), value

    return run_steps(step, np.array(problem.parameters))
