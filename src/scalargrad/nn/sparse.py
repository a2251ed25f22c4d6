"""Parameters that note when a gradient reaches them, so that a step costs only what it touches.

A table of 10,000 words by 10 features has 100,000 parameters, and one example reads a hundred of
them. Clearing, clipping and updating then visit that hundred and skip the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scalargrad.errors import OperandError
from scalargrad.grad_mode import refuse_if_recorded
from scalargrad.value import Parameter, Value


class Touched(dict["SparseParameter", None]):
    """The parameters of one table whose gradient was written since it was last cleared.

    A dict without values, because it keeps the order in which they were touched.
    """

    __slots__ = ()

    def zero_grad(self) -> None:
        """Set the gradient of every touched parameter to 0 and forget them."""
        refuse_if_recorded("zero_grad")
        for parameter in self:
            _set_grad(parameter, 0.0)
        self.clear()


#: The slot of a Value's gradient, to read and write it without noting that it was written.
_SLOT: Any = Value.grad
_grad, _set_grad = _SLOT.__get__, _SLOT.__set__


class SparseParameter(Parameter):
    """A Parameter that enters itself in its table's `Touched` when its gradient is written.

    Parameters
    ----------
    data : real number
        Stored as a float.
    label : str, optional
        Name in pictures, steps and messages.
    touched : Touched, optional
        Where to enter itself; without one it behaves as any Parameter.

    Notes
    -----
    Any write counts, a 0 that a backward sweep adds too, and None, PyTorch's habit, which is to be
    cleared as well; `zero_grad` takes the parameter out again.

    Examples
    --------
    >>> touched = Touched()
    >>> v, w = SparseParameter(2.0, "v", touched), SparseParameter(3.0, "w", touched)
    >>> (5.0 * w).backward()
    >>> list(touched)
    [SparseParameter(data=3.0, grad=5.0, label='w')]
    """

    __slots__ = ("touched",)

    touched: Touched | None

    def __init__(self, data: float, label: str = "", touched: Touched | None = None) -> None:
        self.touched = None
        super().__init__(data, label)
        self.touched = touched

    def _receive(self, signal: float) -> None:
        """Write the gradient, and note that it was written."""
        _set_grad(self, signal)
        if self.touched is not None:
            self.touched[self] = None

    grad = property(_grad, _receive, doc="∂root/∂self, as of any Value.")  # read without a call

    def zero_grad(self) -> None:
        """Set the gradient to 0 and count as untouched."""
        super().zero_grad()
        if self.touched is not None:
            self.touched.pop(self, None)

    def __reduce__(self) -> tuple[Any, ...]:
        reduced = super().__reduce__()
        if not reduced[1]:  # copied while a compiled function is recorded
            return reduced
        return _restore, *reduced[1:]

    def __getstate__(self) -> Any:
        """Return the record alone if no class adds more: a search would take far longer."""
        if type(self) is SparseParameter:
            return None, {"touched": self.touched}
        return super().__getstate__()


def _restore(kind: type[SparseParameter], data: float, grad: float, label: str) -> SparseParameter:
    """Rebuild a pickled parameter; its record follows as state: the two refer to each other."""
    parameter = kind.__new__(kind)
    parameter.touched = None
    Parameter.__init__(parameter, data, label)
    _set_grad(parameter, grad)
    return parameter


class Vector(tuple[Parameter, ...]):
    """Parameters in a row, such as the biases of a layer or a column of its weights.

    A tuple, so that no entry can be exchanged: assign to the `data` of an entry instead.

    Examples
    --------
    >>> Vector([Parameter(2.0)]).item()
    2.0
    """

    __slots__ = ()

    @classmethod
    def full(cls, length: int, fill_value: float, label: str) -> Vector:
        """Make a vector of one number, labelled ``label[i]``."""
        return cls(Parameter(fill_value, f"{label}[{i}]") for i in range(length))

    def item(self) -> float:
        """Return the number of a vector of length 1, as PyTorch does.

        Raises
        ------
        OperandError
            If it has another length.
        """
        if len(self) != 1:
            raise OperandError(f"item() takes a vector of one number; this one has {len(self)}")
        return self[0].data


class Table(tuple[tuple[SparseParameter, ...], ...]):
    """Rows of sparse parameters that share one record of those that were touched.

    A tuple, so that no entry can be exchanged behind the record's back: assign to the `data`
    of an entry instead. Like a PyTorch matrix it takes two indices, ``table[0, 1]`` and
    ``table[:, 1]``, as well as one after the other.

    Parameters
    ----------
    rows : iterable of iterables of SparseParameter
        All created with `touched`.
    touched : Touched
        The record they share.

    Examples
    --------
    >>> table = Table.zeros(2, 3, "w")
    >>> table[1][2]
    SparseParameter(data=0.0, grad=0.0, label='w[1,2]')
    >>> [parameter.label for parameter in table[:, 2]]
    ['w[0,2]', 'w[1,2]']
    """

    touched: Touched

    def __new__(cls, rows: Iterable[Iterable[SparseParameter]], touched: Touched) -> Table:
        """Make the rows tuples."""
        table = super().__new__(cls, (tuple(row) for row in rows))
        table.touched = touched
        return table

    @classmethod
    def zeros(cls, rows: int, columns: int, label: str) -> Table:
        """Make a table of zeros, labelled ``label[row,column]``."""
        touched = Touched()
        parameters = (
            [SparseParameter(0.0, f"{label}[{i},{j}]", touched) for j in range(columns)]
            for i in range(rows)
        )
        return cls(parameters, touched)

    def __getitem__(self, index: Any) -> Any:  # columns, too
        """Return a row, some rows, or what a row index and a column index choose."""
        if not isinstance(index, tuple):
            return super().__getitem__(index)
        if len(index) != 2:
            raise OperandError(f"a matrix has rows and columns; {len(index)} indices were given")
        rows, column = index
        chosen: Any = super().__getitem__(rows)
        if not isinstance(rows, slice):
            return Vector(chosen[column]) if isinstance(column, slice) else chosen[column]
        if isinstance(column, slice):
            return tuple(Vector(row[column]) for row in chosen)
        return Vector(row[column] for row in chosen)

    def __getnewargs__(self) -> tuple[Any, ...]:
        return tuple(self), self.touched

    def zero_grad(self) -> None:
        """Set the gradient of every touched parameter to 0."""
        self.touched.zero_grad()
