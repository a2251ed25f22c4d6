"""A network that learns from names and generates new ones."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from scalargrad import data
from scalargrad.experiments.gpt import GPT
from scalargrad.experiments.plan import Plan, Report, draw_training, report
from scalargrad.grad_mode import no_grad
from scalargrad.losses import cross_entropy
from scalargrad.ops import dot, softmax, sum
from scalargrad.optim import Adam
from scalargrad.train import fit

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Alphabet:
    """The characters of a list of names, numbered from 1; 0 marks where a name begins and ends.

    Examples
    --------
    >>> alphabet = Alphabet(["iron", "rio"])
    >>> alphabet.examples(["iron"])
    ([[0, 1, 4, 3, 2]], [[1, 4, 3, 2, 0]])
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.characters = ["", *sorted(set("".join(names)))]
        self._numbers = {character: i for i, character in enumerate(self.characters)}

    def __len__(self) -> int:
        return len(self.characters)

    def examples(self, names: Sequence[str]) -> tuple[list[list[int]], list[list[int]]]:
        """Return the tokens of each name, and for each token the one to predict from it."""
        coded = [[self._numbers[character] for character in name] for name in names]
        return [[0, *name] for name in coded], [[*name, 0] for name in coded]

    def invent(
        self, model: GPT, rng: random.Random, start: str = "", temperature: float = 0.5
    ) -> str:
        """Draw a name from a model, character by character.

        Parameters
        ----------
        model : GPT
            With as many characters as this alphabet.
        rng : random.Random
            The generator that draws the characters.
        start : str
            What the name begins with.
        temperature : float
            Divides the scores: near 0 the likeliest character is always taken.

        Returns
        -------
        str
            The name; it ends where the model draws the end, or where the context is full.
        """
        tokens = self.examples([start])[0][0]
        with no_grad():
            while len(tokens) < model.context:
                scores = [score.data / temperature for score in model(tokens)[-1]]
                (drawn,) = rng.choices(range(len(self)), softmax(scores))
                if drawn == 0:
                    break
                tokens.append(drawn)
        return "".join(self.characters[token] for token in tokens)


def next_character_loss(predictions: list[Any], targets: list[Any]) -> Any:
    """Return the mean cross-entropy over every position of every name, in nats."""
    logits = [scores for name in predictions for scores in name]
    return cross_entropy(logits, [character for name in targets for character in name])


def filled(tokens: Sequence[int], length: int) -> tuple[list[int], list[float]]:
    """Return tokens padded to a length with 0, and the weight of each: 1, or 0 for padding.

    >>> filled([1, 4, 0], 5)
    ([1, 4, 0, 0, 0], [1.0, 1.0, 1.0, 0.0, 0.0])
    """
    rest = length - len(tokens)
    return [*tokens, *[0] * rest], [1.0] * len(tokens) + [0.0] * rest


def filled_loss(predictions: list[Any], targets: list[Any]) -> Any:
    """Return the `next_character_loss` of names that are padded to one length."""
    logits = [scores for name in predictions for scores in name]
    characters = [character for name, _ in targets for character in name]
    weights = [weight for _, name in targets for weight in name]
    losses = cross_entropy(logits, characters, reduction="none")
    return dot(losses, weights) / sum(weights)


def plain_names(longest: int = 12) -> list[str]:
    """Return the names of `data.names` that are one word of a to z, in lower case.

    Examples
    --------
    >>> plain_names()[:2]
    ['afghanistan', 'albania']
    """
    short = (name.lower() for name in data.names())
    return [x for x in dict.fromkeys(short) if x.isascii() and x.isalpha() and len(x) <= longest]


def names(plan: Plan) -> Report:
    """Train a GPT of some 4,000 parameters on names, and let it invent twenty.

    Adam on batches of 4; 20 epochs unless the plan says otherwise. Ctrl-C keeps what was learned,
    and ``--resume`` goes on from the last checkpoint. All names are padded to the longest, so
    that one compiled program serves every batch; no position sees what comes after it, and the
    loss leaves out the padding.
    """
    known = plain_names()
    alphabet = Alphabet(known)
    model = GPT(len(alphabet), rng=plan.seed)
    inputs, targets = alphabet.examples(known)
    longest = max(map(len, inputs))
    history = fit(
        model,
        [filled(tokens, longest)[0] for tokens in inputs],
        [filled(tokens, longest) for tokens in targets],
        loss=filled_loss,
        optimizer=Adam(model.parameters(), lr=plan.rate(0.01), betas=(0.9, 0.99)),
        batch_size=4,
        **plan.options("names", 20),
    )
    rng = random.Random(plan.seed)
    invented = [alphabet.invent(model, rng) for _ in range(20)]

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        draw_training(history, left)
        right.set_axis_off()
        right.set_title("Invented names, those that exist marked with *")
        for i, name in enumerate(invented):
            mark = "*" if name in known else ""
            right.text(0.1 + 0.45 * (i // 10), 0.9 - 0.09 * (i % 10), name + mark)

    summary = [f"loss {_last_loss(history):.3f} nats a character", ", ".join(invented)]
    return report(plan, "names", model, history, draw=draw, summary=summary)


def _last_loss(history: Any) -> float:
    return history["loss"][-1] if len(history) else float("nan")
