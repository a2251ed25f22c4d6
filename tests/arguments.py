"""Arguments for every public callable: good ones by parameter, and bad ones by kind."""

from __future__ import annotations

import functools
import inspect
import math
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any

import numpy as np
from tests.inner import Operation
from tests.test_reference import documented

import scalargrad
from scalargrad import OperandError, Parameter, Value, fitting, losses, nn, optim
from scalargrad.optim import lr_scheduler
from scalargrad.train import History

Make = Callable[[], Any]


def return_none(*_: Any) -> None:
    """Return None for any arguments."""


BAD: dict[str, Make] = {
    "None": lambda: None,
    "text": lambda: "text",
    "half a surrogate": lambda: "\ud800",
    "a zero byte": lambda: "a\0b",
    "an object": object,
    "a class": lambda: int,
    "negative": lambda: -1,
    "a half": lambda: 1.5,
    "nan": lambda: math.nan,
    "infinite": lambda: math.inf,
    "huge": lambda: 10**400,
    "complex": lambda: 1j,
    "true": lambda: True,
    "empty": list,
    "ragged": lambda: [[1.0], [1.0, 2.0]],
    "empty rows": lambda: [[], []],
    "huge among numbers": lambda: [10**400, 1.0],
    "None among numbers": lambda: [None, 1.0],
    "minus zero": lambda: -0.0,
    "an array without axes": lambda: np.array(0.5),
    "a decimal": lambda: Decimal("0.5"),
    "a set": lambda: {0.5, 1.0},
    "numbers as keys": lambda: {1: 2.0},
    "a function that returns None": lambda: return_none,
    "words": lambda: ["a", "b"],
    "a dict": lambda: {"a": 1.0},
    "three axes": lambda: np.ones((2, 3, 2)),
    "a generator": lambda: (i for i in range(3)),
}


def sgd() -> optim.SGD:
    """Return an optimizer with momentum."""
    return optim.SGD([Parameter(1.0)], lr=0.1, momentum=0.9)


def square_graph() -> Value:
    """Return the root of a graph of two nodes."""
    x = Value(2.0, "x")
    return x * x


def linear_model() -> nn.Linear:
    """Return a model with two inputs."""
    return nn.Linear(2, 1, rng=0)


_SHARED = sgd()
_SHARED_MODEL = linear_model()


def _schedules() -> list[Any]:
    return [lr_scheduler.ConstantLR(_SHARED), lr_scheduler.StepLR(_SHARED, 2)]


def _weighted(params: Any, part: Any) -> Any:
    return scalargrad.sum(params[0] * x for x in part)


def _saved() -> str:
    nn.save_model(linear_model(), "model.safetensors")
    return "model.safetensors"


def _exported() -> str:
    with suppress(OperandError):  # without a C compiler, the file is missing
        scalargrad.jit(lambda x: x * x).export("program.so", 1.0)
    return "program.so"


def _squared_error(x: Any, y: Any) -> Any:
    return (x - y) ** 2


def _residuals(x: Any, y: Any) -> Any:
    return [x - y, x]


