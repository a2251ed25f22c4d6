"""Parameter matrices that record which of their entries have received a gradient.

The weight of an Embedding of 10,000 words with 10 features has 100,000 parameters, of which one
example uses a hundred. With the record, zeroing gradients, clipping and optimizer steps visit those
hundred and skip the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scalargrad.engine.recorder import refuse_if_recorded
from scalargrad.engine.value import Parameter, Value
from scalargrad.errors import OperandError


class Touched(dict["SparseParameter", None]):
    """The entries of a parameter matrix whose gradient was written since it was last zeroed.

    This is a dict with None as values, used as an ordered set.
    """

    __slots__ = ()

    def zero_grad(self) -> None:
        """Set the gradient of every recorded parameter to 0, and clear the record."""
        refuse_if_recorded("zero_grad")
        for parameter in self:
            _set_grad(parameter, 0.0)
        self.clear()


#: The slot descriptor of `Value.grad`, which reads and writes gradients without recording it.
_SLOT: Any = Value.grad
_grad, _set_grad = _SLOT.__get__, _SLOT.__set__


class SparseParameter(Parameter):
    """A Parameter that adds itself to a `Touched` record when its gradient is written.

    Parameters
    ----------
    data : real number
        Stored as a float.
    label : str, optional
        Name in pictures, steps and messages.
    touched : Touched, optional
        The record; without one, this is an ordinary Parameter.

    Notes
    -----
    Every write is recorded, even of a 0 by a backward pass, or of None, as PyTorch's `zero_grad`
    does: it must be reset to 0 as well. `zero_grad` removes the parameter from the record.

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

    def _record_grad(self, grad: float) -> None:
        """Write the gradient, and record it."""
        _set_grad(self, grad)
        if self.touched is not None:
            self.touched[self] = None

    # The getter is the slot's own, so that reading does not call a Python function.
    grad = property(_grad, _record_grad, doc="∂root/∂self, as of any Value.")

    def zero_grad(self) -> None:
        """Set the gradient to 0, and remove the parameter from the record."""
        super().zero_grad()
        if self.touched is not None:
            self.touched.pop(self, None)

    def __reduce__(self) -> tuple[Any, ...]:
        reduced = super().__reduce__()
        if not reduced[1]:  # copied while a function is traced for compilation
            return reduced
        return _restore, *reduced[1:]

    def __getstate__(self) -> Any:
        """Return the record; only subclasses need the slower search for further state."""
        if type(self) is SparseParameter:
            return None, {"touched": self.touched}
        return super().__getstate__()


def _restore(kind: type[SparseParameter], data: float, grad: float, label: str) -> SparseParameter:
    """Rebuild a pickled parameter; its record is set later, because each refers to the other."""
    parameter = kind.__new__(kind)
    parameter.touched = None
    Parameter.__init__(parameter, data, label)
    _set_grad(parameter, grad)
    return parameter


class Vector(tuple[Parameter, ...]):
    """A vector of Parameters, such as the biases of a layer or a column of its weights.

    It is a tuple, so entries cannot be replaced: assign to the `data` of an entry instead.

    Examples
    --------
    >>> Vector([Parameter(2.0)]).item()
    2.0
    """

    __slots__ = ()

    @classmethod
    def full(cls, length: int, fill_value: float, label: str) -> Vector:
        """Create a vector filled with a number; its entries are labeled ``label[i]``."""
        return cls(Parameter(fill_value, f"{label}[{i}]") for i in range(length))

    def item(self) -> float:
        """Return the number of a vector of length 1, as PyTorch does.

        Raises
        ------
        OperandError
            If the vector has another length.
        """
        if len(self) != 1:
            raise OperandError(f"item() takes a vector of one number; this one has {len(self)}")
        return self[0].data


class ParameterMatrix(tuple[tuple[SparseParameter, ...], ...]):
    """A matrix of parameters with one record of the entries that have received a gradient.

    It is a tuple of rows, so entries cannot be replaced, which the record would miss: assign to
    the `data` of an entry instead. Like a PyTorch matrix, it can be indexed as ``matrix[0, 1]``,
    ``matrix[:, 1]`` and ``matrix[0][1]``.

    Parameters
    ----------
    rows : iterable of iterables of SparseParameter
        The entries, all created with `touched`.
    touched : Touched
        The shared record.

    Examples
    --------
    >>> matrix = ParameterMatrix.zeros(2, 3, "w")
    >>> matrix[1][2]
    SparseParameter(data=0.0, grad=0.0, label='w[1,2]')
    >>> [parameter.label for parameter in matrix[:, 2]]
    ['w[0,2]', 'w[1,2]']
    """

    touched: Touched

    def __new__(
        cls, rows: Iterable[Iterable[SparseParameter]], touched: Touched
    ) -> ParameterMatrix:
        """Convert the rows to tuples."""
        matrix = super().__new__(cls, (tuple(row) for row in rows))
        matrix.touched = touched
        return matrix

    @classmethod
    def zeros(cls, rows: int, columns: int, label: str) -> ParameterMatrix:
        """Create a matrix of zeros; its entries are labeled ``label[row,column]``."""
        touched = Touched()
        parameters = (
            [SparseParameter(0.0, f"{label}[{i},{j}]", touched) for j in range(columns)]
            for i in range(rows)
        )
        return cls(parameters, touched)

    def __getitem__(self, index: Any) -> Any:
        """Return a row, several rows, or the part at a pair of row and column indices."""
        if not isinstance(index, tuple):
            return super().__getitem__(index)
        if len(index) != 2:
            raise OperandError(
                f"a matrix takes two indices, row and column; got {len(index)} indices"
            )
        rows, column = index
        selection: Any = super().__getitem__(rows)
        if not isinstance(rows, slice):
            return Vector(selection[column]) if isinstance(column, slice) else selection[column]
        if isinstance(column, slice):
            return tuple(Vector(row[column]) for row in selection)
        return Vector(row[column] for row in selection)

    def __getnewargs__(self) -> tuple[Any, ...]:
        return tuple(self), self.touched

    def zero_grad(self) -> None:
        """Set the gradient of every entry in the record to 0."""
        self.touched.zero_grad()


#: Former name, which models pickled by earlier versions refer to.
Table = ParameterMatrix
