"""A program that uses the core with its own dependencies only, without NumPy or Graphviz.

It is run by Pyodide in WebAssembly and in an empty environment.
"""

from __future__ import annotations

import math
import random
import shutil
from importlib.util import find_spec

import scalargrad
from scalargrad import Value, draw, grad, gradcheck, hessian, losses, nn, optim, parse, tanh, walk

x, y, z = Value(-2.0, "x"), Value(5.0, "y"), Value(-4.0, "z")
f = (x + y) * z
f.backward()
assert (f.data, x.grad, y.grad, z.grad) == (-12.0, -4.0, -4.0, 3.0)

assert walk(f)[-1].contribution == -4.0
assert draw(f).mermaid.startswith("flowchart")

slope = 1 - math.tanh(0.5) ** 2
assert math.isclose(grad(tanh)(0.5), slope, rel_tol=1e-14)
assert hessian(lambda p: p[0] ** 2 * p[1])([3.0, 4.0]) == [[8.0, 6.0], [6.0, 0.0]]
assert gradcheck(lambda a, b: a * b**2, 3.0, 4.0)
assert parse("f = x * y", x=2, y=3).data == 6.0

random.seed(1)
model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
optimizer = optim.Adam(model.parameters(), lr=0.05)
examples = [([0.0, 1.0], [1.0]), ([1.0, 1.0], [0.0])]
history = []
for _step in range(50):
    optimizer.zero_grad()
    loss = losses.mse_loss([model(inputs) for inputs, _ in examples], [t for _, t in examples])
    loss.backward()
    optimizer.step()
    history.append(loss.data)
assert history[-1] < 0.1 * history[0]

if find_spec("numpy") is None:
    try:
        _ = scalargrad.jit
    except scalargrad.MissingPackageError as error:
        message = str(error)
    assert message == "jit needs numpy: python -m pip install numpy"

if find_spec("resvg_py") is None and shutil.which("dot") is None:
    try:
        draw(f).svg()
    except scalargrad.LayoutError as error:
        message = str(error)
    assert "python -m pip install graphviz-pure" in message

print("the core works")
