"""Every exception scalargrad raises on purpose, under one base class, and its warnings.

Each also derives from the built-in a caller would expect, so ``except ValueError``
catches a DomainError. Messages name the node, show its value and say what to do.
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
    """Base class of every error scalargrad raises on purpose.

    Where one ended `fit`, `history` is the `History` of the epochs completed before.
    """

    history: object = None


class OperandError(ScalargradError, TypeError):
    """An operand is not a real number, or a Value was used where a number is needed."""


class DomainError(ScalargradError, ValueError):
    """An operation was applied outside its domain: log(-1), 1/0, (-8) ** (1/3)."""


class DivisionByZeroError(DomainError, ZeroDivisionError):
    """A division by 0, or 0 raised to a negative power."""


class NumericalError(ScalargradError, ArithmeticError):
    """A value or gradient is infinite or not a number where a finite one is needed."""


class GraphError(ScalargradError, RuntimeError):
    """The graph cannot do what was asked of it: no path, wrong kind of node."""


class GraphChangedError(GraphError):
    """A leaf changed after the graph was recorded, so a partial cannot be recomputed."""


class GraphTooLargeError(GraphError):
    """A graph has more nodes than the display was allowed to draw."""


class ExpressionError(ScalargradError, ValueError):
    """An expression given as text is not one scalargrad can read; the column is marked."""


class StateError(ScalargradError, RuntimeError):
    """Saved numbers do not fit what they are loaded into, or their file is damaged or foreign."""


class GradcheckError(ScalargradError, AssertionError):
    """Gradients disagree with central differences; the message is the full report."""


class LayoutError(ScalargradError, RuntimeError):
    """A picture cannot be made: no Graphviz, or no such format, direction or colour."""


class MissingPackageError(ScalargradError, ImportError):
    """An optional package that was asked for is not installed; the message says which."""


class TraceError(ScalargradError, TypeError):
    """A compiled function did what cannot be recorded; the message says where and what to do."""


class WorkerError(ScalargradError, RuntimeError):
    """A worker process died, or cannot read the data that it was sent.

    Attributes
    ----------
    finished : dict from int to result
        The results of a sweep so far, by the indices of its points; empty for others.
    """

    finished: Mapping[int, Any] = MappingProxyType({})


class SweepError(ScalargradError, RuntimeError):
    """A point of a sweep failed.

    Attributes
    ----------
    index : int
        Which point.
    point
        The point itself.
    finished : dict from int to result
        What did not fail, by the indices of its points; `sweep` takes it to go on.
    """

    def __init__(self, message: str, index: int, point: Any, finished: dict[int, Any]) -> None:
        super().__init__(message, index, point, finished)
        self.index = index
        self.point = point
        self.finished = finished

    def __str__(self) -> str:
        return str(self.args[0])


class JitWarning(UserWarning):
    """A compiled function is recorded again and again, or evaluated eagerly; the results stand."""


class TrainingWarning(UserWarning):
    """Training goes on, but hardly as it was meant: labels or an optimiser that do not fit."""