#: Good arguments by parameter name.
GOOD: dict[str, Make] = {
    "f": lambda: lambda x: x * x,
    "function": lambda: lambda x: x * x,
    "args": lambda: 1.0,
    "inputs": lambda: 1.0,
    "x": lambda: [0.5, 0.25],
    "a": lambda: [[2.0, 0.0], [1.0, 3.0]],
    "b": lambda: [1.0, 2.0],
    "X": lambda: [[0.0, 1.0], [1.0, 0.0]],
    "y": lambda: [[0.0], [1.0]],
    "v": lambda: 1.0,
    "primals": lambda: 1.0,
    "tangents": lambda: (1.0,),
    "params": lambda: [Parameter(1.0)],
    "parameters": lambda: [Parameter(1.0)],
    "lr": lambda: 0.1,
    "max_norm": lambda: 1.0,
    "clip_value": lambda: 1.0,
    "optimizer": sgd,
    "schedulers": lambda: [lr_scheduler.StepLR(sgd(), 2)],
    "step_size": lambda: 2,
    "milestones": lambda: [1],
    "gamma": lambda: 0.5,
    "T_max": lambda: 4,
    "T_0": lambda: 3,
    "lr_lambda": lambda: lambda epoch: 0.5,
    "max_lr": lambda: 1.0,
    "total_steps": lambda: 5,
    "input": lambda: [0.3, 0.4],
    "target": lambda: [0.0, 1.0],
    "tensor": lambda: [[Parameter(1.0), Parameter(2.0)]],
    "val": lambda: 1.0,
    "nonlinearity": lambda: "relu",
    "in_features": lambda: 2,
    "out_features": lambda: 1,
    "nin": lambda: 2,
    "nout": lambda: 1,
    "nouts": lambda: [2, 1],
    "num_embeddings": lambda: 3,
    "normalized_shape": lambda: 2,
    "input_size": lambda: 2,
    "hidden_size": lambda: 2,
    "embed_dim": lambda: 2,
    "num_heads": lambda: 1,
    "query": lambda: [[0.5, 0.25]],
    "key": lambda: [[0.5, 0.25]],
    "embedding_dim": lambda: 2,
    "threshold": lambda: 0.5,
    "value": lambda: 0.0,
    "data": lambda: 1.0,
    "model": linear_model,
    "module": linear_model,
    "modules": linear_model,
    "loss": lambda: losses.mse_loss,
    "root": square_graph,
    "roots": square_graph,
    "walk": lambda: scalargrad.walk(square_graph()),
    "path": lambda: "saved",
    "folder": lambda: "folder",
    "text": lambda: "x * 2",
    "state_dict": lambda: linear_model().state_dict(),
    "users": lambda: 4,
    "items": lambda: 4,
    "user": lambda: 1,
    "item": lambda: 1,
    "number": lambda: 1,
    "n": lambda: 2,
    "device": lambda: "phone",
    "hour": lambda: 3,
    "weekday": lambda: 3,
    "values": lambda: ["a", "b"],
    "buckets": lambda: 4,
    "points": lambda: [[0.0, 1.0], [1.0, 0.0]],
    "labels": lambda: [0, 1],
    "names": lambda: ["anna", "otto"],
    "init": lambda: 1.0,
    "xs": lambda: [1.0, 2.0],
    "closure": lambda: square_graph,
    "truths": lambda: [0, 1],
    "predictions": lambda: [0, 1],
    "score": lambda: lambda point: point[0],
    "weights": lambda: [[1.0, 2.0, 3.0, 4.0]],
    "shape": lambda: (2, 2),
    "norms": lambda: [1.0, 2.0],
    "activations": lambda: [scalargrad.tanh],
    "columns": lambda: {"epoch": [1, 2], "loss": [1.0, 0.5]},
    "objective": lambda: square_graph,
    "answer": lambda: lambda x: 1 - x * x,
}  # fmt: skip
SCORES: dict[str, Make] = {"input": lambda: [[0.1, 0.2]], "target": lambda: [0]}
FIT_ARGUMENTS: dict[str, Make] = {
    "epochs": lambda: 1, "model": lambda: _SHARED_MODEL, "quiet": lambda: True,
    "optimizer": lambda: optim.SGD(_SHARED_MODEL.parameters(), lr=0.1), "jit": lambda: False,
}  # fmt: skip
#: Arguments of a single callable: names with another meaning, and options that make it fast.
OVERRIDES: dict[str, dict[str, Make]] = {
    **dict.fromkeys(["cross_entropy", "nll_loss", "multi_margin_loss"], SCORES),
    **dict.fromkeys(["CrossEntropyLoss.__call__", "NLLLoss.__call__"], SCORES),
    "MultiMarginLoss.__call__": SCORES,
    "jit": {"function": GOOD["f"]},
    "ReduceLROnPlateau.step": {"metrics": lambda: 0.5},
    **{f"{name}.forward": {"index": lambda: [0, 1]} for name in ("Embedding", "EmbeddingBag")},
    "Embedding.row": {"index": lambda: 1},
    "Sequential.__getitem__": {"index": lambda: 0},
    "Walk.save": {"path": lambda: "page.html"},
    "TrainingPage.save": {"path": lambda: "page.html"},
    "History.__getitem__": {"column": lambda: "loss"},
    "Flatten.forward": {"x": lambda: [[[1.0], [2.0]]]},
    "Identity": {"ignored": lambda: 1},
    "MultiheadAttention.forward": {"value": lambda: [[0.5, 0.25]]},
    **{key: {"modules": lambda: [linear_model()]} for key in ["ModuleList", "ModuleList.extend"]},
    "ModuleDict": {"modules": lambda: {"a": linear_model()}},
    **{key: {"values": lambda: [1.0, 2.0]} for key in ["prod", "var", "std", "argmax", "argmin"]},
    "Module.__call__": {"inputs": lambda: [0.5, 0.25]},
    "load_metadata": {"path": _saved},
    "save_file": {"tensors": lambda: {"w": [1.0, 2.0]}},
    "Optimizer.add_param_group": {"group": lambda: {"params": [Parameter(1.0)]}},
    "Optimizer.load_state_dict": {"state_dict": lambda: sgd().state_dict()},
    "LRScheduler.load_state_dict": {"state_dict": lambda: _schedule().state_dict()},
    "torch_state_dict": {"optimizer": lambda: optim.SGD(_SHARED_MODEL.parameters(), lr=0.1),
                         "model": lambda: _SHARED_MODEL},
    "parse": {"text": lambda: "2 * 3"},
    "network": {"module": lambda: nn.MLP(2, [2, 1], rng=0)},
    "outcome": {"graph": lambda: scalargrad.walk(square_graph()).graph},
    "jvp": {"primals": lambda: (1.0,)},
    "gradients": {"y": square_graph, "xs": lambda: [Parameter(1.0)]},
    "custom_vjp": {"fun": lambda: lambda *_: 1.0},
    "custom_vjp.defvjp": {"fwd": lambda: lambda x: (x, x), "bwd": lambda: lambda x, g: (g,)},
    "custom_op": {"partials": lambda: lambda y, x: (2 * x,)},
    "take": {"x": lambda: [1.0, 2.0], "index": lambda: 0},
    "softmax": {"values": lambda: [1.0, 2.0]},
    "log_softmax": {"values": lambda: [1.0, 2.0]},
    "OneCycleLR": {"total_steps": lambda: 5},
    "SequentialLR": {"schedulers": _schedules, "optimizer": lambda: _SHARED},
    "Optimizer": {"defaults": lambda: {"lr": 0.1}},
    "fit": FIT_ARGUMENTS,
    **{key: {"x0": lambda: 1.0, "args": lambda: 2.0, "f": lambda: _squared_error,
             "residuals": lambda: _residuals} for key in ("minimize", "least_squares")},
    "interval": {"low": lambda: 0.0},
    "FitResult.profile": {"name": lambda: "x", "points": lambda: 2},
    "profile_curve": {"profile": lambda: ("x", [0.0, 1.0], [1.0, 2.0])},
    "watch": FIT_ARGUMENTS | {"y": lambda: [1, -1], "loss": lambda: losses.hinge_loss},
    "vmap.used": {"x": lambda: [1.0, 2.0]},
    "cond": {"pred": lambda: True, "true_fun": lambda: abs, "false_fun": lambda: abs,
             "operands": lambda: 1.0},
    "while_loop": {"cond_fun": lambda: lambda x: x > 1.0, "body_fun": lambda: lambda x: x - x,
                   "init_val": lambda: 8.0},
    "root": {"f": lambda: lambda x, *_: x * x - 2.0, "x0": lambda: 1.0},
    "fixed_point": {"f": lambda: lambda x, *_: 0.5 * x + 1.0, "x0": lambda: 1.0},
    **{key: {"f": lambda: lambda y, t, *_: t - y, "y0": lambda: 1.0, "t": lambda: [0.0, 1.0]}
       for key in ["odeint", "rk4"]},
    "scan": {"f": lambda: lambda carry, x: (carry + x, carry), "xs": GOOD["xs"]},
    "sum_over": {"f": lambda: _weighted, "data": lambda: [1.0, 2.0]},
    "ChunkedSum.__call__": {"params": lambda: [0.5]},
    "sweep": {"f": lambda: abs, "points": lambda: [1.0], "quiet": lambda: True},
    "from_json": {"text": lambda: scalargrad.export.to_json(square_graph())},
    "bag_of_words": {"text": lambda: "good food"},
    "loss_curve": {"losses": lambda: [1.0, 0.5]},
    "loss_curves": {"losses": lambda: {"squared": lambda x: x * x}},
    "drawn": {"method": lambda: random.Random(0).gauss, "args": lambda: 0.5},
    "summary": {"example": lambda: [0.5, 0.25]},
    "load_model": {"path": _saved}, "load_file": {"path": _saved}, "load": {"path": _exported},
    "functional_call": {
        "module": linear_model, "parameters": lambda: {"bias": [0.5]}, "kwargs": dict,
        "args": lambda: ([0.5, 0.25],),
    },
    "Jitted.export": {"path": lambda: "product.json"},
    "Picture.save": {"path": lambda: "graph.svg"},
    "TrainingPage.__call__": {"history": lambda: History([{"epoch": 1, "loss": 0.5}])},
}  # fmt: skip


