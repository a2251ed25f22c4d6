"""Functions of other libraries that scalargrad has under another name, or as an expression."""

from __future__ import annotations

#: Expression to write instead, by the function's name in Python's math, NumPy, SciPy, JAX or
#: PyTorch; x and y are operands, xs a list of numbers. The page "Side by side" lists them.
OTHER_NAMES = {
    "absolute": "abs(x)",
    "arccos": "acos(x)",
    "arccosh": "acosh(x)",
    "arcsin": "asin(x)",
    "arcsinh": "asinh(x)",
    "arctan": "atan(x)",
    "arctan2": "atan2(x, y)",
    "arctanh": "atanh(x)",
    "clamp": "clip(x, low, high)",
    "copysign": "where(y < 0, -abs(x), abs(x))",
    "degrees": "rad2deg(x)",
    "expit": "sigmoid(x)",
    "fabs": "abs(x)",
    "fmod": "x - y * where(x / y < 0, ceil(x / y), floor(x / y))",
    "fsum": "sum(xs)",
    "gamma": "where(x > 0, 1, 1 - 2 * remainder(floor(x), 2)) * exp(lgamma(x))",
    "gammaln": "lgamma(x)",
    "heaviside": "step(x)",
    "isclose": "abs(x - y) <= 1e-9 * maximum(abs(x), abs(y))",
    "logit": "log(x / (1 - x))",
    "power": "x ** y",
    "radians": "deg2rad(x)",
    "rsqrt": "1 / sqrt(x)",
    "stop_gradient": "x.detach()",
    "swish": "silu(x)",
    "trunc": "where(x < 0, ceil(x), floor(x))",
}
