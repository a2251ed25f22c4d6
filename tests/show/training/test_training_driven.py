"""Moving through the page of a training page: buttons, keys, playing, links, what is said."""

from __future__ import annotations

import itertools
import math
import re
from typing import Any

import pytest

from scalargrad import watch
from scalargrad.losses import binary_cross_entropy_with_logits, cross_entropy, mse_loss
from scalargrad.nn import MLP
from scalargrad.optim import SGD
from scalargrad.show.number_format import signed
from scalargrad.show.training import TrainingPage

from .helpers import LABELS, POINTS, classifier, network, others


def at(page: Any) -> str:
    """Return where the page says it is."""
    text: str = page.locator("#counter").text_content()
    return text


def shown(written: str) -> float:
    """Return the number that the page has written."""
    return float(written.replace("−", "-"))


def said(page: Any, id: str = "sentence") -> str:
    """Return a text of the page."""
    text: str = page.locator(f"#{id}").text_content()
    return text


def test_arrows_home_and_end_move(open_page: Any) -> None:
    """One snapshot, ten with Shift; at both ends they stay."""
    page = open_page(classifier()[0])
    seen = [at(page)]
    for key in ("ArrowRight", "Shift+ArrowRight", "End", "ArrowRight", "Shift+ArrowLeft", "Home"):
        page.keyboard.press(key)
        seen.append(at(page))
    page.keyboard.press("ArrowLeft")
    assert [*seen, at(page)] == [f"epoch {k}/30" for k in (0, 1, 11, 30, 30, 20, 0, 0)]


def test_buttons_and_the_scrubber_move_too(open_page: Any) -> None:
    """First, previous, next, last and the slider are one timeline."""
    page = open_page(classifier()[0])
    seen = []
    for name in ("Last snapshot", "Previous snapshot", "First snapshot", "Next snapshot"):
        page.get_by_role("button", name=name).click()
        seen.append(at(page))
    page.locator("#scrubber").focus()
    page.keyboard.press("ArrowRight")
    assert [*seen, at(page)] == [f"epoch {k}/30" for k in (30, 29, 0, 1, 2)]
    assert page.locator("#scrubber").get_attribute("aria-valuetext") == "epoch 2 of 30"


def test_keys_belong_to_a_control_in_which_someone_types(open_page: Any) -> None:
    """End in a list of choices goes to its end, and to no snapshot."""
    page = open_page(classifier()[0])
    page.locator("#speed").focus()
    page.keyboard.press("End")
    page.keyboard.press("l")
    assert at(page) == "epoch 0/30"
    assert page.locator("#speed").input_value() == "16"
    assert page.get_by_role("radio", name="weights").is_checked()


def test_nothing_plays_by_itself_and_space_plays_and_pauses(open_page: Any) -> None:
    """Play announces no snapshot, stops at the end, and then begins anew."""
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


def right_at(step: int) -> int:
    """Count in Python how many points the model had right after a step."""
    training, model = classifier()
    kept = [parameter.data for parameter in training.parameters]
    for parameter, x in zip(training.parameters, training.snapshots[step].parameters, strict=True):
        parameter.data = x
    found: int = sum((model(x).data > 0) == bool(y) for x, y in zip(POINTS, LABELS, strict=True))
    for parameter, x in zip(training.parameters, kept, strict=True):
        parameter.data = x
    return found


def test_a_step_says_what_it_did(open_page: Any) -> None:
    """The losses, how many points changed sides, and the parameter that changed most."""
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
        changes = [
            y - x
            for x, y in zip(
                training.snapshots[k - 1].parameters, training.snapshots[k].parameters, strict=True
            )
        ]
        assert f"changed most, by {signed(max(changes, key=abs))} to" in said(page, "change")
    assert len(set(rights)) > 1


def test_where_gradient_descent_explains_a_change_the_step_says_so(open_page: Any) -> None:
    """Plain descent on all points moves each parameter by minus rate times gradient."""
    page = open_page(classifier()[0], "#step=4")
    explained = r"by (\S+) to \S+ \(≈ −learning rate · gradient ≈ −0\.5 · \(?([−\d.e]+)"
    found = re.search(explained, said(page, "change"))
    assert found is not None
    assert shown(found[1]) == pytest.approx(-0.5 * float(found[2]), rel=2e-3)


