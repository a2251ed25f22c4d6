"""Sequential runs modules in order, and modules know and print what is inside them."""

from __future__ import annotations

from typing import Any

import pytest

from scalargrad import OperandError, Parameter, Value, nn


class Residual(nn.Module):
    """x + inner(x), written as in PyTorch; the list holds a module too."""

    def __init__(self) -> None:
        self.inner = nn.Sequential(nn.Linear(2, 2, rng=0), nn.Tanh())
        self.others = [nn.Linear(2, 1, rng=1)]
        self.scale = Parameter(1.0, "scale")

    def forward(self, x: list[Value]) -> list[Any]:
        """Add the inner network's output to its input."""
        return [a + self.scale * b for a, b in zip(x, self.inner(x), strict=True)]


def test_modules_run_one_after_the_other() -> None:
    """The output of each is the input of the next."""
    model = nn.Sequential(nn.Linear(2, 3, rng=0), nn.ReLU(), nn.Linear(3, 1, rng=1))
    x = [0.5, -1.0]
    assert model(x)[0].data == model[2](model[1](model[0](x)))[0].data
    assert [type(m).__name__ for m in model] == ["Linear", "ReLU", "Linear"]
    assert len(model) == 3
    assert model[-1] is model[2]
    assert model[-3] is model[0]
    for beyond in (3, -4):
        with pytest.raises(IndexError, match="there are 3 modules"):
            model[beyond]


def test_names_are_pytorchs() -> None:
    """Numbers by default, keys of a dict where one is given, and what append adds."""
    model = nn.Sequential({"hidden": nn.Linear(2, 1), "unit": nn.ReLU()})
    assert list(model.state_dict()) == ["hidden.weight", "hidden.bias"]
    grown = nn.Sequential(nn.ReLU()).append(nn.Linear(1, 1, bias=False))
    assert list(grown.state_dict()) == ["1.weight"]
    assert [name for name, _ in grown.named_parameters()] == ["1.weight.0.0"]


def test_what_is_no_module_is_refused() -> None:
    """A function needs a module around it, and names must not hide methods."""
    with pytest.raises(OperandError, match="takes modules"):
        nn.Sequential(len)  # type: ignore[arg-type]
    with pytest.raises(OperandError, match="'train' is taken"):
        nn.Sequential({"train": nn.ReLU()})


def test_printing_equals_pytorchs() -> None:
    """The same lines, nested as the modules are."""
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")

    def model(kit: Any) -> Any:
        inner = kit.Sequential(kit.Linear(3, 3, bias=False), kit.GELU(), kit.LeakyReLU(0.2))
        outer = [kit.Embedding(5, 3), inner, kit.Dropout(0.1), kit.Linear(3, 1)]
        return kit.Sequential(*outer, kit.LogSoftmax(dim=-1))

    assert str(model(nn)) == str(model(torch.nn))


def test_a_module_of_ones_own_prints_its_parts() -> None:
    """Lists of modules are shown by their paths."""
    assert str(Residual()) == (
        "Residual(\n"
        "  (inner): Sequential(\n"
        "    (0): Linear(in_features=2, out_features=2, bias=True)\n"
        "    (1): Tanh()\n"
        "  )\n"
        "  (others.0): Linear(in_features=2, out_features=1, bias=True)\n"
        ")"
    )


def test_forward_is_what_a_call_runs() -> None:
    """As in PyTorch; a module with neither says so."""
    block = Residual()
    assert [y.data for y in block([Value(0.0), Value(0.0)])] == [
        y.data for y in block.inner([0.0, 0.0])
    ]
    with pytest.raises(NotImplementedError, match="neither forward nor __call__"):
        nn.Module()()


def test_parts_are_found_by_their_paths() -> None:
    """Modules, children and rectangles of parameters, each once."""
    block = Residual()
    assert [name for name, _ in block.named_modules()] == [
        "", "inner", "inner.0", "inner.1", "others.0",
    ]  # fmt: skip
    assert block.children() == [block.inner, block.others[0]]
    assert list(block.state_dict()) == [
        "inner.0.weight", "inner.0.bias", "others.0.weight", "others.0.bias", "scale",
    ]  # fmt: skip


def test_train_and_eval_reach_every_part() -> None:
    """A new module trains; eval and train return the module."""
    block = Residual()
    assert all(module.training for module in block.modules())
    assert block.eval() is block
    assert not any(module.training for module in block.modules())
    assert all(module.training for module in block.train().modules())


def _modes_with_a_frozen_part(kit: Any) -> list[list[bool]]:
    class Frozen(kit.Sequential):  # type: ignore[misc]
        def train(self, mode: bool = True) -> Any:
            del mode
            return super().train(False)

    model = kit.Sequential(kit.Linear(2, 2), Frozen(kit.Dropout(0.5), Frozen(kit.Dropout(0.5))))
    return [[part.training for part in model.train(mode).modules()] for mode in (True, False)]


def test_a_part_that_overrides_train_switches_itself() -> None:
    """A frozen encoder keeps its Dropout off, by PyTorch's rule."""
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    assert _modes_with_a_frozen_part(nn) == _modes_with_a_frozen_part(torch.nn)
    assert _modes_with_a_frozen_part(nn)[0] == [True, True, False, False, False, False]


def test_shared_parts_are_listed_and_saved_once() -> None:
    """A layer used twice has one set of weights, under its first name."""
    layer = nn.Linear(2, 2, rng=0)
    model = nn.Sequential(layer, nn.ReLU(), layer)
    assert len(model.parameters()) == 6
    assert list(model.state_dict()) == ["0.weight", "0.bias"]


def test_a_module_that_contains_itself_is_walked_once() -> None:
    """A reference to the parent does not lead round in circles."""
    child, parent = nn.Linear(1, 1), nn.Sequential()
    parent.append(child)
    child.owner = parent  # type: ignore[attr-defined]
    assert len(parent.parameters()) == 2
    assert len(parent.modules()) == 2


def test_clearing_gradients_reaches_every_kind_of_parameter() -> None:
    """Tables, lone parameters, and micrograd's neurons inside."""
    block = Residual()
    block.neuron = nn.Neuron(2)  # type: ignore[attr-defined]
    for parameter in block.parameters():
        parameter.grad = 1.0
    block.zero_grad()
    assert {parameter.grad for parameter in block.parameters()} == {0.0}


def test_parameters_overridden_as_in_micrograd_are_cleared() -> None:
    """zero_grad follows a parameters() of one's own."""

    class Hidden(nn.Module):
        def parameters(self) -> list[Any]:
            """Return a parameter kept elsewhere."""
            return [w]

    w = Parameter(1.0)
    w.grad = 3.0
    Hidden().zero_grad()
    assert w.grad == 0.0


def test_dimensions_are_whole_numbers() -> None:
    """They are said to be none when the module is made, not when it is used."""
    for given in (None, 1.0, "1"):
        with pytest.raises(OperandError, match="start_dim is"):
            nn.Flatten(given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("start", "end"), [(0, 1), (0, 3), (1, 1), (1, 2), (2, 3), (1, -1), (-3, -2)]
)
def test_flatten_joins_the_dimensions_it_is_given(start: int, end: int) -> None:
    """And no others, as NumPy's reshape does."""
    np = pytest.importorskip("numpy", reason="NumPy is the oracle")
    x = np.arange(24.0).reshape(2, 3, 2, 2)
    first, last = start % 4, end % 4
    expected = x.reshape(*x.shape[:first], -1, *x.shape[last + 1 :])
    assert nn.Flatten(start, end)(x.tolist()) == expected.tolist()
