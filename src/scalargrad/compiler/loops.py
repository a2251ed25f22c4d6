"""The loops of the kernel, as plain Python functions of numbers and one row of cells.

`kernel` prints them, with a loop for each operation of the table, into one file that Numba
compiles. They read an instruction at ``code[pc]``: its fields stand in the order that `encode`
writes them. Sums of products may be reordered; nothing else may.
"""

from __future__ import annotations

from typing import Any

import numpy as np  # noqa: F401 - the printed operations use it

Cells = Any
Code = Any


def copy(code: Code, pc: int, m: Cells) -> None:
    """Copy ``out rows columns base outer inner``."""
    out, rows, columns = code[pc + 2], code[pc + 3], code[pc + 4]
    base, outer, inner = code[pc + 5], code[pc + 6], code[pc + 7]
    for i in range(rows):
        for j in range(columns):
            m[out + i * columns + j] = m[base + i * outer + j * inner]


def gather(code: Code, pc: int, m: Cells) -> None:
    """Copy ``out count address …``."""
    out, count = code[pc + 2], code[pc + 3]
    for k in range(count):
        m[out + k] = m[code[pc + 4 + k]]


def gathered_products(code: Code, pc: int, m: Cells) -> None:
    """Sum products ``out start lanes terms a … b …``."""
    out, start, lanes, terms = code[pc + 2], code[pc + 3], code[pc + 4], code[pc + 5]
    a, b = pc + 6, pc + 6 + lanes * terms
    for i in range(lanes):
        total = m[start]
        for t in range(i * terms, (i + 1) * terms):
            total += m[code[a + t]] * m[code[b + t]]
        m[out + i] = total


def same(m: Cells, out: int, rows: int, columns: int, start: float, first: bool, r: Code) -> None:
    """Add one sum to each row, or set the row to it on top of `start`."""
    for i in range(rows):
        total = start
        for t in range(r[1]):
            total += m[r[2] + i * r[3] + t * r[5]] * m[r[6] + i * r[7] + t * r[9]]
        y = m[out + i * columns : out + (i + 1) * columns]
        if first:
            for j in range(columns):
                y[j] = total
        else:
            for j in range(columns):
                y[j] += total


def fill(m: Cells, out: int, count: int, start: float) -> None:
    """Set `count` cells to a number."""
    y = m[out : out + count]
    for j in range(count):
        y[j] = start


def spread(m: Cells, out: int, rows: int, columns: int, r: Code) -> None:
    """Add number × row, two rows of results and four terms at a time where rows are shared."""
    n, a, ao, at, b, bo, bt = r[1], r[2], r[3], r[5], r[6], r[7], r[9]
    i = 0
    if bo == 0:
        while i + 2 <= rows:
            spread_two(m, out + i * columns, columns, n, a + i * ao, ao, at, b, bt)
            i += 2
    while i < rows:
        spread_one(m, out + i * columns, columns, n, a + i * ao, at, b + i * bo, bt)
        i += 1


def spread_two(
    m: Cells, out: int, columns: int, n: int, a: int, ao: int, at: int, b: int, bt: int
) -> None:
    """Add the terms of two rows, four at a time."""
    y0, y1 = m[out : out + columns], m[out + columns : out + 2 * columns]
    t = 0
    while t + 4 <= n:
        k = a + t * at
        p0, p1, p2, p3 = m[k], m[k + at], m[k + 2 * at], m[k + 3 * at]
        k += ao
        q0, q1, q2, q3 = m[k], m[k + at], m[k + 2 * at], m[k + 3 * at]
        k = b + t * bt
        b0, b1 = m[k : k + columns], m[k + bt : k + bt + columns]
        b2, b3 = m[k + 2 * bt : k + 2 * bt + columns], m[k + 3 * bt : k + 3 * bt + columns]
        for j in range(columns):
            y0[j] += p0 * b0[j] + p1 * b1[j] + p2 * b2[j] + p3 * b3[j]
            y1[j] += q0 * b0[j] + q1 * b1[j] + q2 * b2[j] + q3 * b3[j]
        t += 4
    while t < n:
        p, q = m[a + t * at], m[a + ao + t * at]
        c = m[b + t * bt : b + t * bt + columns]
        for j in range(columns):
            y0[j] += p * c[j]
            y1[j] += q * c[j]
        t += 1


def spread_one(m: Cells, out: int, columns: int, n: int, a: int, at: int, b: int, bt: int) -> None:
    """Add the terms of one row, four at a time."""
    y = m[out : out + columns]
    t = 0
    while t + 4 <= n:
        k = a + t * at
        p0, p1, p2, p3 = m[k], m[k + at], m[k + 2 * at], m[k + 3 * at]
        k = b + t * bt
        b0, b1 = m[k : k + columns], m[k + bt : k + bt + columns]
        b2, b3 = m[k + 2 * bt : k + 2 * bt + columns], m[k + 3 * bt : k + 3 * bt + columns]
        for j in range(columns):
            y[j] += p0 * b0[j] + p1 * b1[j] + p2 * b2[j] + p3 * b3[j]
        t += 4
    while t < n:
        p = m[a + t * at]
        c = m[b + t * bt : b + t * bt + columns]
        for j in range(columns):
            y[j] += p * c[j]
        t += 1


