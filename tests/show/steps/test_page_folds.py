"""Large graphs: a drawing for each fold, bundles, and going from one to the other."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import pytest

from scalargrad import Parameter, Value, relu, square, tanh
from scalargrad import sum as add_up
from scalargrad.nn import MLP
from scalargrad.show.number_format import number
from scalargrad.show.steps import Walk, walk

from .graphs import labelled

HOSTILE = "</script><img src=x onerror=\"document.title='pwned'\">"


def network(nin: int = 2, sizes: tuple[int, ...] = (3, 1)) -> Walk:
    """Walk through the squared error of a network, whose modules are folds."""
    model = MLP(nin, list(sizes), activation="tanh", rng=1)
    x = [Value(0.25 * (i + 1), f"x{i}") for i in range(nin)]
    return walk(labelled(square(model(x) - 1.0), "L"), model=model)


def by_hand() -> Walk:
    """Walk through a network made of + and × in loops, whose folds follow from the graph."""
    source = random.Random(3)

    def layer(x: list[Value], count: int) -> list[Value]:
        outputs = []
        for _ in range(count):
            total: Value = Parameter(0.1, "b")
            for xi in x:
                total = total + Parameter(source.uniform(-1.0, 1.0), "w") * xi
            outputs.append(tanh(total))
        return outputs

    inputs = [Value(0.5 * i, f"x{i}") for i in range(4)]
    return walk(labelled(add_up(layer(layer(inputs, 4), 3)), "f"))


def recurrent() -> Walk:
    """Walk through a long chain whose every link reads the same two leaves."""
    x, w = Value(0.3, "x"), Parameter(0.9, "w")
    state: Value = relu(x)
    for _ in range(20):
        state = tanh(state * w + x)
    return walk(labelled(state, "h"))


def batch() -> Walk:
    """Walk through the loss of three samples, whose calls of one model share its parameters."""
    model = MLP(2, [2, 1], activation="tanh", rng=2)
    errors = [square(model([Value(0.5 * k, f"x{k}"), 1.0]) - 1.0) for k in range(3)]
    return walk(labelled(add_up(errors), "L"), model=model)


FOLDED: list[tuple[Callable[[], Walk], int]] = [
    (network, 10),
    (by_hand, 20),
    (recurrent, 30),
    (batch, 10),
]
every_folded = pytest.mark.parametrize(("make", "limit"), FOLDED)


def shown(x: float | None) -> str:
    """Write a number as the graph does, with a true minus sign."""
    assert x is not None
    return number(x).replace("-", "−")


def path(page: Any) -> list[str]:
    """Return where the page says it is among the folds."""
    found: list[str] = page.locator("#path button").all_text_contents()
    return found


def drawn(page: Any) -> dict[str, str]:
    """Return every number and name in the open drawing by the id of its text."""
    found: dict[str, str] = page.evaluate(
        """Object.fromEntries([...document.querySelectorAll("#graph .wire > text")]
        .map(text => [text.id, text.textContent]))"""
    )
    return found


# Every step -------------------------------------------------------------------------------------


@every_folded
def test_the_drawing_goes_along_and_shows_every_step(
    make: Callable[[], Walk], limit: int, open_page: Any
) -> None:
    """Whatever fold a wire is in, its product and its numbers are in the drawing that is open."""
    steps = make()
    scene = steps.scene
    places = [
        [None if node is None else scene.place[node] for node in (step.node, step.parent)]
        for step in steps
    ]
    shows = open_page(steps, limit=limit).evaluate(SHOWN_AT_EVERY_STEP, places)
    for step, now in zip(steps, shows, strict=True):
        if step.phase == "forward" and step.node is not None:
            assert now["value"].endswith(shown(scene.data[step.node]))
        if step.parent is not None:
            assert now["product"] == [shown(step.upstream), shown(step.contribution)]
            assert now["backs"] == 1
            assert now["gradient"] == gradient_so_far(step)


# What the drawing shows at every step, the next one each time by its key: the value of the step's
# node, the product, and the gradient below the wire of the node that receives, or below that of
# the bundle that shows it.
SHOWN_AT_EVERY_STEP = """(places) => {
  const { nodes } = JSON.parse(document.getElementById("walk").textContent);
  return places.map(([node, receiver]) => {
    const now = {
      value: document.getElementById(`n${node}-value`)?.textContent,
      product: [...document.querySelectorAll(".chip .gradient")].map((part) => part.textContent),
      backs: document.querySelectorAll("#underlay .back").length,
    };
    if (receiver !== null) {
      const bundle = [...document.querySelectorAll("#graph .wire > text[id^=b]")].find(
        (text) => text.textContent.startsWith(`${nodes[receiver].name} = `));
      const id = bundle ? bundle.id.replace("-value", "-gradient") : `n${receiver}-gradient`;
      now.gradient = document.getElementById(id).textContent;
    }
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
    return now;
  });
}"""


def gradient_so_far(step: Any) -> str:
    """Return what stands below a wire when a step is over."""
    done = step.arrived == step.expected
    return shown(step.total) if done else f"Σ {step.arrived}/{step.expected}"


@every_folded
def test_every_node_stands_in_one_drawing(
    make: Callable[[], Walk], limit: int, open_page: Any
) -> None:
    """As itself or in a bundle; elsewhere it is at most a port or the result of a fold."""
    steps = make()
    page = open_page(steps, limit=limit)
    homes = page.evaluate(
        """JSON.parse(document.getElementById("walk").textContent).nodes.map(n => n.home ?? 0)"""
    )
    assert len(set(homes)) > 1
    for index in sorted(set(homes)):
        page.evaluate("index => scalargrad.open(index)", index)
        there = set(page.evaluate("scalargrad.standing()"))
        assert {i for i, home in enumerate(homes) if home == index} <= there


# Opening folds ----------------------------------------------------------------------------------


def test_a_fold_opens_at_a_click_and_the_path_leads_back(open_page: Any) -> None:
    """Whole graph › MLP › Layer 1 › Neuron 2, and by a click to any of them."""
    page = open_page(network(), limit=10)
    for name in ("MLP", "Layer 1", "Neuron 2"):
        page.locator(".fold", has_text=name).click()
    assert path(page) == ["whole graph", "MLP", "Layer 1", "Neuron 2"]
    assert page.locator("#path [aria-current]").text_content() == "Neuron 2"
    page.locator("#path button", has_text="MLP").click()
    assert path(page) == ["whole graph", "MLP"]
    page.locator("#up").click()
    assert path(page) == ["whole graph"]
    assert page.locator("#up").is_disabled()


def test_folds_can_be_used_by_keyboard_and_are_announced(open_page: Any) -> None:
    """Enter opens, U goes up; both say where one is, and the focus is not lost."""
    page = open_page(network(), limit=10)
    page.locator(".fold").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("#announcement").text_content() == "Opened whole graph › MLP."
    assert page.evaluate("document.activeElement.textContent") == "MLP"
    page.keyboard.press("u")
    assert page.locator("#announcement").text_content() == "Opened whole graph."
    label = page.locator(".fold").first.get_attribute("aria-label")
    assert label == "MLP 2 layers: opens its drawing"


def test_the_line_out_of_a_fold_waits_for_its_value(open_page: Any) -> None:
    """It is pale exactly as long as the wire it goes on from, a single one or a bundle's."""
    page = open_page(network(), limit=10)
    seen: set[bool] = set()
    for _ in range(20):
        pairs = page.evaluate(
            """[...document.querySelectorAll("#graph .line[id^=exit-]")].map(line => [
                line.classList.contains("todo"),
                Boolean(document.getElementById(line.id.slice(5) + "-wire").matches(".todo")),
            ])"""
        )
        assert all(out == wire for out, wire in pairs)
        seen.update(out for out, _ in pairs)
        page.keyboard.press("ArrowRight")
    assert seen == {True, False}


