"""The formulas of a step, as text or MathML: the chain rule in symbols and in numbers."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from scalargrad.show.number_format import loosest, number, product_relation, relation
from scalargrad.show.steps.formula_writer import TEXT, FormulaWriter, Notation
from scalargrad.show.steps.resolver import is_plain_sum
from scalargrad.show.steps.scene import Scene, StepFacts
from scalargrad.value import Value

Link: TypeAlias = tuple[str, str]


class Formula(NamedTuple):
    """One formula as a chain of links: each is a piece, after a sign or none.

    Where the numbers would only repeat, the whole has the result alone, after the sign `brief`.
    """

    symbols: list[Link]
    numbers: list[Link]
    brief: str = ""

    def whole(self) -> list[Link]:
        """Return the links of the whole formula."""
        if not self.brief:
            return [*self.symbols, *self.numbers]
        return [*self.symbols, (self.brief, self.numbers[-1][1])]

    def numbers_alone(self) -> list[Link]:
        """Return the links of the numbers, the first without a sign."""
        return [("", self.numbers[0][1]), *self.numbers[1:]]


def inputs_formulas(step: StepFacts, writer: FormulaWriter) -> list[Formula]:
    """Return one formula for each input, ``x = -2``."""
    scene = step.scene
    return [
        Formula(
            [("", writer.name(scene.in_formulas[leaf]))],
            [(relation(scene.data[leaf]), writer.number(scene.data[leaf]))],
        )
        for leaf in scene.inputs
    ]


def forward_formula(step: StepFacts, writer: FormulaWriter) -> Formula:
    """Return what a gate computes, ``f = q·z = 3·(-4) = -12``."""
    scene, node = step.scene, _node(step)
    gate = scene.gate(node)
    expression, data = gate.expression(), scene.data[node]
    constants = scene.constants(gate, expression)
    numbers, operands = scene.numbers(gate, expression), scene.exactness.operands(node)
    names_all = is_plain_sum(expression) and not scene.held(node)
    repeats = names_all or TEXT.expression(expression, numbers) == number(data)
    return Formula(
        [
            ("", writer.name(scene.in_formulas[node])),
            (
                relation(*constants),
                writer.expression(expression, scene.words(gate, expression)),
            ),
        ],
        [
            (operands, writer.expression(expression, numbers)),
            (gate.relation, writer.number(data)),
        ],
        loosest(operands, gate.relation) if repeats else "",
    )


def seed_formula(step: StepFacts, writer: FormulaWriter, notation: Notation) -> Formula:
    """Return where the backward pass starts, ``∂f/∂f = 1``."""
    return Formula([("", signal(step, _node(step), writer, notation))], [("=", writer.number(1.0))])


def backward_formula(step: StepFacts, writer: FormulaWriter, notation: Notation) -> Formula:
    """Return the chain rule along one wire, ``∂f/∂y = ∂f/∂q·∂q/∂y = (-4)·1 = -4``."""
    parent, upstream, local, contribution = _wire(step)
    left = signal(step, parent, writer, notation)
    if step.fans_out:
        left = writer.join([left, writer.phrase(f"via {_gate_words(step)}:")])
    product = writer.product(writer.factor(upstream), writer.factor(local))
    chain = _chain(step, writer, notation)
    exactness = step.scene.exactness
    signs = exactness.gradient(_node(step)), *exactness.local(_node(step), step.operand or 0)
    equals = loosest(*signs) if chain == product else "="
    result = product_relation(upstream, local, contribution)
    return Formula(
        [("", left), ("" if step.fans_out else equals, chain)],
        [
            (loosest(*signs), product),
            (result, writer.number(contribution)),
        ],
        result if chain == product else "",
    )


def _chain(step: StepFacts, writer: FormulaWriter, notation: Notation) -> str:
    """Return upstream · local in symbols; at the root the upstream is 1, so it says 1·q."""
    scene, node = step.scene, _node(step)
    parent, upstream, _, _ = _wire(step)
    if node is not scene.root:
        local = writer.partial(scene.in_formulas[node], scene.in_formulas[parent])
        return writer.product(signal(step, node, writer, notation), local)
    gate = scene.gate(node)
    partial = gate.partial(step.operand or 0)
    local = writer.factor_of(partial, scene.words(gate, partial))
    return writer.product(writer.factor(upstream), local)


def local_formula(
    scene: Scene, node: Value, operand: int, writer: FormulaWriter, wire: str = "on this wire"
) -> Formula:
    """Return the local derivative of a wire, ``∂f/∂z = q = 3``; `wire` tells it from others."""
    parent, local = node.parents[operand], node.local_grads[operand]
    assert isinstance(parent, Value)
    assert local is not None
    gate = scene.gate(node)
    partial = gate.partial(operand)
    left = writer.partial(scene.in_formulas[node], scene.in_formulas[parent])
    if scene.expected[parent] > 1 and (node is scene.root or scene.is_repeated(node, parent)):
        left = writer.join([left, writer.phrase(wire)])  # not the whole derivative
    constants = scene.constants(gate, partial)
    symbols = writer.expression(partial, scene.words(gate, partial))
    numbers = writer.expression(partial, scene.numbers(gate, partial))
    filled_in, result = scene.exactness.local(node, operand)
    of_names = loosest(filled_in, result)
    if symbols == numbers:  # a number
        return Formula([("", left)], [(of_names, writer.number(local))])
    repeats = TEXT.expression(partial, scene.numbers(gate, partial)) == number(local)
    links = [(filled_in, numbers), (result, writer.number(local))]
    written = [("", left), (relation(*constants), symbols)]
    if (textbook := gate.textbook(operand)) is not None:
        first = writer.expression(textbook, scene.words(gate, textbook))
        written.insert(1, (relation(*scene.constants(gate, textbook)), first))
    return Formula(written, links, of_names if repeats else "")


def signal(step: StepFacts, node: Value, writer: FormulaWriter, notation: Notation) -> str:
    """Return the gradient of a node in a notation; only a pre-activation's is written δ."""
    scene = step.scene
    written = "partial" if notation == "delta" and node not in scene.pre_activations else notation
    return writer.signal(scene.in_formulas[scene.root], scene.in_formulas[node], written)


def _gate_words(step: StepFacts) -> str:
    """Name the gate that a contribution comes through and, if there are several wires, which."""
    node, scene = _node(step), step.scene
    word = scene.in_formulas[node]
    several = scene.is_repeated(node, _wire(step)[0])
    return f"{word}, operand {(step.operand or 0) + 1}" if several else word


def _node(step: StepFacts) -> Value:
    assert step.node is not None
    return step.node


def _wire(step: StepFacts) -> tuple[Value, float, float, float]:
    assert step.parent is not None
    assert step.upstream is not None
    assert step.local is not None
    assert step.contribution is not None
    return step.parent, step.upstream, step.local, step.contribution