def _schedule() -> lr_scheduler.LRScheduler:
    return lr_scheduler.StepLR(sgd(), 2)


def _page() -> Any:
    model = linear_model()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    return scalargrad.watch(
        model, [[0.0, 1.0], [1.0, 0.0]], [1, -1], loss=losses.hinge_loss, epochs=1,
        optimizer=optimizer, quiet=True, jit=False,
    )  # fmt: skip


#: Objects whose methods are tested, if the constructor does not suffice or is not public.
OBJECTS: dict[str, Make] = {
    "Jitted": lambda: scalargrad.jit(lambda x: x * x),
    "LRScheduler": _schedule,
    "Module": linear_model,
    "Picture": lambda: scalargrad.draw(square_graph()),
    "Walk": lambda: scalargrad.walk(square_graph()),
    "Step": lambda: scalargrad.walk(square_graph())[0],
    "TrainingPage": _page,
    "FitResult": lambda: fitting.minimize(_squared_error, 1.0, 2.0),
    "History": lambda: History([{"epoch": 1, "loss": 0.5}]),
    "Optimizer": sgd,
    "RNNCellBase": lambda: nn.GRUCell(2, 2),
    "Sequential": lambda: nn.Sequential(nn.Linear(2, 1, rng=0)),
    "ChunkedSum": lambda: scalargrad.parallel.sum_over(_weighted, [1.0, 2.0]),
    "Value": square_graph,
}