def test_steps_say_in_which_fold_they_are(open_page: Any) -> None:
    """A screen reader hears where the drawing has gone."""
    page = open_page(network(), limit=10)
    page.keyboard.press("ArrowRight")
    told = page.locator("#announcement").text_content()
    assert told.startswith("Step 2 of 38. In whole graph › MLP › Layer 1 › Neuron 1. The gate w·x")


def test_looking_elsewhere_lasts_until_the_next_step(open_page: Any) -> None:
    """Someone who opened another fold keeps it while inputs move, and is taken back by a step."""
    page = open_page(network(), limit=10)
    page.evaluate("scalargrad.goTo(3)")
    page.locator("#path button", has_text="Layer 1").click()
    page.locator(".fold", has_text="Neuron 3").click()
    page.evaluate("scalargrad.setInputs({x0: 3})")
    assert path(page)[-1] == "Neuron 3"
    page.locator("#panel").focus()
    page.keyboard.press("ArrowRight")
    assert path(page)[-1] == "Neuron 2"


def test_following_can_be_switched_off(open_page: Any) -> None:
    """Then the drawing stays, and the fold in which the step is has the halo."""
    page = open_page(network(), limit=10)
    page.locator(".fold", has_text="MLP").click()
    page.locator("#follow").click()
    page.locator("#panel").focus()
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    assert path(page) == ["whole graph", "MLP"]
    halo, box = (
        page.locator(selector).first.evaluate("rect => rect.getBBox().x + rect.getBBox().width / 2")
        for selector in ("#underlay rect.halo", ".fold rect")
    )
    assert halo == pytest.approx(box, abs=1.0)
    page.locator("#follow").click()
    assert path(page)[-1] == "Neuron 1"


