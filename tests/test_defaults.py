"""Defaults are those of PyTorch, wherever a name and an option of it are."""

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


def defaults(found: Any) -> dict[str, Any]:
    """Return the defaults of the parameters that have some."""
    parameters = inspect.signature(found).parameters.items()
    return {name: x.default for name, x in parameters if x.default is not x.empty}


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
            found = {option: x for option, x in defaults(ours).items() if option in expected}
            found.pop("modules", None)
            assert found == {option: expected[option] for option in found}, name
            compared += len(found)
    assert compared > 5
