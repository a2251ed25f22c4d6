"""The loops of the kernel, as plain Python functions of numbers and one row of cells.

`kernel` prints them, with a loop for each operation of the table, into one file that Numba
compiles. They read an instruction at ``code[pc]``: its fields stand in the order that `encode`
writes them. Sums of products may be reordered; nothing else may.

They call no function with a loop of its own, which LLVM would optimise again for each caller,
and take no slices, which cost Numba more than the loops themselves.
"""

from __future__ import annotations

from typing import Any

from scalargrad.compiler.backend.registers import full, load, multiply_add, store

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


def run_at(code: Code, pc: int) -> Any:
    """Return ``out rows columns start terms``, and two factors with the fields of `Affine`.

    The sums are set on top of the cell `start`, or where it is negative added to what is there.
    """
    head = code[pc + 2], code[pc + 3], code[pc + 4], code[pc + 5], code[pc + 6]
    a = code[pc + 7], code[pc + 8], code[pc + 9], code[pc + 10]
    b = code[pc + 11], code[pc + 12], code[pc + 13], code[pc + 14]
    return head, a, b


def same(code: Code, pc: int, m: Cells) -> None:
    """Sum products once for each row."""
    (out, rows, columns, start, n), (a, ao, _, at), (b, bo, _, bt) = run_at(code, pc)
    for i in range(rows):
        y = out + i * columns
        total = m[start] if start >= 0 else -0.0
        for t in range(n):
            total += m[a + i * ao + t * at] * m[b + i * bo + t * bt]
        if start >= 0:
            for j in range(columns):
                m[y + j] = total
        else:
            for j in range(columns):
                m[y + j] += total


def spread(code: Code, pc: int, m: Cells) -> None:
    """Sum number × row, four terms at a time."""
    (out, rows, columns, start, n), (a, ao, _, at), (b, bo, _, bt) = run_at(code, pc)
    for i in range(rows):
        y, k, l, t = out + i * columns, a + i * ao, b + i * bo, 0  # noqa: E741 - beside k
        if start >= 0:
            t, first, p0 = 1, m[start], m[k]
            for j in range(columns):
                m[y + j] = first + p0 * m[l + j]
        while t + 4 <= n:
            p0, p1 = m[k + t * at], m[k + (t + 1) * at]
            p2, p3 = m[k + (t + 2) * at], m[k + (t + 3) * at]
            b0 = l + t * bt
            b1, b2, b3 = b0 + bt, b0 + 2 * bt, b0 + 3 * bt
            for j in range(columns):
                m[y + j] += p0 * m[b0 + j] + p1 * m[b1 + j] + p2 * m[b2 + j] + p3 * m[b3 + j]
            t += 4
        while t < n:
            p0, b0 = m[k + t * at], l + t * bt
            for j in range(columns):
                m[y + j] += p0 * m[b0 + j]
            t += 1


def spread_tiled(code: Code, pc: int, m: Cells) -> None:
    """Sum number × row in tiles of four rows by sixteen columns, held in registers.

    Sums to set may be computed twice, in the last two tiles of a row; sums to add may not.
    """
    (out, rows, columns, start, n), (a, ao, _, at), (b, _, _, bt) = run_at(code, pc)
    for i in range(0, rows, 4):
        y0 = out + i * columns
        y1, y2, y3 = y0 + columns, y0 + 2 * columns, y0 + 3 * columns
        j = 0
        while j < columns:
            j = min(j, columns - 16)
            k0, l = a + i * ao, b + j  # noqa: E741 - beside k
            k1, k2, k3 = k0 + ao, k0 + 2 * ao, k0 + 3 * ao
            if start >= 0:
                s00 = s01 = s10 = s11 = s20 = s21 = s30 = s31 = full(m[start])
            else:
                s00, s01 = load(m, y0 + j), load(m, y0 + j + 8)
                s10, s11 = load(m, y1 + j), load(m, y1 + j + 8)
                s20, s21 = load(m, y2 + j), load(m, y2 + j + 8)
                s30, s31 = load(m, y3 + j), load(m, y3 + j + 8)
            for _t in range(n):
                c0, c1 = load(m, l), load(m, l + 8)
                p = full(m[k0])
                s00, s01 = multiply_add(p, c0, s00), multiply_add(p, c1, s01)
                p = full(m[k1])
                s10, s11 = multiply_add(p, c0, s10), multiply_add(p, c1, s11)
                p = full(m[k2])
                s20, s21 = multiply_add(p, c0, s20), multiply_add(p, c1, s21)
                p = full(m[k3])
                s30, s31 = multiply_add(p, c0, s30), multiply_add(p, c1, s31)
                k0, k1, k2, k3, l = k0 + at, k1 + at, k2 + at, k3 + at, l + bt  # noqa: E741
            store(m, y0 + j, s00)
            store(m, y0 + j + 8, s01)
            store(m, y1 + j, s10)
            store(m, y1 + j + 8, s11)
            store(m, y2 + j, s20)
            store(m, y2 + j + 8, s21)
            store(m, y3 + j, s30)
            store(m, y3 + j + 8, s31)
            j += 16


