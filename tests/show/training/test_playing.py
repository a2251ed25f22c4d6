"""Use of a training page: move, play, select, read, train again."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.show.training.helpers import (
    LABELS,
    POINTS,
    at,
    classifier,
    field,
    network,
    numbers,
    said,
)

from scalargrad import watch
from scalargrad.losses import binary_cross_entropy_with_logits, mse_loss
from scalargrad.optim import SGD
from scalargrad.show.training import TrainingPage


def minus(written: str) -> float:
    """Return the number in a text of the page."""
    return float(written.replace("−", "-"))


# Moving ---------------------------------------------------------------------------------------


def test_training_page_keys_buttons_and_slider_move_one_timeline(open_page: Any) -> None:
    """By one snapshot, or ten with Shift, within both ends; the slider has a position for each."""
    page = open_page(classifier()[0])
    seen = [at(page)]
    for key in ("ArrowRight", "Shift+ArrowRight", "End", "ArrowRight", "Shift+ArrowLeft", "Home"):
        page.keyboard.press(key)
        seen.append(at(page))
    page.keyboard.press("ArrowLeft")
    assert [*seen, at(page)] == [f"epoch {k}/30" for k in (0, 1, 11, 30, 30, 20, 0, 0)]
    seen = []
    for name in ("Last snapshot", "Previous snapshot", "First snapshot", "Next snapshot"):
        page.get_by_role("button", name=name).click()
        seen.append(at(page))
    slider = page.locator("#scrubber")
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert [*seen, at(page)] == [f"epoch {k}/30" for k in (30, 29, 0, 1, 2)]
    assert slider.get_attribute("aria-valuetext") == "epoch 2 of 30"
    assert slider.get_attribute("max") == "30"


def test_training_page_plays_and_pauses_by_space_only(open_page: Any) -> None:
    """Play announces nothing, stops at the end, then starts again; a manual step ends it."""
    page = open_page(classifier()[0])
    page.clock.install(time=0)
    page.clock.pause_at(60)
    page.reload()
    page.clock.run_for(10_000)
    assert at(page) == "epoch 0/30"
    page.keyboard.press("Space")
    page.clock.run_for(950)
    page.keyboard.press("Space")
    page.clock.run_for(5_000)
    assert at(page) == "epoch 3/30"
    assert said(page, "announcement") == ""
    page.locator("#play").click()
    assert said(page, "play") == "Pause"
    page.clock.run_for(20_000)
    assert at(page) == "epoch 30/30"
    assert said(page, "play") == "Play"
    page.locator("#play").click()
    page.locator("#speed").select_option("fast")
    page.clock.run_for(110)
    assert at(page) == "epoch 1/30"
    page.keyboard.press("ArrowRight")
    page.clock.run_for(5_000)
    assert at(page) == "epoch 2/30"


def test_training_page_link_restores_snapshot_example_and_view(open_page: Any) -> None:
    """Invalid parts of a link are ignored."""
    page = open_page(classifier()[0])
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("e")
    page.keyboard.press("l")
    assert page.evaluate("location.hash") == "#step=10&example=0&lines=products"
    page.evaluate("location.hash = ''")
    page.reload()
    assert at(page) == "epoch 0/30"
    page.evaluate("location.hash = '#step=10&example=0&lines=products'")
    page.locator("#counter", has_text="epoch 10/30").wait_for()
    assert "product" in said(page, "lines-legend")
    page.locator("#example").select_option("")  # products are of an example
    assert page.get_by_role("radio", name="weights").is_checked()
    foreign = open_page(classifier()[0], "#step=x&example=99&lines=products")
    assert at(foreign) == "epoch 0/30"
    assert foreign.locator("#example").input_value() == ""
    assert foreign.get_by_role("radio", name="weights").is_checked()


# What is said ---------------------------------------------------------------------------------


def right_at(step: int) -> int:
    """Return the number of points that the model classifies correctly after a step."""
    training, model = classifier()
    kept = [parameter.data for parameter in training.parameters]
    for parameter, x in zip(training.parameters, training.snapshots[step].parameters, strict=True):
        parameter.data = x
    found: int = sum((model(x).data > 0) == bool(y) for x, y in zip(POINTS, LABELS, strict=True))
    for parameter, x in zip(training.parameters, kept, strict=True):
        parameter.data = x
    return found


def test_training_page_sentences_describe_each_step(open_page: Any) -> None:
    """The losses, the number of correct points, and the parameter that changed most.

    Plain descent on all points moves it by minus rate times gradient, and the step says so.
    """
    training, _ = classifier()
    rights = [right_at(k) for k in range(31)]
    page = open_page(training)
    assert said(page).startswith("Before training: loss ")
    assert f"{rights[0]} of 12 classified correctly" in said(page)
    for k in range(1, 31):
        page.keyboard.press("ArrowRight")
        gained = rights[k] - rights[k - 1]
        before, after = (f"{training.snapshots[i].loss:.4g}" for i in (k - 1, k))
        assert f"Epoch {k}: loss {before} → {after}; " in said(page)
        compared = f"{abs(gained)} {'more' if gained > 0 else 'fewer'} classified correctly"
        assert (compared if gained else "still") in said(page)
        assert f"{rights[k]} of 12" in said(page)
        pair = (training.snapshots[i].parameters for i in (k - 1, k))
        change = max((y - x for x, y in zip(*pair, strict=True)), key=abs)
        written = re.search(
            r"changed most, by (\S+) to \S+ \(≈ −learning rate · gradient ≈ −0\.5 · \(?([−\d.e]+)",
            said(page, "change"),
        )
        assert written is not None
        shown = minus(written[1].replace("+", ""))
        assert shown == pytest.approx(change, rel=1e-3)
        assert shown == pytest.approx(-0.5 * minus(written[2]), rel=2e-3)
    assert len(set(rights)) > 1


# Examples and units ---------------------------------------------------------------------------


def test_training_page_selects_an_example_by_click_list_button_and_key(open_page: Any) -> None:
    """A second click, Escape or the list deselects it."""
    training, model = classifier()
    page = open_page(training, "#step=30")
    chosen = []
    box = page.locator("#point-4").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.click(*middle)
    chosen.append(page.locator("#example").input_value())
    page.locator("#example-next").click()
    chosen.append(page.locator("#example").input_value())
    page.keyboard.press("Shift+E")
    page.keyboard.press("Shift+E")
    chosen.append(page.locator("#example").input_value())
    page.keyboard.press("Escape")
    chosen.append(page.locator("#example").input_value())
    page.keyboard.press("e")
    chosen.append(page.locator("#example").input_value())
    page.locator("#example").select_option("11")
    answer = model(POINTS[11]).data
    assert f"The network outputs y ≈ {answer:.4g}" in said(page, "example-sentence")
    page.locator("#example").select_option("")
    page.mouse.click(*middle)
    page.mouse.click(*middle)
    chosen.append(page.locator("#example").input_value())
    assert chosen == ["4", "5", "3", "", "0", ""]


def test_training_page_unit_dialog_has_every_product_of_the_sum(open_page: Any) -> None:
    """The products and the bias add up to what the activation is applied to.

    Without an example it has weights and no products; an input has no sum.
    """
    training, model = classifier()
    page = open_page(training, "#step=30&example=6")
    page.locator("#unit-0").focus()
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.id") == "unit-3"
    page.keyboard.press("Enter")
    rows = [
        row.locator("td").all_text_contents()
        for row in page.locator("#unit-details tbody tr").all()
    ]
    neuron = model.layers[0].neurons[1]
    total = sum(w.data * x for w, x in zip(neuron.w, POINTS[6], strict=True)) + neuron.b.data
    assert sum(minus(row[2]) for row in rows) == pytest.approx(total, rel=2e-3)
    weights = [p.data for p in (*neuron.w, neuron.b)]
    assert [minus(row[1]) for row in rows] == pytest.approx(weights, rel=1e-3)
    answer = model.layers[0](POINTS[6])[1].data
    assert f"tanh({total:.4g}) ≈ {answer:.4g}" in page.locator("#unit-details p").text_content()
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowLeft")
    assert at(page) == "epoch 29/30"
    page.keyboard.press("Home")
    page.locator("#example").select_option("")
    page.locator("#unit-1").dispatch_event("click")
    assert page.locator("#unit-details h2").text_content() == "Input x₁, before training"
    assert page.locator("#unit-details table").count() == 0
    page.locator("#unit-details button").click()
    page.locator("#unit-5").dispatch_event("click")
    heads = page.locator("#unit-details thead th").all_text_contents()
    assert heads == ["from", "weight", "∂L/∂w", "change"]


def recorded(loss: Any = mse_loss, **options: Any) -> TrainingPage:
    """Record three epochs on batches of four."""
    model = network()
    optimizer = SGD(model.parameters(), lr=0.5)
    options = {"optimizer": optimizer, "epochs": 3, "batch_size": 4, "quiet": True, **options}
    return watch(model, POINTS, LABELS, loss=loss, **options)


@pytest.mark.people
def test_training_page_retrains_after_a_change_and_returns_to_the_recording(open_page: Any) -> None:
    """Pictures, curve, counter and texts follow."""
    recording = recorded(binary_cross_entropy_with_logits)
    page = open_page(recording)
    assert said(page, "settings-note").startswith("As recorded in Python")
    assert page.locator("#epochs").input_value() == "3"  # as many as were recorded
    assert page.locator("#recording").is_hidden()
    field(page, "epochs", "20")
    page.locator("#counter", has_text="epoch 20/20").wait_for()
    field(page, "hidden-0", "7")
    page.locator("#counter", has_text="epoch 20/20").wait_for()
    assert page.locator("#units .unit").count() == 2 + 7 + 1
    assert page.locator("#lines path:not(#halo)").count() == 2 * 7 + 7
    assert said(page, "summary").startswith("now 2-7-1 units")
    note = said(page, "settings-note")
    assert "2-7-1 units, 29 parameters" in note
    assert "SGD on all 12 examples at once" in note
    page.keyboard.press("Escape")
    page.locator("#unit-8").dispatch_event("click")
    assert page.locator("#unit-details h2").text_content() == "Unit a₆ of layer 1, epoch 20"
    page.keyboard.press("Escape")
    page.locator("#recording").click()
    assert at(page) == "epoch 3/3"
    assert page.locator("#hidden-0").input_value() == "3"
    assert said(page, "summary").startswith("2-3-1 tanh units")
    assert numbers(page)["parameters"] == list(recording.snapshots[-1].parameters)
