"""XOR: not one linear unit; solved by hand, by a feature map and by a small network.

Toronto STA414 week 6 and UCSB give the network of hard thresholds.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence

import pytest

import scalargrad as sg
from scalargrad import Parameter, Value, nn

POINTS = ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0))
XOR = (0.0, 1.0, 1.0, 0.0)
AND = (0.0, 0.0, 0.0, 1.0)
OR = (0.0, 1.0, 1.0, 1.0)


def hits(classify: Callable[[Sequence[float]], float], targets: Sequence[float] = XOR) -> int:
    """Return the number of points that a classifier gets right."""
    return sum(classify(x) == t for x, t in zip(POINTS, targets, strict=True))


def perceptron(weights: Sequence[float], bias: float) -> Callable[[Sequence[float]], float]:
    """Return the threshold unit I[w·x + b > 0]."""
    return lambda x: sg.step(sg.dot(weights, x, bias))


def train_logistic(features: Sequence[Sequence[float]], rate: float, steps: int) -> list[Parameter]:
    """Fit weights and a bias to XOR by gradient descent on the mean cross-entropy."""
    parameters = [Parameter(0.1 * i) for i in range(len(features[0]) + 1)]
    *weights, bias = parameters
    for _ in range(steps):
        scores = [sg.dot(weights, x, bias) for x in features]
        loss = sg.mean([sg.softplus(z) - t * z for z, t in zip(scores, XOR, strict=True)])
        for parameter in parameters:
            parameter.grad = 0.0
        loss.backward()
        for parameter in parameters:
            parameter.data -= rate * parameter.grad
    return parameters


def logistic_hits(features: Sequence[Sequence[float]], parameters: Sequence[Value]) -> int:
    """Return the number of points whose probability is on the right side of ½."""
    *weights, bias = parameters
    scores = [sg.dot(weights, x, bias).data for x in features]
    return sum((z > 0) == (t == 1.0) for z, t in zip(scores, XOR, strict=True))


GRID = [k / 4 for k in range(-8, 9)]


def best_perceptron(targets: Sequence[float]) -> int:
    """Return the maximum number of right points over perceptrons of a grid of 17³."""
    return max(
        hits(perceptron((w1, w2), b), targets) for w1, w2, b in itertools.product(GRID, repeat=3)
    )


def test_perceptrons_of_a_grid_do_not_separate_xor() -> None:
    """Of 4,913 perceptrons none gets more than 3 points of XOR right; for AND and OR one does."""
    assert best_perceptron(XOR) == 3
    assert best_perceptron(AND) == 4
    assert best_perceptron(OR) == 4


def test_linear_scores_contradict_xor() -> None:
    """For linear scores z(0,0) + z(1,1) = z(0,1) + z(1,0), but XOR needs ≤ 0 and > 0.

    The four scores are linear in (w₁, w₂, b): if their gradients balance, so do the scores for
    every choice of weights.
    """

    def balance(parameters: Sequence[Value]) -> Value:
        *weights, bias = parameters
        low, one, other, high = (sg.dot(weights, x, bias) for x in POINTS)
        difference: Value = low + high - one - other
        return difference

    assert sg.value_and_grad(balance)([0.7, -1.3, 0.2]) == (pytest.approx(0.0), [0.0, 0.0, 0.0])


def test_perceptron_rule_does_not_converge_on_xor() -> None:
    """Rosenblatt's rule w += (t - y)x makes a mistake in each of 100 rounds."""
    weights, bias = [0.0, 0.0], 0.0
    for _ in range(100):
        mistakes = 0
        for x, t in zip(POINTS, XOR, strict=True):
            error = t - perceptron(weights, bias)(x)
            weights = [w + error * xi for w, xi in zip(weights, x, strict=True)]
            bias += error
            mistakes += error != 0.0
        assert mistakes > 0
        assert hits(perceptron(weights, bias)) <= 3


def test_logistic_regression_of_xor_ends_at_probability_one_half() -> None:
    """After convergence w = 0, and at most 3 of 4 points are right."""
    parameters = train_logistic(POINTS, rate=2.0, steps=300)
    assert [p.data for p in parameters] == pytest.approx([0.0, 0.0, 0.0], abs=1e-9)
    assert logistic_hits(POINTS, parameters) <= 3


def test_step_network_solves_xor() -> None:
    """The units I[x₁+x₂-.5 > 0], I[x₁+x₂-1.5 > 0] and I[h₁-h₂-.5 > 0] get 4 of 4 right."""
    either, both = perceptron((1.0, 1.0), -0.5), perceptron((1.0, 1.0), -1.5)
    output = perceptron((1.0, -1.0), -0.5)
    assert hits(lambda x: output((either(x), both(x)))) == 4


def test_step_network_has_no_gradient() -> None:
    """The network of thresholds is right on every point, but its weights have gradient 0."""
    weights = [Value(w) for w in (1.0, 1.0, -0.5, 1.0, 1.0, -1.5, 1.0, -1.0, -0.5)]
    x = (1.0, 0.0)
    hidden = [sg.step(sg.dot(weights[i : i + 2], x, weights[i + 2])) for i in (0, 3)]
    y = sg.step(sg.dot(weights[6:8], hidden, weights[8]))
    y.backward()
    assert y.data == 1.0
    assert [w.grad for w in weights] == [0.0] * 9


def test_xor_is_linear_after_a_feature_map() -> None:
    """On (x₁, x₂, x₁x₂) the weights (1, 1, -2) with bias -½ get 4 of 4 right."""
    unit = perceptron((1.0, 1.0, -2.0), -0.5)
    assert hits(lambda x: unit((*x, x[0] * x[1]))) == 4


def test_logistic_regression_learns_xor_from_the_feature_map() -> None:
    """On (x₁, x₂, x₁x₂) gradient descent finds weights that get 4 of 4 right."""
    features = [(*x, x[0] * x[1]) for x in POINTS]
    parameters = train_logistic(features, rate=4.0, steps=300)
    assert logistic_hits(features, parameters) == 4


def test_mlp_learns_xor() -> None:
    """MLP(2, [4, 1]) with tanh units, trained from a random start, gets 4 of 4 right."""
    random.seed(0)
    model = nn.MLP(2, [4, 1], activation="tanh")
    for _ in range(300):
        scores = [model(x) for x in POINTS]
        loss = sg.mean([sg.softplus(z) - t * z for z, t in zip(scores, XOR, strict=True)])
        model.zero_grad()
        loss.backward()
        for parameter in model.parameters():
            parameter.data -= 1.0 * parameter.grad
    assert hits(lambda x: sg.step(model(x)).data) == 4
