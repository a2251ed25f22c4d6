"""Errors of modules, losses, data, files of models and programs, and the command line's own."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from examples.experiments import GPT, ClickModel, Vocabulary
from scalargrad import Parameter, Value, jit, losses, nn
from scalargrad.data import bag_of_words, digits, moons
from scalargrad.export import from_json, to_json
from scalargrad.nn import init

_UNTYPED: Any = None  # what a type checker would not let pass


def state_that_does_not_fit() -> None:
    """All that is wrong, in one message."""
    model = nn.Sequential(nn.Linear(2, 3, rng=0), nn.ReLU(), nn.Linear(3, 1, rng=1))
    model.load_state_dict({"0.weight": [[1.0, 2.0]], "2.weight": [1.0, "x"], "extra": 1.0})


CASES: dict[str, Callable[[], object]] = {
    "activation_by_a_wrong_name": lambda: nn.MLP(2, [3, 1], activation="rellu"),
    "approximation_of_gelu": lambda: nn.GELU(approximate="erf"),
    "softmax_over_examples": lambda: nn.Softmax(dim=0)([[1.0, 2.0], [3.0, 4.0]]),
    "probability_of_dropout": lambda: nn.Dropout(1.5),
    "inputs_of_a_neuron": lambda: nn.Neuron(2)([1.0, 2.0, 3.0]),
    "input_that_is_a_number": lambda: nn.Linear(2, 1, rng=0)(1.0),
    "sparse_input_by_words": lambda: nn.Linear(2, 1, rng=0)({"word": 1.0}),
    "index_of_an_embedding": lambda: nn.Embedding(4, 2, rng=0)(4),
    "mode_of_a_bag": lambda: nn.EmbeddingBag(4, 2, mode="max"),
    "weights_of_samples": lambda: nn.EmbeddingBag(4, 2, mode="sum", rng=0)([0, 1], [1.0]),
    "module_without_forward": lambda: nn.Sequential(nn.ReLU(), len),  # type: ignore[arg-type]
    "name_of_a_part": lambda: nn.Sequential({"train": nn.ReLU()}),
    "weights_without_fans": lambda: init.xavier_normal_([Parameter(0.0)]),
    "gain_of_no_unit": lambda: init.calculate_gain("gelu"),
    "weights_that_are_ragged": lambda: nn.save_file(
        {"w": [[1.0], [1.0, 2.0]]}, "never.safetensors"
    ),
    "lengths_of_predictions_and_targets": lambda: losses.mse_loss([[1.0], [2.0]], [1.0, 2.0, 3.0]),
    "reduction_by_a_wrong_name": lambda: losses.mse_loss([1.0], [1.0], reduction=_UNTYPED),
    "no_examples": lambda: losses.mse_loss([], []),
    "rows_beside_numbers": lambda: losses.mse_loss([[1.0, 2.0]], [1.0, 2.0]),
    "delta_of_hubers_loss": lambda: losses.huber_loss(1.0, 0.0, delta=0.0),
    "probability_beyond_one": lambda: losses.binary_cross_entropy([1.5], [1.0]),
    "class_beyond_the_last": lambda: losses.cross_entropy([1.0, 2.0], 2),
    "class_that_is_no_whole_number": lambda: losses.cross_entropy([1.0, 2.0], 0.5),
    "probabilities_of_too_many_classes": lambda: losses.cross_entropy([1.0, 2.0], [0.2, 0.3, 0.5]),
    "class_before_the_first": lambda: losses.cross_entropy([1.0, 2.0], -1),
    "more_targets_than_examples": lambda: losses.cross_entropy([[1.0, 2.0]], [0, 1]),
    "weight_below_zero": lambda: losses.cross_entropy([1.0, 2.0], 0, [1.0, -1.0]),
    "smoothing_beyond_one": lambda: losses.cross_entropy([1.0, 2.0], 0, label_smoothing=2.0),
    "class_that_is_a_list_of_probabilities": lambda: losses.nll_loss([-1.0, -2.0], [0.5, 0.5]),
    "power_of_a_margin": lambda: losses.multi_margin_loss([1.0, 2.0], 0, p=3),
    "beta_below_zero": lambda: losses.smooth_l1_loss(1.0, 0.0, beta=-1.0),
    "weights_of_too_few_examples": lambda: losses.binary_cross_entropy([0.5], [1.0], [1.0, 2.0]),
    "weights_of_too_few_classes": lambda: losses.cross_entropy([1.0, 2.0], 0, [1.0]),
    "scores_of_several_lengths": lambda: losses.cross_entropy([[1.0, 2.0], [1.0]], [0, 0]),
    "every_example_ignored": lambda: losses.cross_entropy([[1.0]], [0], ignore_index=0),
    "targets_of_several_classes_beside_one_score": lambda: losses.accuracy([0.3, 0.3], [1, 2]),
    "score_that_is_nan": lambda: losses.accuracy([[math.nan, 1.0]], [0]),
    "no_points": lambda: moons(0),
    "size_of_an_image": lambda: digits(1),
    "size_of_a_bag_of_words": lambda: bag_of_words("word", size=0),
    "value_that_cannot_be_looked_up": lambda: Vocabulary(["a"]).row(["a"]),  # type: ignore[arg-type]
    "world_of_clicks": lambda: ClickModel(unseen=1.0),
    "tokens_beyond_the_context": lambda: GPT(3, context=2, width=4, heads=1, rng=0)([0, 1, 2]),
    "heads_that_do_not_divide_the_width": lambda: GPT(3, width=8, heads=3),
    "ending_of_an_exported_file": lambda: jit(lambda x: x).export("f.rs", 1.0),
    "name_of_an_exported_function": lambda: jit(lambda x: x).export("double.c", 1.0),
    "graph_of_another_format": lambda: from_json('{"graph": {"format": "another"}}'),
    "graph_that_is_cut_off": lambda: from_json(
        to_json(Value(1.0) * 2.0).replace('"key": 1', '"key": 7')
    ),
    "folder_for_a_file": lambda: nn.load_file(Path()),
}
