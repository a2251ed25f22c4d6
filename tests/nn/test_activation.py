"""Activation modules have PyTorch's values and gradients, at kinks and extremes too."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from scalargrad import DomainError, OperandError, Parameter, Value, jit, nn

POINTS = [1e4, -1e4, 0.0, 0.5, -0.5, 3.0, -3.0, 19.9, 20.1, -20.1, 700.0]

MODULES: list[tuple[str, dict[str, Any]]] = [
    ("ReLU", {}),
    ("LeakyReLU", {}),
    ("LeakyReLU", {"negative_slope": 0.2}),
    ("ELU", {}),
    ("ELU", {"alpha": 0.7}),
    ("SiLU", {}),
    ("Tanh", {}),
    ("Sigmoid", {}),
    ("GELU", {}),
    ("GELU", {"approximate": "tanh"}),
    ("Softplus", {}),
    ("Softplus", {"beta": 2.0, "threshold": 5.0}),
    ("Threshold", {"threshold": 0.1, "value": 20.0}),
    ("Identity", {}),
    ("Softmax", {"dim": -1}),
    ("LogSoftmax", {"dim": 0}),
]


@pytest.mark.parametrize(("name", "options"), MODULES)
def test_values_gradients_and_print_equal_pytorchs(name: str, options: dict[str, Any]) -> None:
    """Each output of each module, at 1e-10."""
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    ours, theirs = getattr(nn, name)(**options), getattr(torch.nn, name)(**options)
    assert repr(ours) == repr(theirs)
    for i in range(len(POINTS)):
        leaves = [Value(x) for x in POINTS]
        oracle = torch.tensor(POINTS, dtype=torch.float64, requires_grad=True)
        found, expected = ours(leaves), theirs(oracle)
        assert [y.data for y in found] == pytest.approx(expected.tolist(), rel=1e-10, abs=1e-10)
        found[i].backward()
        expected[i].backward()
        grads = [x.grad for x in leaves]
        assert grads == pytest.approx(oracle.grad.tolist(), rel=1e-10, abs=1e-10)


def test_the_lectures_gelu() -> None:
    """Both forms at ½, digit for digit."""
    for form, expected in (("none", 0.34573123063700656), ("tanh", 0.34571400982514394)):
        assert nn.GELU(approximate=form)(0.5) == pytest.approx(expected, rel=1e-12)


def test_numbers_lists_and_nested_lists_keep_their_shape() -> None:
    """Anything from one Value to a batch goes in and comes out alike, arrays as lists."""
    relu = nn.ReLU()
    assert relu(-1.0) == 0.0
    assert relu([[1.0, -1.0], (2.0,)]) == [[1.0, 0.0], [2.0]]
    numpy = pytest.importorskip("numpy", reason="arrays are optional")
    assert relu(numpy.array([[1.0, -1.0]])) == [[1.0, 0.0]]
    assert isinstance(relu(Value(2.0)), Value)


def test_softmax_normalises_the_innermost_lists() -> None:
    """A batch is normalised example by example; the sum is 1 for extreme scores too."""
    rows = nn.Softmax(dim=1)([[1e4, 0.0], [0.0, 0.0]])
    assert rows == [[1.0, 0.0], [0.5, 0.5]]
    assert nn.Softmax()([0.0, 0.0]) == [0.5, 0.5]
    numpy = pytest.importorskip("numpy", reason="arrays are optional")
    assert nn.Softmax(dim=1)(numpy.zeros((1, 2))) == [[0.5, 0.5]]
    with pytest.raises(OperandError, match="use dim=-1"):
        nn.Softmax(dim=0)([[1.0, 2.0], [3.0, 4.0]])


def test_the_perceptrons_unit_is_a_hard_threshold() -> None:
    """XOR by hand: h1 = I[x1 + x2 > .5], h2 = I[x1 + x2 > 1.5], y = I[h1 - h2 > .5]."""
    hidden, output, unit = nn.Linear(2, 2), nn.Linear(2, 1), nn.Step()
    hidden.load_state_dict({"weight": [[1.0, 1.0], [1.0, 1.0]], "bias": [-0.5, -1.5]})
    output.load_state_dict({"weight": [[1.0, -1.0]], "bias": [-0.5]})
    net = nn.Sequential(hidden, unit, output, unit)
    answers = [net([a, b])[0].data for a in (0.0, 1.0) for b in (0.0, 1.0)]
    assert answers == [0.0, 1.0, 1.0, 0.0]
    assert repr(unit) == "Step()"


def test_a_nan_passes_through_the_threshold() -> None:
    """PyTorch compares, and a nan compares with nothing."""
    assert nn.Threshold(0.0, 1.0)(float("nan")) != nn.Threshold(0.0, 1.0)(float("nan"))


@pytest.mark.parametrize("compiled", [False, True])
def test_minus_infinity_does_not_exceed_a_threshold(compiled: bool) -> None:
    """The constant stands in for it, and no gradient flows, as in PyTorch: it was a NaN."""
    unit: Any = jit(nn.Threshold(0.0, 20.0)) if compiled else nn.Threshold(0.0, 20.0)
    x = Value(-math.inf)
    y = unit(x)
    y.backward()
    assert (y.data, x.grad) == (20.0, 0.0)
    assert unit(-math.inf) == 20.0


def test_unknown_forms_are_refused() -> None:
    """The error names what can be chosen."""
    with pytest.raises(OperandError, match="'none' or 'tanh'"):
        nn.GELU(approximate="erf")


NUMBERS = [
    lambda x: nn.LeakyReLU(x).negative_slope,
    lambda x: nn.ELU(x).alpha,
    lambda x: nn.Threshold(x, 1.0).threshold,
    lambda x: nn.Threshold(1.0, x).value,
]


@pytest.mark.parametrize("kept", NUMBERS)
def test_options_are_floats_values_or_refused(kept: Callable[[Any], Any]) -> None:
    """NumPy's single precision, True and integers would leak into what is computed."""
    np = pytest.importorskip("numpy")
    for given in (np.float32(0.5), True, 1, 0.25):
        assert type(kept(given)) is float
        assert kept(given) == float(given)
    slope = Parameter(0.5)
    assert kept(slope) is slope
    for wrong in ("x", None, [0.5], 1j, float("nan")):
        with pytest.raises((OperandError, DomainError), match=r"^(LeakyReLU|ELU|Threshold): "):
            kept(wrong)