def beside(code: Code, pc: int, m: Cells) -> None:
    """Sum neighbouring cells × neighbouring cells."""
    (out, rows, columns, start, n), (a, ao, _, at), (b, bo, _, bt) = run_at(code, pc)
    for i in range(rows):
        y, k, l = out + i * columns, a + i * ao, b + i * bo  # noqa: E741 - beside k
        if start >= 0:
            first = m[start]
            for j in range(columns):
                m[y + j] = first + m[k + j] * m[l + j]
            k, l = k + at, l + bt  # noqa: E741 - beside k
        for _t in range(1 if start >= 0 else 0, n):
            for j in range(columns):
                m[y + j] += m[k + j] * m[l + j]
            k, l = k + at, l + bt  # noqa: E741 - beside k


def along(code: Code, pc: int, m: Cells) -> None:
    """Sum over neighbouring terms."""
    (out, rows, columns, start, n), (a, ao, ai, _), (b, bo, bi, _) = run_at(code, pc)
    for i in range(rows):
        for j in range(columns):
            k, l, y = a + i * ao + j * ai, b + i * bo + j * bi, out + i * columns + j  # noqa: E741
            total = -0.0
            for t in range(n):
                total += m[k + t] * m[l + t]
            m[y] = total + (m[start] if start >= 0 else m[y])


def along_tiled(code: Code, pc: int, m: Cells) -> None:
    """Sum over neighbouring terms, in tiles of two rows by four columns."""
    (out, rows, columns, start, n), (a, ao, _, _), (b, _, bi, _) = run_at(code, pc)
    for i in range(0, rows, 2):
        p = a + i * ao
        q = p + ao
        for j in range(0, columns, 4):
            b0 = b + j * bi
            b1, b2, b3 = b0 + bi, b0 + 2 * bi, b0 + 3 * bi
            s0 = s1 = s2 = s3 = u0 = u1 = u2 = u3 = -0.0
            for t in range(n):
                c0, c1, c2, c3 = m[b0 + t], m[b1 + t], m[b2 + t], m[b3 + t]
                s0 += m[p + t] * c0
                s1 += m[p + t] * c1
                s2 += m[p + t] * c2
                s3 += m[p + t] * c3
                u0 += m[q + t] * c0
                u1 += m[q + t] * c1
                u2 += m[q + t] * c2
                u3 += m[q + t] * c3
            y = out + i * columns + j
            z = y + columns
            m[y] = s0 + (m[start] if start >= 0 else m[y])
            m[y + 1] = s1 + (m[start] if start >= 0 else m[y + 1])
            m[y + 2] = s2 + (m[start] if start >= 0 else m[y + 2])
            m[y + 3] = s3 + (m[start] if start >= 0 else m[y + 3])
            m[z] = u0 + (m[start] if start >= 0 else m[z])
            m[z + 1] = u1 + (m[start] if start >= 0 else m[z + 1])
            m[z + 2] = u2 + (m[start] if start >= 0 else m[z + 2])
            m[z + 3] = u3 + (m[start] if start >= 0 else m[z + 3])


def along_scaled(code: Code, pc: int, m: Cells) -> None:
    """Sum over neighbouring terms, all times one number."""
    (out, rows, columns, start, n), (a, ao, ai, _), (b, bo, bi, _) = run_at(code, pc)
    for i in range(rows):
        for j in range(columns):
            k, y = a + i * ao + j * ai, out + i * columns + j
            factor = m[b + i * bo + j * bi]
            total = -0.0
            for t in range(n):
                total += m[k + t] * factor
            m[y] = total + (m[start] if start >= 0 else m[y])


def anyhow(code: Code, pc: int, m: Cells) -> None:
    """Sum products at any distances."""
    (out, rows, columns, start, n), (a, ao, ai, at), (b, bo, bi, bt) = run_at(code, pc)
    for i in range(rows):
        for j in range(columns):
            k, l, y = a + i * ao + j * ai, b + i * bo + j * bi, out + i * columns + j  # noqa: E741
            total = m[start] if start >= 0 else m[y]
            for t in range(n):
                total += m[k + t * at] * m[l + t * bt]
            m[y] = total
