"""Short names for long ones: every alias stands for one name, and the legend has each."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from scalargrad import Value, draw
from scalargrad.show.aliases import aliases

LONG = "a_rather_long_name_of_a_weight"  # in initials arlnoa


@given(st.lists(st.text("ab_.[]0, ", min_size=1, max_size=30), min_size=1, max_size=30))
@example([f"{LONG}[0]", "arlnoa[0]"])
@example([LONG, f"{LONG}[0]", "arlnoa", "arlnoa_2[0]"])
@example([LONG, "a_rather_long_name_of_another_weight"])
def test_names_that_differ_stay_apart(names: list[str]) -> None:
    """Two names never have one alias, nor an alias that is another's name."""
    given = dict(enumerate(dict.fromkeys(names)))
    short, _ = aliases(given)
    assert len(set(short.values())) == len(given)


@given(st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=10))
def test_the_legend_leads_back_to_every_name(names: list[str]) -> None:
    """A name is shown as it is or, from 22 columns on, as an alias that the legend resolves."""
    short, legend = aliases(dict(enumerate(names)))
    for i, name in enumerate(names):
        if max(map(cell_len, name.split("\n"))) <= 21:
            assert short[i] == name
        else:
            alias, bracket, indices = short[i].partition("[")
            assert legend[alias] + bracket + indices == name


def test_elements_of_a_tensor_share_one_entry() -> None:
    """Six weights of one matrix are one line of the legend, each with its indices."""
    stem = "encoder.layers.3.self_attention.weight"
    short, legend = aliases({(i, j): f"{stem}[{i}, {j}]" for i in range(2) for j in range(3)})
    assert legend == {"el3saw": stem}
    assert short[1, 2] == "el3saw[1, 2]"


def test_a_picture_lists_only_what_it_shows() -> None:
    """The name of a gate below the drawn one is not in its legend."""
    x = Value(2.0, "the_length_of_the_first_side")
    inner = x * 3.0
    root = inner + 1.0
    root.label = "what_is_drawn_one_gate_later"
    assert "tlotfs: the_length_of_the_first_side" in draw(inner).dot
    assert "what_is_drawn" not in draw(inner).dot
    assert "widogl: what_is_drawn_one_gate_later" in draw(root).dot
