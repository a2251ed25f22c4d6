"""Memory: nothing that was computed stays behind; ``python -m fuzz.soak`` asks for longer."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from weakref import WeakSet

import pytest

from fuzz.soak import LOADS, MOST, growth

CALLS = {"steps": 4_000, "shapes": 600, "graphs": 40}


@pytest.mark.uncounted
@pytest.mark.parametrize("name", LOADS)
def test_objects_do_not_add_up(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second half of a load leaves behind no more than the first; few shapes are kept."""
    pytest.importorskip("numpy")
    from scalargrad.compiler.call import paths

    monkeypatch.setattr(paths, "SHAPES", 16)

    def objects() -> int:
        gc.collect()
        return len(gc.get_objects())

    assert growth(LOADS[name][0], CALLS[name], objects) < MOST


def test_what_is_kept_is_noticed() -> None:
    """A load that keeps its results grows."""
    kept: list[object] = []

    def leaking(count: int) -> Iterator[None]:
        for _ in range(count):
            kept.append([0.0])
            yield

    def held() -> int:
        return len(kept)

    assert growth(leaking, 1_000, held) > MOST


def test_what_a_load_holds_till_its_end_is_noticed() -> None:
    """Programs that a function keeps go with it, which must not hide that they have become more."""
    alive: WeakSet[Kept] = WeakSet()

    def leaking(count: int) -> Iterator[None]:
        kept = []
        for _ in range(count):
            kept.append(Kept())
            alive.add(kept[-1])
            yield

    assert growth(leaking, 1_000, lambda: len(alive)) == 1.0


class Kept:
    """An object whose life can be watched."""