def test_a_closed_fold_shows_what_it_computes_and_what_comes_back(open_page: Any) -> None:
    """In the drawing around it, a fold's result has its value and its gradient."""
    steps = network()
    page = open_page(steps, limit=10)
    page.keyboard.press("End")
    page.locator("#path button", has_text="whole graph").click()
    output = next(n for n in steps.scene.order if n.op and n.op.name == "sub").parents[0]
    assert isinstance(output, Value)
    id = f"n{steps.scene.place[output]}"
    assert drawn(page)[f"{id}-value"].endswith(shown(output.data))
    assert drawn(page)[f"{id}-gradient"] == shown(sum(steps.scene.terms[output]))


def test_calls_of_one_model_are_told_apart(open_page: Any) -> None:
    """Three samples make three folds with numbers, beside one with what they share."""
    page = open_page(batch(), limit=10)
    said = page.locator(".fold").all_text_contents()
    assert [text for text in said if "call" in text] == [f"MLP call {k} of 3" for k in (1, 2, 3)]
    assert len(said) == 4


def test_an_outlet_says_where_to_and_leads_up(open_page: Any) -> None:
    """What leaves Layer 1 goes to Layer 2; its box opens the drawing around."""
    page = open_page(network(), limit=10)
    for name in ("MLP", "Layer 1"):
        page.locator(".fold", has_text=name).click()
    outlets = page.locator(".exit")
    assert set(outlets.all_text_contents()) == {"to Layer 2"}
    outlets.first.click()
    assert path(page) == ["whole graph", "MLP"]


def test_arrows_into_a_closed_fold_run_back_out_of_it(open_page: Any) -> None:
    """However many wires a line stands for, its arrow starts at the fold and points left."""
    page = open_page(network(3, (16, 1)), limit=10)
    page.get_by_role("radio", name="layer").check()
    page.locator("#panel").focus()
    page.keyboard.press("End")
    assert path(page) == ["whole graph", "MLP"]
    starts, ends = page.evaluate(
        """[0, 1].map(end => [...document.querySelectorAll("#underlay .back")].map(
        way => way.getPointAtLength(end * way.getTotalLength()).x))"""
    )
    assert len(starts) == 3
    assert all(start > end for start, end in zip(starts, ends, strict=True))
    assert page.locator(".arrow").count() == 3


# Bundles ----------------------------------------------------------------------------------------


def test_many_operands_are_one_bundle_that_opens_as_a_list(open_page: Any) -> None:
    """Sixteen weights and a bias: one box; its list has every value and every gradient."""
    steps = network(16, (2, 1))
    page = open_page(steps)
    page.keyboard.press("End")
    bundle = page.locator(".bundle", has_text="(17)").first
    bundle.focus()
    page.keyboard.press("Enter")
    rows = page.locator("#node-sum tbody tr")
    assert rows.count() == 17
    scene = steps.scene
    by_name = {scene.names[node]: node for node in scene.order}
    for name, value, gradient in (row.locator("th, td").all_text_contents() for row in rows.all()):
        node = by_name[name]
        assert (value, gradient) == (shown(node.data), shown(sum(scene.terms[node])))
    rows.first.get_by_role("button").click()
    assert "exactly" in page.locator("#node-sum").text_content()


def test_a_bundle_shows_the_wire_at_work_and_else_how_many_there_are(open_page: Any) -> None:
    """16 values forward; going back along one of them, that one's number."""
    steps = network(16, (2, 1))
    page = open_page(steps)
    assert "16 values" in drawn(page).values()
    step = next(step for step in steps if step.parent and scene_name(step) == "x3")
    page.evaluate(f"scalargrad.goTo({step.index + 1})")
    texts = set(drawn(page).values())
    assert "x3 = 1" in texts
    assert f"Σ {step.arrived}/{step.expected}" in texts


def scene_name(step: Any) -> str:
    """Return the name of the node that receives."""
    name: str = step.scene.names[step.parent]
    return name