def test_a_page_of_some_steps_says_which(open_page: Any) -> None:
    """Where snapshots were given up, a snapshot covers several steps."""
    training = watch(
        network(), POINTS, LABELS, loss=binary_cross_entropy_with_logits, max_snapshots=4
    )
    for _ in range(9):
        training.record()
    page = open_page(training)
    page.keyboard.press("ArrowRight")
    assert said(page).startswith("Steps 1 to 4: loss")
    assert said(page, "change") == "No parameter changed."
    page.keyboard.press("End")
    assert said(page).startswith("Step 9: loss")


def test_manual_steps_are_announced(open_page: Any) -> None:
    """A screen reader hears what the eye reads, also of the selected example."""
    page = open_page(classifier()[0], "#step=3&example=5")
    assert said(page, "announcement") == ""
    page.keyboard.press("ArrowRight")
    parts = [said(page, id) for id in ("sentence", "change", "example-sentence")]
    assert said(page, "announcement") == " ".join(parts)
    assert all(parts)


def test_an_example_is_chosen_by_click_list_button_and_key(open_page: Any) -> None:
    """And let go by a second click, by Escape, or in the list."""
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
    assert f"The network answers y ≈ {answer:.4g}" in said(page, "example-sentence")
    page.locator("#example").select_option("")
    page.mouse.click(*middle)
    page.mouse.click(*middle)
    chosen.append(page.locator("#example").input_value())
    assert chosen == ["4", "5", "3", "", "0", ""]


def test_points_are_reached_by_tab_and_gone_through_by_arrows(open_page: Any) -> None:
    """One stop for all of them; Enter lets the example go."""
    page = open_page(classifier()[0])
    page.locator("#point-0").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.id") == "point-2"
    assert page.locator("#example").input_value() == "2"
    page.keyboard.press("ArrowUp")
    assert page.locator("#point-1").get_attribute("aria-pressed") == "true"
    page.keyboard.press("ArrowRight")
    assert at(page) == "epoch 1/30"
    assert page.evaluate("document.activeElement.id") == "point-1"
    page.keyboard.press("Enter")
    assert page.locator("#example").input_value() == ""
    assert page.locator("#points [tabindex='0']").count() == 1


def widths(page: Any) -> list[float]:
    """Return the width of every line beyond the thinnest, those of negative numbers negative."""
    found: list[float] = page.evaluate(
        """[...document.querySelectorAll("#lines path:not(#halo)")].map((line) =>
        Math.max(0, line.getAttribute("stroke-width") - 0.25)
        * (line.classList.contains("negative") ? -1 : 1))"""
    )
    return found


def alike(found: list[float], expected: list[float]) -> None:
    """Check that two lists are in proportion, as far as fiftieths of the greatest tell."""
    most = max(map(abs, expected))
    scale = max(map(abs, found)) / most
    within = most * scale / 100 + 0.01  # widths are written with two decimals
    assert found == pytest.approx([x * scale for x in expected], abs=within)


def test_lines_show_weights_products_gradients_or_changes(open_page: Any) -> None:
    """Width in proportion to the number, sign by colour and dashes; L goes through the views."""
    training, model = classifier()
    page = open_page(training, "#step=30")
    neurons = [neuron for layer in model.layers for neuron in layer.neurons]
    weights = [w for neuron in neurons for w in neuron.w]
    greatest = max(
        abs(snapshot.parameters[training.parameters.index(w)])
        for w in weights
        for snapshot in training.snapshots
    )
    alike([*widths(page), 5.0], [*(w.data for w in weights), greatest])

    page.keyboard.press("l")
    assert page.locator("#example").input_value() == "0"
    values = [POINTS[0]] * 3 + [[y.data for y in model.layers[0](POINTS[0])]]
    products = [
        w.data * x
        for neuron, given in zip(neurons, values, strict=True)
        for w, x in zip(neuron.w, given, strict=True)
    ]
    alike(widths(page), products)

    page.keyboard.press("l")
    page.keyboard.press("Escape")
    model.zero_grad()
    binary_cross_entropy_with_logits([model(x) for x in POINTS], LABELS).backward()
    alike(widths(page), [w.grad for w in weights])
    assert "∂L/∂w of the mean loss" in said(page, "lines-legend")

    page.get_by_role("radio", name="changes").check()
    assert "change of w" in said(page, "lines-legend")
    last, before = training.snapshots[-1].parameters, training.snapshots[-2].parameters
    places = [training.parameters.index(w) for w in weights]
    alike(widths(page), [last[i] - before[i] for i in places])


