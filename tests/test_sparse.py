"""Tables know which of their parameters a gradient has reached."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from scalargrad import Parameter, Value
from scalargrad.sparse import SparseParameter, Table, Touched


def test_a_backward_sweep_touches_what_it_reaches() -> None:
    """Entries the root does not depend on stay out, in order of the sweep otherwise."""
    table = Table.zeros(3, 2, "w")
    (table[2][0] * 3.0 + table[0][1]).backward()
    assert set(table.touched) == {table[2][0], table[0][1]}
    assert [p.grad for row in table for p in row] == [0.0, 1.0, 0.0, 0.0, 3.0, 0.0]


def test_a_gradient_of_zero_touches_too() -> None:
    """As in PyTorch's sparse gradients, an entry looked up counts although its slope is 0."""
    table = Table.zeros(1, 2, "w")
    (table[0][0] * 0.0).backward()
    assert list(table.touched) == [table[0][0]]


def test_clearing_forgets_what_was_touched() -> None:
    """After zero_grad of the table, or of its last touched entry, nothing is touched."""
    table = Table.zeros(1, 2, "w")
    (table[0][0] + table[0][1]).backward()
    table[0][0].zero_grad()
    assert list(table.touched) == [table[0][1]]
    table.zero_grad()
    assert not table.touched
    assert [p.grad for p in table[0]] == [0.0, 0.0]


def test_pytorchs_habit_of_none_is_cleared_too() -> None:
    """p.grad = None means that no gradient reached p; it stayed None after zero_grad."""
    table = Table.zeros(1, 1, "w")
    table[0][0].backward()
    table[0][0].grad = None
    table.zero_grad()
    assert table[0][0].grad == 0.0
    assert not table.touched


def test_without_a_record_it_is_any_parameter() -> None:
    """Gradients are kept, cleared and added up as usual."""
    w = SparseParameter(2.0, "w")
    (w * w).backward()
    (w * w).backward()
    assert w.grad == 8.0
    w.grad = None
    w.zero_grad()
    assert w.grad == 0.0
    assert isinstance(w, Parameter)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
def test_a_copied_table_keeps_its_own_record(duplicate: object) -> None:
    """The copy notes what reaches the copy, and only that."""
    table = Table.zeros(2, 2, "w")
    table[1][1].backward()
    twin = duplicate(table)  # type: ignore[operator]
    assert list(twin.touched) == [twin[1][1]]
    assert (twin[1][1].grad, twin[1][1].label) == (1.0, "w[1,1]")
    (twin[0][0] * Value(2.0)).backward()
    assert len(twin.touched) == 2
    assert list(table.touched) == [table[1][1]]


class Priced(SparseParameter):
    """A parameter of a user's that adds an attribute."""

    price = 1.0


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
def test_what_a_class_derived_from_a_tables_adds_is_copied(duplicate: Any) -> None:
    """Beside its record."""
    entry = Priced(2.0, "w", Touched())
    entry.price = 5.0
    entry.backward()
    twin = duplicate(entry)
    assert (twin.data, twin.grad, twin.price, [*twin.touched]) == (2.0, 1.0, 5.0, [twin])


def test_pickles_of_the_first_version_can_be_read() -> None:
    """Two entries of one table as version 0.1.0 wrote them, after a sweep from 5 w."""
    v, w = pickle.loads(
        b"(lp0\ncscalargrad.sparse\n_restore\np1\n(cscalargrad.sparse\nSparseParameter\np2\n"
        b"F2.0\nF0.0\nVv\np3\ntp4\nRp5\nccopy_reg\n_reconstructor\np6\n(cscalargrad.sparse\n"
        b"Touched\np7\nc__builtin__\ndict\np8\n(dp9\ng1\n(g2\nF3.0\nF5.0\nVw\np10\ntp11\nRp12\n"
        b"g6\n(g7\ng8\n(dp13\ng12\nNstp14\nRp15\nbNstp16\nR0g15\nbag12\na."
    )
    assert (v.data, v.grad, w.data, w.grad) == (2.0, 0.0, 3.0, 5.0)
    assert [*w.touched] == [w]
    w.touched.zero_grad()
    assert w.grad == 0.0
    w.backward()
    assert [*w.touched] == [w]


def test_an_entry_cannot_be_exchanged_behind_the_records_back() -> None:
    """Rows are tuples: values are assigned to `data`."""
    table = Table.zeros(1, 1, "w")
    with pytest.raises(TypeError):
        table[0][0] = Parameter(1.0)  # type: ignore[index]
    assert Touched() == {}


def test_a_table_is_indexed_like_a_matrix() -> None:
    """Two numbers or slices choose as in NumPy: an entry, part of a row, of a column, a block."""
    table = Table.zeros(3, 4, "w")
    rows = [[*row] for row in table]
    assert table[1, 2] is rows[1][2]
    assert list(table[1, 1:3]) == rows[1][1:3]
    assert list(table[0:2, 3]) == [rows[0][3], rows[1][3]]
    assert [list(row) for row in table[1:, ::2]] == [rows[1][::2], rows[2][::2]]