def _cube(x: float) -> float:
    return x**3


def _call_loss(loss: losses.Loss) -> Any:
    takes_scores = type(loss).__name__ in {"CrossEntropyLoss", "NLLLoss", "MultiMarginLoss"}
    own = SCORES if takes_scores else GOOD
    return loss(own["input"](), own["target"]())


#: Calls of the result, if the arguments are checked only then.
USES_OF_RESULTS: dict[str, Callable[[Any], Any]] = {
    "jit": lambda f: f(1.0),
    **dict.fromkeys(
        ["grad", "value_and_grad", "jacobian", "jacrev", "jacfwd", "hessian"], lambda f: f(1.0)
    ),
    "custom_op": lambda decorate: decorate(_cube),
    **{name: _call_loss for name in losses.__all__ if name.endswith("Loss")},
    "vmap": lambda f: f([1.0, 2.0]),
    "draw": lambda picture: picture.svg() if hasattr(picture, "svg") else None,
    "network": lambda picture: picture.svg(),
    "walk": lambda walk: walk._repr_html_(),
    "sum_over": lambda total: total([0.5]),
    "LambdaLR": lambda schedule: schedule.step(),
}
#: Callables that are not tested here, each with the reason.
SKIPPED: dict[str, str] = {
    **dict.fromkeys(
        ["Dataset", "Split", "IncompatibleKeys", "Summary",
         "Profile", "Puzzle", "Verdict"],
        "records of any values",
    ),
    **dict.fromkeys(
        ["adagrad", "adam", "rmsprop", "sgd", "sparse_adam"],
        "formulas for any numbers that add and multiply: floats, arrays, symbols",
    ),
    **dict.fromkeys(
        ["Jitted", "Picture", "Walk", "Step", "TrainingPage", "ChunkedSum", "FitResult"],
        "returned by functions that are tested here",
    ),
    **dict.fromkeys(["Model"], "a protocol"),
    **dict.fromkeys(["explore"], "reads keys"),
    **dict.fromkeys(["Value", "Parameter"], "checked by tests/test_value.py"),
    "ModuleDict.__getitem__": "a KeyError, as of any dict",
    "Walk.__getitem__": "an IndexError, as of any tuple",
    "LRScheduler": "abstract", "Identity.forward": "returns any argument",
    **{f"Transform.{name}": "abstract" for name in ("forward", "inverse", "contains")},
    "Module.forward": "abstract", "RNNCellBase": "abstract",
    "Loss.__call__": "its function is tested here",
    **dict.fromkeys(["Loss"], "its subclasses are tested here"),
}  # fmt: skip
#: Kinds of bad arguments that a callable must refuse, except for those in `ACCEPTS_ANYTHING`.
NONSENSE = {"an object", "complex"}
#: Callables and parameters that accept any object, each with the reason.
ACCEPTS_ANYTHING: dict[tuple[str, str], str] = {
    ("Vocabulary.row", "value"): "may be any category",
    **dict.fromkeys(
        [("disable_jit", "disable"), ("Module.train", "mode"), ("Neuron", "nonlin"),
         ("gradcheck", "raise_exception")],
        "is read as a truth value",
    ),
    **{(f"Step.{method}", "notation"): "anything other than mathml is text"
       for method in ("text", "mathml", "symbols", "numbers", "sentence", "notes",
                      "pattern_note", "sum_note")},
    **{(name, "args"): "are arguments of the function"
       for name in ("fixed_point", "odeint", "rk4", "root", "drawn")},
    **dict.fromkeys([("scan", "init"), ("cond", "operands")], "are arguments of the function"),
    **{("OneCycleLR", parameter): "is not needed if total_steps is given"
       for parameter in ("epochs", "steps_per_epoch")},
    **{(name, "dim"): "is accepted for PyTorch's signature" for name in ("Softmax", "LogSoftmax")},
    ("calculate_gain", "param"): "is read for leaky_relu only",
    ("Identity", "ignored"): "is accepted for PyTorch's signature",
    ("TrainingPage.__call__", "model"): "is accepted for the signature of a callback",
    ("sum_over", "folder"): "is read by worker processes only",
}  # fmt: skip
#: Methods of subclasses that a base class calls with checked arguments.
INNER_METHODS = {
    "check", "rule", "first_state", "is_sparse", "next_group", "is_still",
    "step_arrays", "apply_one", "function", "paths", "path_of",
    "record_elementwise", "recalled", "call_of",
}  # fmt: skip