def test_products_need_an_example(open_page: Any) -> None:
    """Letting it go shows weights again; a link to products without one is not followed."""
    page = open_page(classifier()[0], "#lines=products")
    assert page.get_by_role("radio", name="weights").is_checked()
    page.get_by_role("radio", name="products").check()
    page.locator("#example").select_option("")
    assert page.get_by_role("radio", name="weights").is_checked()


def test_a_unit_opens_with_every_product_of_its_sum(open_page: Any) -> None:
    """The products and the bias add up to what the activation is applied to."""
    training, model = classifier()
    page = open_page(training, "#step=30&example=6")
    page.locator("#cell-0").focus()
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.id") == "cell-3"
    page.keyboard.press("Enter")
    rows = [row.locator("td").all_text_contents() for row in page.locator("#unit tbody tr").all()]
    neuron = model.layers[0].neurons[1]
    total = sum(w.data * x for w, x in zip(neuron.w, POINTS[6], strict=True)) + neuron.b.data
    assert sum(shown(row[2]) for row in rows) == pytest.approx(total, rel=2e-3)
    assert [shown(row[1]) for row in rows] == pytest.approx(
        [p.data for p in (*neuron.w, neuron.b)], rel=1e-3
    )
    text = page.locator("#unit p").text_content()
    assert f"tanh({total:.4g}) ≈ {math.tanh(total):.4g}" in text
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowLeft")
    assert at(page) == "epoch 29/30"


def test_a_saturated_unit_is_about_one(open_page: Any) -> None:
    """tanh(40) is 1 as a float only: its distance from 1 is 4e-35; ReLU(40) is 40."""
    for activation, symbol, sign in (("tanh", "tanh", "≈ 1"), ("relu", "ReLU", "= 40")):
        model = MLP(2, [2, 1], activation=activation, rng=0)
        for neuron in model.layers[0].neurons:
            for p, number in zip(neuron.w, (40.0, 0.0), strict=True):
                p.data = number
            neuron.b.data = 0.0
        still = SGD(model.parameters(), lr=0.0)
        training = watch(
            model, [[1.0, 1.0]], [1.0], loss=mse_loss, optimizer=still, epochs=1, quiet=True
        )
        page = open_page(training, "#step=0&example=0")
        page.locator("#cell-2").focus()
        page.keyboard.press("Enter")
        assert f"{symbol}(40) {sign}" in page.locator("#unit p").text_content()
        page.keyboard.press("Escape")


def test_inputs_and_units_open_without_an_example_too(open_page: Any) -> None:
    """An input has no sum; a unit's has weights and no products."""
    page = open_page(classifier()[0])
    page.locator("#cell-1").dispatch_event("click")
    assert page.locator("#unit h2").text_content() == "Input x₁, before training"
    assert page.locator("#unit table").count() == 0
    page.locator("#unit button").click()
    page.locator("#cell-5").dispatch_event("click")
    heads = page.locator("#unit thead th").all_text_contents()
    assert heads == ["from", "weight", "∂L/∂w", "change"]


