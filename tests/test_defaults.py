"""Default arguments agree with PyTorch for every shared name and option."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from scalargrad import losses, nn, optim
from scalargrad.optim import lr_scheduler

SPACES: dict[str, Any] = {
    "optim": optim, "optim.lr_scheduler": lr_scheduler, "nn": nn, "nn.functional": losses,
    "nn.init": nn.init,
}  # fmt: skip


#: Marker of a parameter without a default.
NONE = inspect.Parameter.empty


def defaults(found: Any) -> dict[str, Any]:
    """Return the default of each parameter."""
    return {name: x.default for name, x in inspect.signature(found).parameters.items()}


#: Names that must share options with PyTorch; other names are compared if PyTorch has them.
REQUIRED = {
    "optim": {"SGD", "Adagrad", "Adam", "AdamW", "RMSprop", "SparseAdam"},
    "optim.lr_scheduler": {"StepLR", "LinearLR", "OneCycleLR", "ReduceLROnPlateau"},
    "nn": {"Linear", "Dropout", "LayerNorm", "MultiheadAttention", "CrossEntropyLoss"},
    "nn.functional": {"mse_loss", "huber_loss", "cross_entropy", "binary_cross_entropy"},
    "nn.init": {"uniform_", "normal_", "xavier_uniform_", "kaiming_uniform_", "kaiming_normal_"},
}


@pytest.mark.wide
@pytest.mark.parametrize("space", SPACES)
def test_defaults_agree_with_pytorch(space: str) -> None:
    """Options that both have are equal, except for `modules`, which is None or an empty tuple."""
    theirs: Any = pytest.importorskip("torch", reason="PyTorch is the oracle")
    for part in space.split("."):
        theirs = getattr(theirs, part)
    compared = set()
    for name, ours in vars(SPACES[space]).items():
        if getattr(ours, "__module__", "").startswith("scalargrad") and name in vars(theirs):
            expected = defaults(getattr(theirs, name))
            found = {k: x for k, x in defaults(ours).items() if expected.get(k, NONE) is not NONE}
            found.pop("modules", None)
            assert found == {k: expected[k] for k in found}, name
            compared |= {name} if found else set()
    assert compared >= REQUIRED[space]
