"""Errors of vmap, scan, take and drawn, and of gradients by results of compiled calls."""

from __future__ import annotations

import math
import random

import numpy as np

from scalargrad import Value, drawn, gradients, jit, scan, take, vmap


def take_of_ragged_rows() -> None:
    """Rows of several lengths, and a computed index."""
    take([[1.0, 2.0], [3.0]], Value(1.0))


def scan_without_a_number_of_steps() -> None:
    """Neither entries nor a length."""
    scan(lambda c, x: (c, x), 1.0, None)


def scan_with_two_numbers_of_steps() -> None:
    """Entries that are as many as they are not said to be."""
    scan(lambda c, x: (c, x), 1.0, [1.0], 2)


def scan_over_a_number() -> None:
    """Entries of a float."""
    scan(lambda c, x: (c, x), 1.0, 3.0)


def scan_of_a_step_that_returns_no_pair() -> None:
    """Carry alone, without a result."""
    scan(lambda c, x: c, 1.0, [1.0])


def vmap_along_an_axis_that_is_not_there() -> None:
    """Numbers have no axis 1."""
    vmap(lambda x: x[0], out_axes=1)(np.ones((2, 3)))


def vmap_with_axes_of_other_parts() -> None:
    """Two results, and one setting."""
    vmap(lambda x: (x, x), out_axes=(0,))(np.ones((2, 3)))


def vmap_sharing_what_differs() -> None:
    """One result for examples that differ."""
    vmap(lambda x: [x], out_axes=None)([1.0, 2.0])


def drawn_by_what_is_no_method_of_a_generator() -> None:
    """Functions of math draw nothing."""
    drawn(math.sin, 1.0)


def drawn_with_a_value_as_parameter() -> None:
    """No gradient flows through a mean."""
    drawn(random.gauss, 0.0, Value(1.0))


def gradient_by_a_result_read_inside() -> None:
    """Half and its square, by half."""

    def half_and_square(s: Value) -> tuple[Value, Value]:
        half = 0.5 * s
        return half, half * half

    half, square = jit(half_and_square)(Value(1.5))
    gradients(square, half)