def boundary(page: Any) -> list[list[float]]:
    """Return the ends of the boundary's lines in the plane, by where the page draws `POINTS`."""
    path = page.locator("#boundary").get_attribute("d")
    places = page.evaluate(
        """[...document.querySelectorAll(".point")].map((point) =>
        point.getAttribute("transform").match(/-?[\\d.]+/g).map(Number))"""
    )
    (ax, ay), (bx, by) = places[0], places[-1]
    (x0, y0), (x1, y1) = POINTS[0], POINTS[-1]
    drawn = [tuple(map(float, pair.split(","))) for pair in re.split("[ML]", path)[1:]]
    return [
        [x0 + (x - ax) / (bx - ax) * (x1 - x0), y0 + (y - ay) / (by - ay) * (y1 - y0)]
        for x, y in drawn
    ]


def test_the_boundary_lies_where_the_output_is_zero(open_page: Any) -> None:
    """Every point of the line, read off by its place between the ticks and asked of Python."""
    training, model = classifier()
    points = boundary(open_page(training, "#step=30"))
    outputs = [model(point).data for point in points]
    reach = max(abs(model(x).data) for x in POINTS)
    assert len(outputs) > 40
    assert max(map(abs, outputs)) < 0.02 * reach


def test_the_border_of_a_silent_region_is_no_staircase(open_page: Any) -> None:
    """Where ReLUs give exactly 0 the boundary is their own line, not the nearest grid points."""
    model = MLP(2, [1, 1], "relu", rng=0)
    (unit,), (output,) = (layer.neurons for layer in model.layers)
    for parameter, number in zip([*unit.w, *output.w], (1.0, 0.6, 1.0), strict=True):
        parameter.data = number
    page = open_page(watch(model, POINTS, LABELS, loss=binary_cross_entropy_with_logits))
    distances = [abs(x + 0.6 * y) / math.hypot(1, 0.6) for x, y in boundary(page)]
    assert len(distances) > 40
    assert max(distances) < 0.01  # a square of the grid is 0.1 wide


def test_a_region_thinner_than_the_grid_is_one_band(open_page: Any) -> None:
    """Class 2 wins where |x + 0.7y + 0.01| < 0.05: two straight lines, and no rung between them."""
    model = MLP(2, [3], rng=0)
    (layer,) = model.layers
    for unit, numbers in zip(
        layer.neurons, [(1.0, 0.7, 0.01), (-1.0, -0.7, -0.01), (0.0, 0.0, 0.05)], strict=True
    ):
        for parameter, number in zip([*unit.w, unit.b], numbers, strict=True):
            parameter.data = number
    page = open_page(watch(model, POINTS, [i % 3 for i in range(12)], loss=cross_entropy))
    places = [x + 0.7 * y + 0.01 for x, y in boundary(page)]
    sides = [place > 0 for place in places]
    assert len(places) > 200
    assert all(abs(abs(place) - 0.05) < 0.006 for place in places)
    assert sides[::2] == sides[1::2]  # the ends of each piece


def test_the_plane_is_blue_where_the_answer_is_class_one(open_page: Any) -> None:
    """And orange on the other side: the picture beside each point, as the model answers there."""
    training, model = classifier()
    page = open_page(training, "#step=30")
    colours = page.evaluate(
        """[...document.querySelectorAll(".point")].map((point) => {
          const [x, y] = point.getAttribute("transform").match(/-?[\\d.]+/g).map(Number);
          const field = document.getElementById("field").getContext("2d");
          return [...field.getImageData(x, y, 1, 1).data];
        })"""
    )
    for (red, _, blue, _), x in zip(colours, POINTS, strict=True):
        assert (blue > red) == (model(x).data > 0)


def test_wrong_answers_have_a_ring(open_page: Any) -> None:
    """As many rings as points on the wrong side."""
    page = open_page(classifier()[0])
    assert page.locator("#points .miss:visible").count() == 12 - right_at(0)
    page.keyboard.press("End")
    assert page.locator("#points .miss:visible").count() == 12 - right_at(30)


def test_the_curve_leads_to_the_snapshot_one_points_at(open_page: Any) -> None:
    """A press in its middle goes to the middle of the training page, and dragging goes on."""
    page = open_page(classifier()[0])
    line = page.locator("#losses polyline").bounding_box()
    page.mouse.move(line["x"] + line["width"] / 2, line["y"] + 5)
    page.mouse.down()
    assert at(page) == "epoch 15/30"
    page.mouse.move(line["x"] + line["width"], line["y"] + 5)
    page.mouse.up()
    page.mouse.move(line["x"], line["y"])
    assert at(page) == "epoch 30/30"


