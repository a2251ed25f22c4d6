"""Errors of modules, losses, data, files of models and programs, and the command line's own."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

from scalargrad import Parameter, Value, drawn, jit, losses, nn
from scalargrad.data import Vocabulary, bag_of_words, click_model, digits, moons, names
from scalargrad.experiments import GPT
from scalargrad.export import from_json, to_json
from scalargrad.nn import init

_UNTYPED: Any = None  # what a type checker would not let pass


def activation_by_a_wrong_name() -> None:
    """Of a perceptron."""
    nn.MLP(2, [3, 1], activation="rellu")


def approximation_of_gelu() -> None:
    """Neither none nor tanh."""
    nn.GELU(approximate="erf")


def softmax_over_examples() -> None:
    """With a dimension that is not the innermost."""
    nn.Softmax(dim=0)([[1.0, 2.0], [3.0, 4.0]])


def probability_of_dropout() -> None:
    """Beyond 1."""
    nn.Dropout(1.5)


def inputs_of_a_neuron() -> None:
    """Too many."""
    nn.Neuron(2)([1.0, 2.0, 3.0])


def input_that_is_a_number() -> None:
    """Where a list is needed."""
    nn.Linear(2, 1, rng=0)(1.0)


def sparse_input_by_words() -> None:
    """Keys are whole numbers."""
    nn.Linear(2, 1, rng=0)({"word": 1.0})


def index_of_an_embedding() -> None:
    """Beyond the table."""
    nn.Embedding(4, 2, rng=0)(4)


def mode_of_a_bag() -> None:
    """Neither mean nor sum."""
    nn.EmbeddingBag(4, 2, mode="max")


def weights_of_samples() -> None:
    """Fewer than samples."""
    nn.EmbeddingBag(4, 2, mode="sum", rng=0)([0, 1], [1.0])


def module_without_forward() -> None:
    """Nothing to run."""
    nn.Sequential(nn.ReLU(), len)  # type: ignore[arg-type]


def name_of_a_part() -> None:
    """Where it would hide a method."""
    nn.Sequential({"train": nn.ReLU()})


def summary_of_any_size() -> None:
    """Without an example."""
    nn.summary(nn.ReLU())


def state_that_does_not_fit() -> None:
    """All that is wrong, in one message."""
    model = nn.Sequential(nn.Linear(2, 3, rng=0), nn.ReLU(), nn.Linear(3, 1, rng=1))
    model.load_state_dict({"0.weight": [[1.0, 2.0]], "2.weight": [1.0, "x"], "extra": 1.0})


def state_that_leaves_out_values() -> None:
    """Where they are listed as parameters, but are none."""

    class Line(nn.Module):
        def __init__(self) -> None:
            self.w = Value(0.5)

        def parameters(self) -> list[Any]:
            return [self.w]

    Line().state_dict()


def weights_without_fans() -> None:
    """With a lone row."""
    init.xavier_normal_([Parameter(0.0)])


def gain_of_no_unit() -> None:
    """With an activation without one."""
    init.calculate_gain("gelu")


def weights_that_are_ragged() -> None:
    """No rectangle."""
    nn.save_file({"w": [[1.0], [1.0, 2.0]]}, "never.safetensors")


def lengths_of_predictions_and_targets() -> None:
    """Of a loss of numbers."""
    losses.mse_loss([[1.0], [2.0]], [1.0, 2.0, 3.0])


def reduction_by_a_wrong_name() -> None:
    """Neither mean, sum nor none."""
    losses.mse_loss([1.0], [1.0], reduction=_UNTYPED)


def no_examples() -> None:
    """For a mean over nothing."""
    losses.mse_loss([], [])


def delta_of_hubers_loss() -> None:
    """Not above 0."""
    losses.huber_loss(1.0, 0.0, delta=0.0)


def probability_beyond_one() -> None:
    """Of a binary loss."""
    losses.binary_cross_entropy([1.5], [1.0])


def class_beyond_the_last() -> None:
    """Of two."""
    losses.cross_entropy([1.0, 2.0], 2)


def class_that_is_no_whole_number() -> None:
    """Between two."""
    losses.cross_entropy([1.0, 2.0], 0.5)


def probabilities_of_too_many_classes() -> None:
    """Three for two scores."""
    losses.cross_entropy([1.0, 2.0], [0.2, 0.3, 0.5])


def weights_of_too_few_classes() -> None:
    """One for two."""
    losses.cross_entropy([1.0, 2.0], 0, [1.0])


def scores_of_several_lengths() -> None:
    """One example has fewer classes."""
    losses.cross_entropy([[1.0, 2.0], [1.0]], [0, 0])


def every_example_ignored() -> None:
    """Nothing is left to average."""
    losses.cross_entropy([[1.0]], [0], ignore_index=0)


def targets_of_several_classes_beside_one_score() -> None:
    """Where a class is 1, or 0 or -1."""
    losses.accuracy([0.3, 0.3], [1, 2])


def score_that_is_nan() -> None:
    """Where a class is to be named."""
    losses.accuracy([[math.nan, 1.0]], [0])


def no_points() -> None:
    """Of data by rule."""
    moons(0)


def size_of_an_image() -> None:
    """One pixel."""
    digits(1)


def kind_of_name() -> None:
    """None of those there are."""
    kind: Any = "river"
    names(kind)


def size_of_a_bag_of_words() -> None:
    """None."""
    bag_of_words("word", size=0)


def value_that_cannot_be_looked_up() -> None:
    """With a list."""
    Vocabulary(["a"]).row(["a"])  # type: ignore[arg-type]


def world_of_clicks() -> None:
    """With a share of 1."""
    click_model(unseen=1.0)


def tokens_beyond_the_context() -> None:
    """Of a GPT."""
    GPT(3, context=2, width=4, heads=1, rng=0)([0, 1, 2])


def heads_that_do_not_divide_the_width() -> None:
    """Of a GPT."""
    GPT(3, width=8, heads=3)


def ending_of_an_exported_file() -> None:
    """Another language."""
    jit(lambda x: x).export("f.rs", 1.0)


def name_of_an_exported_function() -> None:
    """After a word of C."""
    jit(lambda x: x).export("double.c", 1.0)


def random_numbers_in_a_file() -> None:
    """They are Python's."""
    rng = random.Random(0)
    jit(lambda x: x * drawn(rng.random)).export("never.c", 1.0)


def graph_of_another_format() -> None:
    """No graph of ours."""
    from_json('{"graph": {"format": "another"}}')


def graph_that_is_cut_off() -> None:
    """Where an operand is missing."""
    from_json(to_json(Value(1.0) * 2.0).replace('"key": 1', '"key": 7'))


def folder_for_a_file() -> None:
    """With a folder in its place."""
    nn.load_file(Path())
