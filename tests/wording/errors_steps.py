"""Errors of walks, pages and slides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from scalargrad import Parameter, Value, walk
from scalargrad.nn import MLP


def walk_through_a_graph_whose_leaf_was_assigned_to() -> None:
    """Show numbers that do not fit together."""
    x = Value(3.0, "x")
    y = x * 2.0
    x.data = 50.0
    walk(y)


def _chain(gates: int) -> Value:
    y: Value = Parameter(1.0, "w")
    for _ in range(gates):
        y = y * 1.0
    return y


CASES: dict[str, Callable[[], object]] = {
    "walk_through_a_number": lambda: walk(3.0),  # type: ignore[arg-type]
    "walk_with_a_class_as_model": lambda: walk(Value(2.0) * 3.0, model=MLP),
    "index_beyond_the_steps": lambda: walk(Value(2.0) * 3.0)[10],
    "unknown_notation": lambda: walk(Value(2.0) * 3.0)[2].text("leibniz"),  # type: ignore[arg-type]
    "unknown_form": lambda: walk(Value(2.0) * 3.0)[2].symbols(form="latex"),  # type: ignore[arg-type]
    "page_under_a_name_of_another_kind": lambda: walk(Value(2.0) * 3.0).save("walk.pdf"),
    "page_of_a_graph_with_too_many_nodes": lambda: walk(_chain(10_000)).save("walk.html"),
    "slides_of_another_format": lambda: walk(Value(2.0) * 3.0).export(Path("slides"), format="mp4"),  # type: ignore[arg-type]
    "slides_of_a_graph_with_too_many_nodes": lambda: walk(_chain(300)).export(Path("slides")),
}