def test_a_link_leads_to_what_was_shown(open_page: Any) -> None:
    """Snapshot, example and view stand in the address; what it cannot mean is left out."""
    page = open_page(classifier()[0])
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("e")
    page.keyboard.press("l")
    assert page.evaluate("location.hash") == "#step=10&example=0&lines=products"
    again = open_page(classifier()[0], "#step=10&example=0&lines=products")
    assert at(again) == "epoch 10/30"
    assert "product" in said(again, "lines-legend")
    foreign = open_page(classifier()[0], "#step=x&example=99&lines=none")
    assert at(foreign) == "epoch 0/30"
    assert foreign.locator("#example").input_value() == ""


def test_help_opens_by_its_key_and_closes(open_page: Any) -> None:
    """While it is open, keys move nothing."""
    page = open_page(classifier()[0])
    page.keyboard.press("?")
    assert page.locator("#help-text").is_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    assert page.locator("#help-text").is_hidden()
    assert at(page) == "epoch 0/30"


@pytest.mark.parametrize("name", ["three classes", "curve", "surface", "four inputs"])
def test_other_tasks_are_shown_at_every_snapshot(name: str, open_page: Any) -> None:
    """Each view, with and without an example, complains of nothing and shows what it is."""
    training = others()[name]
    page = open_page(training)
    alerts: list[str] = []

    def alerted(dialog: Any) -> None:
        alerts.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", alerted)
    for _ in range(5):
        page.keyboard.press("ArrowRight")
        page.keyboard.press("e")
        page.keyboard.press("l")
    expected = {
        "three classes": ["Decision boundary", "</script><img src=x onerror=alert(1)>"],
        "curve": ["Output", "points: targets, line: output"],
        "surface": ["Output", "first output, −1 … 1"],
        "four inputs": ["Decision boundary in a slice", "Slice at first = 0.4, "],
    }[name]
    assert said(page, "plane-title") == expected[0]
    assert expected[1] in said(page, "plane-legend")
    assert page.locator("img").count() == 0
    assert alerts == []
    assert page.locator(".point").count() == len(page.evaluate("scalargrad.numbers().losses"))


def test_the_worst_example_of_a_regression_is_named(open_page: Any) -> None:
    """The one whose loss is greatest, with that loss."""
    page = open_page(others()["curve"], "#step=5")
    losses = page.evaluate("scalargrad.numbers().losses")
    worst = max(range(len(losses)), key=losses.__getitem__)
    assert f"example {worst} has the greatest loss, {losses[worst]:.4g}" in said(page)


def diverged() -> TrainingPage:
    """Watch a line whose weight becomes infinite."""
    model = MLP(2, [2, 1], rng=0)
    training = watch(model, [[0.0, 1.0], [1.0, 0.0]], [0.0, 2.5], loss=mse_loss)
    for factor in (1e3, 1e200, math.inf):
        for parameter in model.parameters():
            parameter.data *= factor
        training.record()
    return training


def test_numbers_that_ran_away_are_shown_as_they_are(open_page: Any) -> None:
    """Infinite weights and losses break nothing; the curve has the finite ones."""
    page = open_page(diverged())
    for _ in range(4):
        page.keyboard.press("ArrowRight")
        page.keyboard.press("e")
    assert re.search(r"loss inf → (inf|nan)", said(page))
    points = page.locator("#losses polyline").get_attribute("points").split()
    assert len(points) == 2
    page.locator("#cell-3").dispatch_event("click")
    assert "inf" in page.locator("#unit tbody").text_content()


def test_a_page_of_one_snapshot_is_shown(open_page: Any) -> None:
    """Before any training: there is nowhere to go."""
    training = watch(network(), POINTS, LABELS, loss=binary_cross_entropy_with_logits)
    page = open_page(training)
    for key in ("ArrowRight", "End", "Space", "l", "e"):
        page.keyboard.press(key)
    assert at(page) == "step 0/0"