def test_dense_layers_meet_in_a_bundle_instead_of_a_thicket(open_page: Any) -> None:
    """Eight units read by eight: eight lines to one box and eight from it, not sixty-four."""
    page = open_page(walk(network(2, (8, 8, 1)).root))
    assert page.locator("[id$='-into']").count() == 8
    assert page.locator(".results").all_text_contents() == ["v2 … v16 (8)"]
    assert page.locator("path[id$='-b0'].enters").count() == 8
    page.keyboard.press("End")
    assert page.locator("[id$='-into'].passed").count() == 8


# Size -------------------------------------------------------------------------------------------


def test_two_thousand_nodes_are_stepped_through(open_page: Any) -> None:
    """The last step, an input moved, a fold opened: each is there at once and right."""
    model = MLP(16, [32, 32, 1], activation="tanh", rng=1)
    x = [Value(0.1 * i, f"x{i}") for i in range(16)]

    def build() -> Value:
        penalty = add_up([square(p) for p in model.layers[1].parameters()[:200]])
        return labelled(square(model(x) - 1.0) + penalty * 0.01, "J")

    steps = walk(build(), model=model)
    assert len(steps.scene.order) >= 1980
    page = open_page(steps)
    page.keyboard.press("End")
    assert page.locator("#counter").text_content() == f"{len(steps)}/{len(steps)}"
    page.evaluate("scalargrad.setInputs({x0: 2})")
    x[0].data = 2.0
    assert page.evaluate("scalargrad.numbers().data.at(-1)") == pytest.approx(
        build().data, rel=1e-12
    )


def test_inputs_of_a_large_graph_are_those_of_the_open_drawing(open_page: Any) -> None:
    """Hundreds of sliders would hide the ones at hand; the page says how many there are."""
    page = open_page(network(4, (16, 16, 1)))
    assert page.locator(".field").count() == 4
    assert page.locator("#some").text_content() == "4 of 373 inputs: data, and those drawn here."
    page.evaluate("scalargrad.goTo(2)")
    assert page.locator(".field").count() == 4 + 4 + 1
    page.keyboard.press("u")
    assert page.locator(".field").count() == 4


# What is taken away -----------------------------------------------------------------------------


def test_the_open_drawing_is_exported_and_printed(open_page: Any) -> None:
    """A neuron's drawing, and of thousands of steps those that happen in it."""
    steps = network()
    page = open_page(steps, limit=10)
    page.evaluate("scalargrad.goTo(2)")
    page.locator("#more").click()
    with page.expect_download() as download:
        page.locator("#export").click()
    svg = ET.parse(download.value.path()).getroot()
    title = svg.find("{http://www.w3.org/2000/svg}title")
    assert title is not None
    assert str(title.text).endswith("step 2 of 38, whole graph › MLP › Layer 1 › Neuron 1")
    page.evaluate("window.print = () => {}")
    page.locator("#print-steps").click()
    assert page.locator("#sheet li").count() == 2 + 6
    assert "Neuron 1" in page.locator("#sheet h1").text_content()
    page.locator("#worksheet").click()
    assert page.locator("#sheet ol").first.locator("li").count() == 6
    assert page.locator("#sheet p").text_content().startswith("At x0 = 0.25, x1 = 0.5, w¹₁,₁ ≈")
    given = page.locator("#sheet svg").first.locator("text.gradient").all_text_contents()
    assert given.count("______") == len(given) - 1
    output = next(node for node in steps.scene.order if node.op and node.op.name == "tanh")
    assert shown(sum(steps.scene.terms[output])) in given


def test_labels_in_folds_do_nothing_but_appear(open_page: Any) -> None:
    """Markup in a label runs nothing where it names a fold, a port or a bundle."""
    leaves = [Parameter(0.1 * i, HOSTILE) for i in range(1, 13)]
    tops = [labelled(tanh(labelled(add_up(leaves), HOSTILE) * w), HOSTILE) for w in leaves]
    steps = walk(labelled(add_up(tops), HOSTILE))
    page = open_page(steps, limit=5)
    page.evaluate(
        """count => {
      for (let k = 0; k < count; k += 1) document.getElementById("next").click();
      for (let i = 0; i < scalargrad.drawings; i += 1) scalargrad.open(i);
    }""",
        len(steps),
    )
    assert page.locator("#next").get_attribute("aria-disabled") == "true"
    assert page.locator("img").count() == 0
    assert page.title().startswith("Backpropagation through </script>")
