"""Defaults are those of the manual of PyTorch, and of PyTorch itself."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from scalargrad import losses, nn, optim
from scalargrad.optim import lr_scheduler

PLAIN = {"weight_decay": 0.0, "maximize": False}
ADAM = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "amsgrad": False}
MEAN = {"reduction": "mean"}
CLASSES = {"ignore_index": -100, **MEAN}
KAIMING = {"a": 0.0, "mode": "fan_in", "nonlinearity": "leaky_relu"}

#: Where ours are, where PyTorch's are, and the defaults by name.
DEFAULTS: list[tuple[Any, str, dict[str, dict[str, Any]]]] = [
    (optim, "optim", {
        "SGD": {"lr": 1e-3, "momentum": 0.0, "dampening": 0.0, "nesterov": False, **PLAIN},
        "Adagrad": {"lr": 1e-2, "lr_decay": 0.0, "initial_accumulator_value": 0.0, "eps": 1e-10,
                    **PLAIN},
        "Adam": {**ADAM, **PLAIN},
        "AdamW": {**ADAM, "weight_decay": 1e-2, "maximize": False},
        "RMSprop": {"lr": 1e-2, "alpha": 0.99, "eps": 1e-8, "momentum": 0.0, "centered": False,
                    **PLAIN},
        "SparseAdam": {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "maximize": False},
    }),
    (lr_scheduler, "optim.lr_scheduler", {
        "ConstantLR": {"factor": 1.0 / 3.0, "total_iters": 5},
        "CosineAnnealingLR": {"eta_min": 0.0},
        "CosineAnnealingWarmRestarts": {"T_mult": 1, "eta_min": 0.0},
        "LinearLR": {"start_factor": 1.0 / 3.0, "end_factor": 1.0, "total_iters": 5},
        "MultiStepLR": {"gamma": 0.1},
        "OneCycleLR": {"pct_start": 0.3, "anneal_strategy": "cos", "cycle_momentum": True,
                       "base_momentum": 0.85, "max_momentum": 0.95, "div_factor": 25.0,
                       "final_div_factor": 1e4, "three_phase": False},
        "PolynomialLR": {"total_iters": 5, "power": 1.0},
        "ReduceLROnPlateau": {"mode": "min", "factor": 0.1, "patience": 10, "threshold": 1e-4,
                              "threshold_mode": "rel", "cooldown": 0, "min_lr": 0.0, "eps": 1e-8},
        "StepLR": {"gamma": 0.1},
    }),
    (nn, "nn", {
        "BCELoss": MEAN, "BCEWithLogitsLoss": MEAN, "L1Loss": MEAN, "MSELoss": MEAN,
        "CrossEntropyLoss": {**CLASSES, "label_smoothing": 0.0}, "NLLLoss": CLASSES,
        "Dropout": {"p": 0.5}, "ELU": {"alpha": 1.0}, "EmbeddingBag": {"mode": "mean"},
        "Flatten": {"start_dim": 1, "end_dim": -1}, "GELU": {"approximate": "none"},
        "HuberLoss": {**MEAN, "delta": 1.0}, "LeakyReLU": {"negative_slope": 0.01},
        "Linear": {"bias": True}, "MultiMarginLoss": {"p": 1, "margin": 1.0, **MEAN},
        "SmoothL1Loss": {**MEAN, "beta": 1.0}, "Softplus": {"beta": 1.0, "threshold": 20.0},
    }),
    (losses, "nn.functional", {
        "binary_cross_entropy": MEAN, "binary_cross_entropy_with_logits": MEAN, "l1_loss": MEAN,
        "mse_loss": MEAN, "cross_entropy": {**CLASSES, "label_smoothing": 0.0},
        "huber_loss": {**MEAN, "delta": 1.0}, "nll_loss": CLASSES,
        "multi_margin_loss": {"p": 1, "margin": 1.0, **MEAN},
        "smooth_l1_loss": {**MEAN, "beta": 1.0},
    }),
    (nn.init, "nn.init", {
        "kaiming_normal_": KAIMING, "kaiming_uniform_": KAIMING,
        "normal_": {"mean": 0.0, "std": 1.0}, "uniform_": {"a": 0.0, "b": 1.0},
        "xavier_normal_": {"gain": 1.0}, "xavier_uniform_": {"gain": 1.0},
    }),
]  # fmt: skip


def defaults(found: Any, names: dict[str, Any]) -> dict[str, Any]:
    """Return the defaults of these parameters."""
    parameters = inspect.signature(found).parameters
    return {name: parameters[name].default for name in names}


@pytest.mark.parametrize(("space", "place", "table"), DEFAULTS, ids=[x[1] for x in DEFAULTS])
def test_defaults_are_those_of_the_manual(space: Any, place: str, table: dict[str, Any]) -> None:
    """By hand from PyTorch's manual."""
    for name, expected in table.items():
        assert defaults(getattr(space, name), expected) == expected, name


@pytest.mark.wide
@pytest.mark.parametrize(("space", "place", "table"), DEFAULTS, ids=[x[1] for x in DEFAULTS])
def test_defaults_are_pytorchs(space: Any, place: str, table: dict[str, Any]) -> None:
    """And of PyTorch itself."""
    found: Any = pytest.importorskip("torch", reason="PyTorch is the oracle")
    for part in place.split("."):
        found = getattr(found, part)
    for name, expected in table.items():
        assert defaults(getattr(found, name), expected) == expected, name