def test_a_dead_unit_is_crossed_out(open_page: Any) -> None:
    """A ReLU that gives 0 all over the plane, and only such a one."""
    model = MLP(2, [2, 1], rng=0)
    dead = model.layers[0].neurons[1]
    dead.b.data = -100.0
    page = open_page(watch(model, POINTS, LABELS, loss=binary_cross_entropy_with_logits))
    marked = page.locator("#cells .dead [role=button]").evaluate_all("all => all.map(x => x.id)")
    assert marked == ["cell-3"]


def test_snapshots_follow_each_other_in_time(open_page: Any) -> None:
    """The steps of a training page rise, and the page's slider has one place for each."""
    training, _ = classifier()
    steps = [snapshot.step for snapshot in training.snapshots]
    assert all(after > before for before, after in itertools.pairwise(steps))
    page = open_page(training)
    assert page.locator("#scrubber").get_attribute("max") == str(len(steps) - 1)


def strengths(page: Any) -> list[float]:
    """Return how strong every line is."""
    found: list[float] = page.evaluate(
        """[...document.querySelectorAll("#lines path:not(#halo)")].map((line) =>
        Number(line.getAttribute("stroke-opacity")))"""
    )
    return found


def test_only_the_lines_of_a_chosen_unit_are_strong(open_page: Any) -> None:
    """Those to and from it at full strength, all others hardly there; Escape lets it go."""
    page = open_page(classifier()[0], "#step=29")
    before = strengths(page)
    page.locator("#cell-0").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    # The unit's two weights come first, those of the two others next, the output's last.
    assert strengths(page) == [1, 1, *[0.06] * 4, 1, 0.06, 0.06]
    page.keyboard.press("ArrowRight")
    assert strengths(page) == [1, 1, *[0.06] * 4, 1, 0.06, 0.06]
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowLeft")
    assert strengths(page) == before
    page.locator("#cell-5").hover()
    assert strengths(page) == [*[0.06] * 6, 1, 1, 1]
    page.mouse.move(2, 2)
    assert strengths(page) == before


def test_only_the_lines_that_carry_the_chosen_example_are_strong(open_page: Any) -> None:
    """Of a network of ReLUs, none from a unit that is silent, and none that carries hardly any."""
    model = MLP(2, [6, 1], rng=5)
    page = open_page(watch(model, POINTS, LABELS, loss=mse_loss), "#example=3")
    hidden = [h.data for h in model.layers[0](POINTS[3])]
    first = [
        w.data * x for n in model.layers[0].neurons for w, x in zip(n.w, POINTS[3], strict=True)
    ]
    last = [w.data * h for w, h in zip(model.layers[1].neurons[0].w, hidden, strict=True)]
    expected = [
        1 if abs(product) >= 0.1 * max(map(abs, layer)) else 0.06
        for layer in (first, last)
        for product in layer
    ]
    assert 0.0 in hidden
    assert len(set(expected)) == 2
    assert strengths(page) == expected


def marks(page: Any) -> list[str]:
    """Return the numbers beside the curve."""
    found: list[str] = page.locator("#losses .tick.up").all_text_contents()
    return found


def test_losses_have_a_logarithmic_scale_and_a_linear_one(open_page: Any) -> None:
    """On the logarithmic one, powers of ten at equal distances, and 0 on a line of its own."""
    model = MLP(1, [1], rng=0)
    training = watch(model, [[1.0], [2.0]], [1.0, 3.0], loss=mse_loss)
    weights = training.parameters
    for w, b in ((2.1, -1.1), (2.01, -1.01), (2.0, -1.0)):
        weights[0].data, weights[1].data = w, b
        training.record()
    assert training.snapshots[-1].loss == 0.0
    page = open_page(training)
    assert page.locator("#scale").get_attribute("aria-pressed") == "true"
    assert marks(page)[0] == "0"
    points = page.locator("polyline.losses").get_attribute("points").split()
    downs = [float(point.split(",")[1]) for point in points]
    logs = [math.log10(kept.loss) for kept in training.snapshots[:-1]]
    ratio = (downs[2] - downs[1]) / (logs[1] - logs[2])
    assert downs[1] - downs[0] == pytest.approx(ratio * (logs[0] - logs[1]), abs=0.3)
    assert downs[3] == max(downs)
    page.locator("#scale").click()
    assert page.locator("#scale").get_attribute("aria-pressed") == "false"
    points = page.locator("polyline.losses").get_attribute("points").split()
    downs = [float(point.split(",")[1]) for point in points]
    first, second = (kept.loss for kept in training.snapshots[:2])
    assert (downs[3] - downs[1]) / (downs[3] - downs[0]) == pytest.approx(second / first, abs=0.02)


