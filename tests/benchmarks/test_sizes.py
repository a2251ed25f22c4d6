"""The measurements of sizes measure what they say."""

from __future__ import annotations

from benchmarks import sizes


def test_each_kind_is_measured() -> None:
    """Small ones: times that passed, and a page that was written."""
    assert all(x > 0.0 for x in sizes.graph(300)[:2])
    assert all(x > 0.0 for x in sizes.record(300)[:2])
    assert all(x > 0.0 for x in sizes.vmap(30)[:2])
    written, _, size = sizes.page(9)
    assert written > 0.0
    assert size > 50_000
