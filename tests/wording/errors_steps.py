"""Errors of walks, pages and slides."""

from __future__ import annotations

from pathlib import Path

from scalargrad import Parameter, Value, walk
from scalargrad.nn import MLP


def walk_through_a_number() -> None:
    """Give a float where a graph is needed."""
    walk(3.0)  # type: ignore[arg-type]


def walk_through_a_graph_whose_leaf_was_assigned_to() -> None:
    """Show numbers that do not fit together."""
    x = Value(3.0, "x")
    y = x * 2.0
    x.data = 50.0
    walk(y)


def walk_with_a_class_as_model() -> None:
    """Give the class of a network instead of the network."""
    walk(Value(2.0) * 3.0, model=MLP)


def index_beyond_the_steps() -> None:
    """Ask for a step that is not there."""
    walk(Value(2.0) * 3.0)[10]


def unknown_notation() -> None:
    """Ask for a notation that nobody writes."""
    walk(Value(2.0) * 3.0)[2].text("leibniz")  # type: ignore[arg-type]


def unknown_form() -> None:
    """Ask for a form that steps do not have."""
    walk(Value(2.0) * 3.0)[2].symbols(form="latex")  # type: ignore[arg-type]


def page_under_a_name_of_another_kind() -> None:
    """Save a page as PDF."""
    walk(Value(2.0) * 3.0).save("walk.pdf")


def page_of_no_steps() -> None:
    """Save an empty slice."""
    walk(Value(2.0) * 3.0)[:0].save("walk.html")


def page_of_a_graph_with_too_many_nodes() -> None:
    """Save a page of 10,001 nodes."""
    walk(_chain(10_000)).save("walk.html")


def slides_of_another_format() -> None:
    """Export as GIF."""
    walk(Value(2.0) * 3.0).export(Path("slides"), format="mp4")  # type: ignore[arg-type]


def slides_of_a_graph_with_too_many_nodes() -> None:
    """Export slides of 301 nodes."""
    walk(_chain(300)).export(Path("slides"))


def _chain(gates: int) -> Value:
    y: Value = Parameter(1.0, "w")
    for _ in range(gates):
        y = y * 1.0
    return y