def test_identity_takes_and_ignores_any_options() -> None:
    """It stands in for a module that is left out, whatever that one was given."""
    assert nn.Identity(54, unused=True)([1.0]) == [1.0]


BY_HAND: list[tuple[nn.Module, list[float], list[float], str]] = [
    (nn.ReLU(), [-2.0, 0.0, 3.0], [0.0, 0.0, 3.0], "ReLU()"),
    (nn.LeakyReLU(0.5), [-2.0, 3.0], [-1.0, 3.0], "LeakyReLU(negative_slope=0.5)"),
    (nn.ELU(2.0), [-1e4, 3.0], [-2.0, 3.0], "ELU(alpha=2.0)"),
    (nn.SiLU(), [-1e4, 0.0, 1e4], [0.0, 0.0, 1e4], "SiLU()"),
    (nn.Tanh(), [-1e4, 0.0, 1e4], [-1.0, 0.0, 1.0], "Tanh()"),
    (nn.Sigmoid(), [-1e4, 0.0, 1e4], [0.0, 0.5, 1.0], "Sigmoid()"),
    (nn.Softplus(2.0), [-1e4, 0.0, 1e4], [0.0, math.log(2.0) / 2, 1e4], "Softplus(beta=2.0,"),
    (nn.Threshold(0.5, 7.0), [0.5, 0.6], [7.0, 0.6], "Threshold(threshold=0.5, value=7.0)"),
    (nn.LogSoftmax(-1), [1e4, 0.0], [0.0, -1e4], "LogSoftmax(dim=-1)"),
]


@pytest.mark.parametrize(("module", "given", "expected", "printed"), BY_HAND)
def test_values_at_limits_known_by_hand(
    module: nn.Module, given: list[float], expected: list[float], printed: str
) -> None:
    """Zero, the kinks, and what each tends to at ±10,000."""
    assert module(given) == pytest.approx(expected, abs=1e-15)
    assert [y.data for y in module([Value(x) for x in given])] == module(given)
    assert repr(module).startswith(printed)