def public_callables() -> Iterator[tuple[str, Any, Make | None]]:
    """Yield every public callable with arguments: name, object, and constructor for a method."""
    seen: set[int] = set()
    for target in documented():
        if id(target) in seen or not _is_tested(target):
            continue
        seen.add(id(target))
        name = target.__name__
        if parameter_names(target) and not {name, _qualified(target)} & SKIPPED.keys():
            yield name, target, None
        for method, function in vars(target).items() if isinstance(target, type) else ():
            if _is_method(target, method, function):
                yield f"{name}.{method}", function, constructor_of(target)


def _qualified(target: Any) -> str:
    """Return the name with that of its package, because two callables have the same name."""
    return f"{target.__module__.split('.')[1]}.{target.__name__}"


def _is_tested(target: Any) -> bool:
    """Return True for callables other than operations, which have their own test, and errors."""
    raised = isinstance(target, type) and issubclass(target, BaseException)
    own = getattr(target, "__module__", "").startswith("scalargrad")
    return callable(target) and own and not raised and not isinstance(target, Operation)


def _is_method(owner: type, name: str, function: Any) -> bool:
    return (
        (not name.startswith("_") or name in {"__call__", "__getitem__"})
        and name not in INNER_METHODS
        and inspect.isfunction(function)
        and (function.__module__ or "").startswith("scalargrad")
        and f"{owner.__name__}.{name}" not in SKIPPED
        and function.__code__.co_name not in {"method", "refuse"}  # generated from operations
        and len(inspect.signature(function).parameters) > 1
    )


