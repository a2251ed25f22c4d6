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


@pytest.mark.wide
@pytest.mark.parametrize("place", SPACES)
def test_defaults_are_pytorchs(place: str) -> None:
    """Of all options that both have, but for the modules of a list: none, or an empty tuple."""
    theirs: Any = pytest.importorskip("torch", reason="PyTorch is the oracle")
    for part in place.split("."):
        theirs = getattr(theirs, part)
    compared = 0
    for name, ours in vars(SPACES[place]).items():
        if getattr(ours, "__module__", "").startswith("scalargrad") and name in vars(theirs):
            expected = defaults(getattr(theirs, name))
            found = {k: x for k, x in defaults(ours).items() if expected.get(k, NONE) is not NONE}
            found.pop("modules", None)
            assert found == {k: expected[k] for k in found}, name
            compared += len(found)
    assert compared > 5
