"""Features: what of the table in docs/explained/compared.md can be run, library by library.

Each cell stands here word for word, beside code that shows what it says:

    python -m pip install autograd
    python -m benchmarks.features

Libraries that are not installed are left out. The exit status is 1 where a cell does not hold.
"""

from __future__ import annotations

import importlib.util
import math
import sys
from collections.abc import Callable, Iterator
from typing import Any

Found = Iterator[tuple[str, str, bool]]

UNIT = "unit of computation"
PYTHON = "ordinary Python loops and `if`"
ORDER = "any order of derivative"
FORWARD = "forward mode, jvp"
LOOPS = "compiles scalar loops as written"
MAPS = "vmap, scan"
ERRORS = "errors name node and remedy"
TRAINING = "networks, optimisers, training"
PICTURES = "step pages, pictures with gradients"
SINGLE = "single precision"


def geometric(x: Any) -> Any:
    """Return 1 + x + x², or x where x is not positive: a loop and a condition."""
    if x > 0:
        total = 0.0 * x
        for k in range(3):
            total = total + x**k
        return total
    return x


def repeated(x: Any, times: int) -> Any:
    """Return x after `times` steps of a scalar recurrence."""
    for _ in range(times):
        x = x * 0.5 + 1.0
    return x


def refused(f: Callable[[], Any]) -> bool:
    """Return whether a call raises an error."""
    try:
        f()
    except Exception:  # noqa: BLE001 - libraries raise what they like
        return True
    return False


def lacks(module: Any, *names: str) -> bool:
    """Return whether a module has none of some names."""
    return not any(hasattr(module, name) for name in names)


def of_scalargrad() -> Found:
    """Run what is said of scalargrad."""
    import scalargrad as sg
    from scalargrad import Value, jit, jvp, nn, optim, scan, value_and_grad, vmap, walk

    x = Value(2.0, "x")
    y = geometric(x)
    y.backward()
    yield UNIT, "number", refused(lambda: Value([1.0, 2.0]))  # type: ignore[arg-type]
    yield PYTHON, "yes", (y.data, x.grad) == (7.0, 5.0)
    yield PICTURES, "yes", "<svg" in sg.draw(y).svg() and len(walk(y)) > 1
    fourth = sg.grad(sg.grad(sg.grad(lambda x: x**4)))
    yield ORDER, "yes", fourth(2.0) == 48.0
    yield FORWARD, "yes", math.isclose(jvp(sg.sin, (0.3,), (1.0,))[1], math.cos(0.3))
    compiled = jit(value_and_grad(lambda x: repeated(x, 500)))
    yield LOOPS, "yes, packed", compiled(1.0) == value_and_grad(lambda x: repeated(x, 500))(1.0)
    squares = vmap(lambda x: x * x)([1.0, 2.0])
    added, _ = scan(lambda total, x: (total + x, total), 0.0, [1.0, 2.0])
    yield MAPS, "yes", list(map(float, squares)) == [1.0, 4.0] and float(added) == 3.0
    try:
        sg.log(Value(-1.0, "rate"))
    except sg.DomainError as error:
        yield ERRORS, "yes", "rate" in str(error) and "it needs" in str(error)
    yield TRAINING, "yes", all(map(callable, (nn.MLP, optim.Adam, sg.train.fit)))
    yield SINGLE, "–", math.isclose(Value(0.1).data, 0.1, rel_tol=1e-16)


def of_micrograd() -> Found:
    """Run what is said of micrograd."""
    import micrograd
    from micrograd import engine, nn

    x = engine.Value(2.0)
    y = x * x * x
    y.backward()
    yield UNIT, "number", isinstance((x * 2.0).data, float)
    yield PYTHON, "yes", repeated(engine.Value(2.0), 3).data == 2.0
    yield ORDER, "first", isinstance(x.grad, float) and x.grad == 12.0
    yield FORWARD, "–", lacks(x, "jvp") and lacks(engine, "jvp")
    yield LOOPS, "–", lacks(micrograd, "jit", "compile") and lacks(engine, "jit", "compile")
    yield MAPS, "–", lacks(engine, "vmap", "scan")
    yield TRAINING, "MLP", callable(nn.MLP) and lacks(nn, "SGD", "Adam", "fit")
    yield SINGLE, "–", isinstance(x.data, float)


def of_autograd() -> Found:
    """Run what is said of HIPS autograd."""
    import autograd
    import autograd.numpy as np
    from autograd import grad, make_jvp
    from autograd.misc import optimizers

    ones = np.ones(2, np.float32)
    slope = grad(lambda x: np.sum(x * x))(ones)
    yield UNIT, "array", slope.tolist() == [2.0, 2.0]
    yield PYTHON, "yes", grad(geometric)(2.0) == 5.0
    yield ORDER, "yes", grad(grad(grad(lambda x: x**4)))(2.0) == 48.0
    yield FORWARD, "yes", math.isclose(make_jvp(np.sin)(0.3)(1.0)[1], math.cos(0.3))
    yield LOOPS, "–", lacks(autograd, "jit", "compile")
    yield MAPS, "–", lacks(autograd, "vmap", "scan")
    yield TRAINING, "optimisers", callable(optimizers.adam) and lacks(autograd, "nn")
    yield SINGLE, "yes", slope.dtype == np.float32


