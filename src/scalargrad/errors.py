"""The exceptions that scalargrad raises, with one base class, and its warnings.

Each exception also derives from the built-in exception that a caller would expect, so that
``except ValueError`` catches a DomainError. Messages name the node, show its value and say what to
do.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

__all__ = [
    "DivisionByZeroError",
    "DomainError",
    "ExpressionError",
    "GradcheckError",
    "GraphChangedError",
    "GraphError",
    "GraphTooLargeError",
    "JitWarning",
    "LayoutError",
    "MissingPackageError",
    "NumericalError",
    "OperandError",
    "ScalargradError",
    "StateError",
    "SweepError",
    "TraceError",
    "TrainingWarning",
    "WorkerError",
]


class ScalargradError(Exception):
    """Base class of all exceptions that scalargrad raises.

    If the exception ended `fit`, `history` is the `History` of the epochs completed before.
    """

    history: object = None


class OperandError(ScalargradError, TypeError):
    """An operand is not a real number, or a Value was used where a number is needed."""


class DomainError(ScalargradError, ValueError):
    """An operation was applied outside its domain, as in log(-1), 1/0 or (-8) ** (1/3)."""


class DivisionByZeroError(DomainError, ZeroDivisionError):
    """A division by 0, or 0 raised to a negative power."""


class NumericalError(ScalargradError, ArithmeticError):
    """A value or gradient is inf or nan where a finite number is needed."""


class GraphError(ScalargradError, RuntimeError):
    """The graph does not allow an action: there is no path, or a node is of the wrong kind."""


class GraphChangedError(GraphError):
    """A leaf changed after the graph was built, so a partial derivative cannot be recomputed."""


class GraphTooLargeError(GraphError):
    """A graph has more nodes than may be drawn."""


class ExpressionError(ScalargradError, ValueError):
    """An expression cannot be parsed; the message marks the column."""


class StateError(ScalargradError, RuntimeError):
    """Saved numbers do not fit the object they are loaded into, or their file cannot be read."""


class GradcheckError(ScalargradError, AssertionError):
    """Gradients disagree with central differences; the message is the full report."""


class LayoutError(ScalargradError, RuntimeError):
    """A picture cannot be drawn: Graphviz is missing, or a format, direction or color is wrong."""


class MissingPackageError(ScalargradError, ImportError):
    """An optional package is needed but not installed; the message names it."""


class TraceError(ScalargradError, TypeError):
    """A function cannot be traced; the message says where and what to do."""


class WorkerError(ScalargradError, RuntimeError):
    """A worker process died, or cannot read the data that was sent to it.

    Attributes
    ----------
    finished : dict from int to result
        The results of a sweep so far, by the indices of its points; empty for other calls.
    """

    finished: Mapping[int, Any] = MappingProxyType({})


class SweepError(ScalargradError, RuntimeError):
    """A point of a sweep failed.

    Attributes
    ----------
    index : int
        Index of the point that failed.
    point
        The point itself.
    finished : dict from int to result
        Results of the points that did not fail, by index; pass it to `sweep` to continue.
    """

    def __init__(self, message: str, index: int, point: Any, finished: dict[int, Any]) -> None:
        super().__init__(message, index, point, finished)
        self.index = index
        self.point = point
        self.finished = finished

    def __str__(self) -> str:
        return str(self.args[0])


class JitWarning(UserWarning):
    """A compiled function is retraced repeatedly, or evaluated eagerly; its results are correct."""


class TrainingWarning(UserWarning):
    """Training continues, but the labels or the optimizer look wrong."""