@functools.cache
def parameters_of(target: Any) -> Mapping[str, inspect.Parameter]:
    """Return the parameters of a function or class by name, cached."""
    return inspect.signature(target).parameters


def parameter_names(target: Any) -> list[str]:
    """Return the names of the parameters to test."""
    return [name for name, p in parameters_of(target).items() if p.kind is not p.VAR_KEYWORD]


def constructor_of(target: Any) -> Make:
    """Return a function that makes an object of a class."""
    return OBJECTS.get(target.__name__) or (
        lambda: target(**good_arguments(target.__name__, target)[1])
    )


def good_arguments(name: str, target: Any) -> tuple[list[str], dict[str, Any]]:
    """Return the names of positional parameters, and good arguments by name.

    Optional parameters are left out unless `OVERRIDES` has them.
    """
    own = OVERRIDES.get(name, {})
    arguments: dict[str, Any] = {}
    positions: list[str] = []
    parameters = parameters_of(target)
    starred = any(p.kind is p.VAR_POSITIONAL for p in parameters.values())
    for parameter, p in parameters.items():
        if parameter == "self" or p.kind is p.VAR_KEYWORD:
            continue
        if p.kind is not p.KEYWORD_ONLY and (starred or p.kind is p.POSITIONAL_ONLY):
            positions.append(parameter)
        if p.default is p.empty or parameter in own:
            try:
                arguments[parameter] = (own.get(parameter) or GOOD[parameter])()
            except KeyError:
                raise KeyError(f"add {name}({parameter}) to tests/arguments.py") from None
    return positions, arguments


def prepare_call(
    name: str, target: Any, make_owner: Make | None, changed: str = "", bad: Any = None
) -> Any:
    """Return the objects involved, and a call with good arguments except for one."""
    positions, arguments = good_arguments(name, target)
    if changed:
        arguments[changed] = bad
    owner = [make_owner()] if make_owner else []
    before = [arguments.pop(x) for x in positions if x in arguments]
    used: Callable[[Any], Any] = USES_OF_RESULTS.get(name, lambda result: result)
    parts = [*owner, *before, *arguments.values()]
    return parts, lambda: used(target(*owner, *before, **arguments))


def snapshot(parts: Any, depth: int = 4) -> str:
    """Return the state of models, optimizers, schedulers and Values as text."""
    if isinstance(parts, Value):
        return repr((parts.data, parts.grad))
    if isinstance(parts, nn.Module | optim.Optimizer | lr_scheduler.LRScheduler):
        return repr(parts.state_dict())
    if isinstance(parts, list | tuple) and depth:
        return repr([snapshot(part, depth - 1) for part in parts])
    return ""