def beside(m: Cells, out: int, rows: int, columns: int, start: float, first: bool, r: Code) -> None:
    """Add neighbouring cells × neighbouring cells."""
    for i in range(rows):
        y = m[out + i * columns : out + (i + 1) * columns]
        for t in range(r[1]):
            a, b = r[2] + i * r[3] + t * r[5], r[6] + i * r[7] + t * r[9]
            p, q = m[a : a + columns], m[b : b + columns]
            if first and t == 0:
                for j in range(columns):
                    y[j] = start + p[j] * q[j]
            else:
                for j in range(columns):
                    y[j] += p[j] * q[j]


def along(m: Cells, out: int, rows: int, columns: int, r: Code) -> None:
    """Add sums over neighbouring terms, two rows by four columns at a time where they share."""
    n, a, ao, ai, b, bo, bi = r[1], r[2], r[3], r[4], r[6], r[7], r[8]
    if r[9] == 0:
        along_scaled(m, out, rows, columns, r)
        return
    i = 0
    if ai == 0 and bo == 0:
        while i + 2 <= rows:
            along_two(m, out + i * columns, columns, n, a + i * ao, ao, b, bi)
            i += 2
    while i < rows:
        for j in range(columns):
            k, l = a + i * ao + j * ai, b + i * bo + j * bi  # noqa: E741 - beside k
            p, q = m[k : k + n], m[l : l + n]
            total = -0.0
            for t in range(n):
                total += p[t] * q[t]
            m[out + i * columns + j] += total
        i += 1


def along_scaled(m: Cells, out: int, rows: int, columns: int, r: Code) -> None:
    """Add sums of neighbouring terms, all times one number."""
    for i in range(rows):
        for j in range(columns):
            k = r[2] + i * r[3] + j * r[4]
            factor = m[r[6] + i * r[7] + j * r[8]]
            p = m[k : k + r[1]]
            total = -0.0
            for t in range(r[1]):
                total += p[t] * factor
            m[out + i * columns + j] += total


def along_two(m: Cells, out: int, columns: int, n: int, a: int, ao: int, b: int, bi: int) -> None:
    """Add two rows of sums, four columns at a time."""
    p, q = m[a : a + n], m[a + ao : a + ao + n]
    j = 0
    while j + 4 <= columns:
        k = b + j * bi
        b0, b1 = m[k : k + n], m[k + bi : k + bi + n]
        b2, b3 = m[k + 2 * bi : k + 2 * bi + n], m[k + 3 * bi : k + 3 * bi + n]
        s0 = s1 = s2 = s3 = u0 = u1 = u2 = u3 = -0.0
        for t in range(n):
            s0 += p[t] * b0[t]
            s1 += p[t] * b1[t]
            s2 += p[t] * b2[t]
            s3 += p[t] * b3[t]
            u0 += q[t] * b0[t]
            u1 += q[t] * b1[t]
            u2 += q[t] * b2[t]
            u3 += q[t] * b3[t]
        y = out + j
        m[y] += s0
        m[y + 1] += s1
        m[y + 2] += s2
        m[y + 3] += s3
        y += columns
        m[y] += u0
        m[y + 1] += u1
        m[y + 2] += u2
        m[y + 3] += u3
        j += 4
    while j < columns:
        c = m[b + j * bi : b + j * bi + n]
        s = u = -0.0
        for t in range(n):
            s += p[t] * c[t]
            u += q[t] * c[t]
        m[out + j] += s
        m[out + columns + j] += u
        j += 1


def anyhow(m: Cells, out: int, rows: int, columns: int, r: Code) -> None:
    """Add products at any distances."""
    for i in range(rows):
        for j in range(columns):
            a, b = r[2] + i * r[3] + j * r[4], r[6] + i * r[7] + j * r[8]
            total = -0.0
            for t in range(r[1]):
                total += m[a + t * r[5]] * m[b + t * r[9]]
            m[out + i * columns + j] += total


def products(code: Code, pc: int, m: Cells) -> None:
    """Sum products ``out rows columns start runs`` and for each run ``mode terms a4 b4``."""
    out, rows, columns, start = code[pc + 2], code[pc + 3], code[pc + 4], m[code[pc + 5]]
    r = code[pc + 7 : pc + 17]
    if r[0] != 0 and r[0] != 2:
        fill(m, out, rows * columns, start)
    for k in range(code[pc + 6]):
        r = code[pc + 7 + 10 * k : pc + 17 + 10 * k]
        kind = r[0]
        if kind == 0:
            same(m, out, rows, columns, start if k == 0 else -0.0, k == 0, r)
        elif kind == 1:
            spread(m, out, rows, columns, r)
        elif kind == 2:
            beside(m, out, rows, columns, start, k == 0, r)
        elif kind == 3:
            along(m, out, rows, columns, r)
        else:
            anyhow(m, out, rows, columns, r)
