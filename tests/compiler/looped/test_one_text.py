"""Programs that differ in length alone have one text, and are compiled once."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from scalargrad import Value, hessian, jit, log, value_and_grad
from scalargrad.compiler.loops.loop import Looped
from scalargrad.compiler.loops.loop_printer import printed
from scalargrad.compiler.loops.looped import looped
from scalargrad.compiler.trace.record import record

pytest.importorskip("llvmlite")

DATA = [((7 * k) % 23) / 23.0 - 0.4 for k in range(300)]


def likelihood(p: Any, xs: Any) -> Any:
    """Return the mean of a GARCH likelihood."""
    s, total = 1.0, 0.0
    for x in xs:
        s = p[0] + p[1] * x * x + p[2] * s
        total = total + log(s) + x * x / s
    return total / len(xs)


@pytest.mark.uncounted
def test_a_hundred_lengths_have_two_texts() -> None:
    """One where lanes fill registers, and one where some are left over."""
    texts = set()
    for n in range(150, 250):
        leaves = [Value(0.1), Value(0.1), Value(0.8)]
        derived = value_and_grad(partial(likelihood, xs=DATA[:n]))
        found = looped(record(partial(derived, leaves), leaves)[0].program)
        assert isinstance(found, Looped)
        texts.add(printed(found).module.text())
    assert len(texts) == 2


def test_lengths_that_share_code_have_their_own_numbers() -> None:
    """Results for several lengths in turn, and with other data, are those of eager evaluation."""
    p = [0.1, 0.1, 0.8]
    compiled = jit(lambda p, xs: value_and_grad(lambda p: likelihood(p, xs))(p))
    for n in (150, 151, 155, 158, 150, 151):
        for xs in (DATA[:n], DATA[n : 2 * n] if n < 151 else DATA[-n:]):
            value, gradient = compiled(p, xs)
            expected, slopes = value_and_grad(lambda p, xs=xs: likelihood(p, xs))(p)
            assert [value, *gradient] == pytest.approx([expected, *slopes], rel=1e-11)


def test_the_rows_of_a_hessian_share_their_loops() -> None:
    """A Hessian in twelve parameters takes little more code than one in six."""

    def chain(k: Any) -> Any:
        state, total = [0.1] * len(k), 0.0
        for x in DATA[:80]:
            moved = zip(k, state, [*state[1:], x], strict=True)
            state = [u + 0.1 * c * (v - u * u) for c, u, v in moved]
            total = total + state[0]
        return total

    sizes = []
    for count in (6, 12):
        p = [Value(1.0 + 0.1 * i) for i in range(count)]
        found = looped(record(partial(hessian(chain), p), p)[0].program)
        assert isinstance(found, Looped)
        text = printed(found).module.text()
        assert text.count("call void @loop") > text.count("define internal void @loop")
        sizes.append(len(text))
    assert sizes[1] < 3 * sizes[0]  # each sweep is twice as long, and there are twice as many