def test_classes_are_called_what_the_data_call_them(open_page: Any) -> None:
    """Labels of -1 and 1 keep their names, truths too; names that are given go first."""
    signs = [2 * label - 1 for label in LABELS]
    truths = [label == 1 for label in LABELS]
    for labels, names in ((signs, ["−1", "1"]), (truths, ["False", "True"]), (LABELS, ["0", "1"])):
        page = open_page(watch(network(), POINTS, labels, loss=mse_loss), "#example=0")
        legend = page.locator("#plane-legend span").all_text_contents()
        assert [text.strip() for text in legend] == [*names, "wrong"]
        assert f"class {names[LABELS[0]]}" in said(page, "example-sentence")


def test_an_output_is_said_to_speak_for_its_class(open_page: Any) -> None:
    """The sentence on an example answers by the names of classes, which the legend has too."""
    page = open_page(others()["three classes"], "#example=0")
    sentence = said(page, "example-sentence")
    assert re.search(r"y₀ \(a\) ≈ \S+, y₁ \(<.*\) ≈ \S+, y₂ \(c\) ≈ ", sentence)


def test_long_numbers_beside_the_axis_are_seen_whole(open_page: Any) -> None:
    """A minus sign, too: of targets that have many digits, and of a plane that is very tall."""
    model = MLP(1, [2, 1], "tanh", rng=0)
    curve = watch(model, [[-1.0], [1.0]], [-120000.0, 120000.0], loss=mse_loss)
    tall = [[x, 12345.0 * y] for x, y in POINTS]
    plane = watch(network(), tall, LABELS, loss=binary_cross_entropy_with_logits)
    for training in (curve, plane):
        page = open_page(training)
        ticks = page.locator("#axes .tick.up")
        assert any(text.startswith("−") for text in ticks.all_text_contents())
        room = page.locator("#points").bounding_box()["x"]
        assert min(tick.bounding_box()["x"] for tick in ticks.all()) >= room


def test_a_slice_says_where_it_lies_and_passes_through_the_chosen_example(open_page: Any) -> None:
    """Its colours are then answers for inputs like the example's, not like the mean."""
    inputs = [[x, y, 1.0 if i % 2 else -1.0] for i, (x, y) in enumerate(POINTS)]
    model = MLP(3, [1], rng=0)
    for weight, number in zip(model.layers[0].neurons[0].w, (0.0, 0.0, 3.0), strict=True):
        weight.data = number  # only the input across the plane counts
    labels = [i % 2 for i in range(12)]
    page = open_page(watch(model, inputs, labels, loss=binary_cross_entropy_with_logits))
    assert "Slice at x₂ = 0 (the mean of all examples)" in said(page, "slice")
    corner = """(() => {
      const edge = document.querySelector("#points .edge");
      const field = document.getElementById("field").getContext("2d");
      const [x, y] = ["x", "y"].map((name) => Number(edge.getAttribute(name)) + 5);
      const [red, , blue] = field.getImageData(x, y, 1, 1).data;
      return Math.sign(blue - red);
    })()"""
    assert page.evaluate(corner) == 0
    for example, place, sign in ((6, "−1", -1), (7, "1", 1)):
        page.locator("#example").select_option(str(example))
        assert f"Slice at x₂ = {place} (example {example})" in said(page, "slice")
        assert page.evaluate(corner) == sign
    page.locator("#example").select_option("")
    assert page.evaluate(corner) == 0
    assert open_page(classifier()[0]).locator("#slice").count() == 0
