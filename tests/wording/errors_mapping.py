"""Errors of vmap, scan, take and drawn, and of gradients by results of compiled calls."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np

from scalargrad import Value, drawn, gradients, jit, scan, take, vmap


def gradient_by_a_result_read_inside() -> None:
    """Half and its square, by half."""

    def half_and_square(s: Value) -> tuple[Value, Value]:
        half = 0.5 * s
        return half, half * half

    half, square = jit(half_and_square)(Value(1.5))
    gradients(square, half)


CASES: dict[str, Callable[[], object]] = {
    "take_of_ragged_rows": lambda: take([[1.0, 2.0], [3.0]], Value(1.0)),
    "scan_without_a_number_of_steps": lambda: scan(lambda c, x: (c, x), 1.0, None),
    "scan_with_two_numbers_of_steps": lambda: scan(lambda c, x: (c, x), 1.0, [1.0], 2),
    "scan_over_a_number": lambda: scan(lambda c, x: (c, x), 1.0, 3.0),
    "scan_of_a_step_that_returns_no_pair": lambda: scan(lambda c, x: c, 1.0, [1.0]),
    "vmap_along_an_axis_that_is_not_there": lambda: vmap(lambda x: x[0], out_axes=1)(
        np.ones((2, 3))
    ),
    "vmap_with_axes_of_other_parts": lambda: vmap(lambda x: (x, x), out_axes=(0,))(np.ones((2, 3))),
    "vmap_sharing_what_differs": lambda: vmap(lambda x: [x], out_axes=None)([1.0, 2.0]),
    "drawn_by_what_is_no_method_of_a_generator": lambda: drawn(math.sin, 1.0),
    "drawn_with_a_value_as_parameter": lambda: drawn(random.gauss, 0.0, Value(1.0)),
}