def of_pytorch() -> Found:
    """Run what is said of PyTorch."""
    import torch

    x = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    geometric(x).backward()
    yield UNIT, "array", torch.ones(2).sum().item() == 2.0
    yield PYTHON, "yes", x.grad is not None and x.grad.item() == 5.0
    third: Any = lambda x: x**4  # noqa: E731
    for _ in range(3):
        third = torch.func.grad(third)
    yield ORDER, "yes", third(torch.tensor(2.0)).item() == 48.0
    _, slope = torch.func.jvp(torch.sin, (torch.tensor(0.3),), (torch.tensor(1.0),))
    yield FORWARD, "yes", math.isclose(slope.item(), math.cos(0.3), rel_tol=1e-6)
    mapped = torch.func.vmap(lambda x: x * x)(torch.tensor([1.0, 2.0]))
    yield MAPS, "vmap", mapped.tolist() == [1.0, 4.0] and lacks(torch, "scan")
    yield TRAINING, "yes", callable(torch.nn.Linear) and callable(torch.optim.Adam)
    yield SINGLE, "yes", torch.ones(1).dtype == torch.float32


def of_jax() -> Found:
    """Run what is said of JAX."""
    import jax
    import jax.numpy as jnp

    yield UNIT, "array", jnp.ones(2).sum() == 2.0
    equations = [len(jax.make_jaxpr(lambda x, n=n: repeated(x, n))(1.0).eqns) for n in (5, 50)]
    unrolled = equations[1] == 10 * equations[0]
    yield (
        PYTHON,
        "unrolled; no `if` under jit",
        unrolled and refused(lambda: jax.jit(geometric)(2.0)),
    )
    yield ORDER, "yes", jax.grad(jax.grad(jax.grad(lambda x: x**4)))(2.0) == 48.0
    _, slope = jax.jvp(jnp.sin, (0.3,), (1.0,))
    yield FORWARD, "yes", math.isclose(slope, math.cos(0.3), rel_tol=1e-6)
    squares = jax.vmap(lambda x: x * x)(jnp.array([1.0, 2.0]))
    added, _ = jax.lax.scan(lambda total, x: (total + x, total), 0.0, jnp.array([1.0, 2.0]))
    yield MAPS, "yes", squares.tolist() == [1.0, 4.0] and added == 3.0
    yield TRAINING, "add-ons", lacks(jax.nn, "Module", "Linear") and lacks(jax, "optim")
    yield SINGLE, "yes", jnp.ones(1).dtype == jnp.float32


def of_casadi() -> Found:
    """Run what is said of CasADi."""
    import casadi as ca

    x, y = ca.SX.sym("x"), ca.SX.sym("y")
    yield UNIT, "number, matrix", (x.numel(), ca.SX.sym("A", 2, 2).numel()) == (1, 4)
    loop = ca.Function("loop", [x], [repeated(x, 3)])
    yield PYTHON, "build once", float(loop(2.0)) == 2.0 and refused(lambda: geometric(x))
    third = x**4
    for _ in range(3):
        third = ca.gradient(third, x)
    yield ORDER, "yes", float(ca.Function("third", [x], [third])(2.0)) == 48.0
    forward = ca.Function("forward", [x], [ca.jtimes(ca.sin(x), x, 1)])
    yield FORWARD, "yes", math.isclose(float(forward(0.3)), math.cos(0.3))
    generator = ca.CodeGenerator("loop.c")
    generator.add(loop)
    scalar = "for (" not in generator.dump().split("casadi_f0(")[1].split("\n}\n")[0]
    yield LOOPS, "yes, not vectorised", scalar
    step = ca.Function("step", [x, y], [x + y])
    yield (
        MAPS,
        "map, fold",
        float(ca.sum2(step.map(2)([1, 2], [1, 1]))) == 5.0
        and float(step.fold(3)(0, [1, 2, 3])) == 6.0,
    )
    yield TRAINING, "solvers", not lacks(ca, "nlpsol") and lacks(ca, "nn", "Adam")
    yield SINGLE, "–", math.isclose(float(ca.DM(0.1)), 0.1, rel_tol=1e-16)


#: By its name in the table: the package, and what runs what is said of it.
LIBRARIES: dict[str, tuple[str, Callable[[], Found]]] = {
    "scalargrad": ("scalargrad", of_scalargrad),
    "micrograd": ("micrograd", of_micrograd),
    "autograd": ("autograd", of_autograd),
    "PyTorch": ("torch", of_pytorch),
    "JAX": ("jax", of_jax),
    "CasADi": ("casadi", of_casadi),
}


def main() -> int:
    """Print what was found of each library that is installed."""
    failed = 0
    for library, (package, run) in LIBRARIES.items():
        if importlib.util.find_spec(package) is None:
            print(f"{library} is not installed")
            continue
        for row, cell, holds in run():
            failed += not holds
            print(f"{'ok' if holds else 'WRONG':6}{library:12}{row}: {cell}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
