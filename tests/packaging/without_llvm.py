"""What a user gets without llvmlite: right results, and one warning with the remedy.

Run by .ci/run in an environment that has every extra but `[jit]`; where llvmlite is installed, it
is hidden.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import runpy
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import scalargrad as sg
from scalargrad import (
    Value,
    cond,
    data,
    disable_jit,
    exp,
    grad,
    jacobian,
    jit,
    losses,
    nn,
    optim,
    scan,
    sin,
    vmap,
    watch,
    while_loop,
)
from scalargrad.fitting import minimize
from scalargrad.train import fit


def decay(t: float, rate: Any) -> Any:
    """Return e^(-rate·t)."""
    return exp(-rate * t)


def check() -> None:
    """Run everything; raise AssertionError if a result or the warning is wrong."""
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always", sg.JitWarning)

        # Compiled functions have the values and derivatives of eager ones.
        f = jit(decay)
        rate = Value(0.5)
        y = f(2.0, rate)
        y.backward()
        assert math.isclose(y.data, math.exp(-1.0))
        assert math.isclose(rate.grad, -2.0 * math.exp(-1.0))
        assert math.isclose(jit(grad(grad(sin)))(0.5), -math.sin(0.5))
        assert jit(vmap(lambda x: x * x))([1.0, 2.0, 3.0]) == [1.0, 4.0, 9.0]
        assert scan(jit(lambda carry, x: (carry + x, carry)), 0.0, [1.0] * 100) == (
            100.0,
            [*map(float, range(100))],
        )
        assert jit(lambda x: cond(x > 0, lambda x: x, lambda x: -x, x))(-2.0) == 2.0
        assert jit(lambda x: while_loop(lambda x: x > 1.0, lambda x: x / 2, x))(8.0) == 1.0
        with disable_jit(False):
            assert f(0.0, 1.0) == 1.0
        assert jit(lambda x: x * x, check=True)(3.0) == 9.0
        slopes = jacobian(lambda x: [x[0] * x[1], x[1]], sparse=True)([2.0, 3.0])
        assert slopes.toarray().tolist() == [[3.0, 2.0], [0.0, 1.0]]

        # Training, searches and pages.
        inputs, targets = data.xor()
        settings: dict[str, Any] = {
            "loss": losses.binary_cross_entropy_with_logits,
            "epochs": 200,
            "quiet": True,
        }
        model = nn.MLP(2, [4, 1], activation="tanh", rng=0)
        history = fit(
            model, inputs, targets, optimizer=optim.Adam(model.parameters(), lr=0.1), **settings
        )
        assert history["loss"][-1] < 0.1 * history["loss"][0]
        assert [model(x).data > 0.0 for x in inputs] == [bool(t) for t in targets]
        found = minimize(lambda p: (1.0 - p[0]) ** 2 + 100.0 * (p[1] - p[0] ** 2) ** 2, [-1.2, 1.0])
        assert all(math.isclose(x, 1.0, rel_tol=1e-4) for x in found.x), found.x
        optimizer = optim.Adam(model.parameters(), lr=0.1)
        watch(model, inputs, targets, optimizer=optimizer, **settings).save("training.html")
        assert Path("training.html").stat().st_size > 10_000
        sys.argv = ["scalargrad", "demo"]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
            runpy.run_module("scalargrad", run_name="__main__")
        assert Path("scalargrad-demo/training.html").stat().st_size > 10_000

        # C needs no llvmlite; the program itself does.
        assert [x.name for x in f.export("decay.c", 2.0, 0.5)] == ["decay.c", "decay.h"]
        try:
            f.explain(2.0, 0.5)
        except sg.MissingPackageError as error:
            message = str(error)
        assert message == "explain needs llvmlite: python -m pip install llvmlite"
    told = [x for x in shown if x.category is sg.JitWarning]
    assert len(told) == 1, [str(x.message) for x in told]
    assert "python -m pip install 'scalargrad-engine[jit]'" in str(told[0].message)
    assert told[0].filename == __file__


if __name__ == "__main__":  # tests import this file, to look for examples in docstrings
    sys.modules["llvmlite"] = None  # type: ignore[assignment]
    os.chdir(tempfile.mkdtemp())
    check()
    print("compiled functions are right without llvmlite")
