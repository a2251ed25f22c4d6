"""Train a model: one epoch of a run after the other."""

from __future__ import annotations

import importlib.util
import math
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from scalargrad import optim
from scalargrad.autodiff import is_anomaly_enabled
from scalargrad.compiler.jit_mode import is_jit_disabled
from scalargrad.errors import GraphError, TraceError
from scalargrad.grad_mode import no_grad
from scalargrad.graph import depends_on_any
from scalargrad.optim.lr_scheduler import ReduceLROnPlateau
from scalargrad.system.collector import collector_paused
from scalargrad.system.interrupt import Interrupt
from scalargrad.system.packages import needed
from scalargrad.train.examples import batches, plain
from scalargrad.train.history import History, Row
from scalargrad.train.objective import EpochMean, StepResult, name_of
from scalargrad.train.progress import ProgressBar, Silence
from scalargrad.train.settings import Settings
from scalargrad.value import Parameter, Value

if TYPE_CHECKING:
    from scalargrad.train.compiled import CompiledSteps


class Trainer:
    """Runs the epochs of a run, and keeps what they change."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.objective, self.model = settings.objective, settings.objective.model
        self.optimizer, self.patience = settings.optimizer, settings.patience
        self.rng = random.Random(settings.seed)
        self.history = History()
        self.ended = False  # by patience or by a flat gradient: more epochs do not go on
        self.steps: CompiledSteps | None = None  # those that are compiled, if any
        self._is_reached = False  # a parameter, by a batch of this epoch

    @property
    def batches_per_epoch(self) -> int:
        """The number of steps in an epoch."""
        return math.ceil(len(self.settings.train.inputs) / self.settings.batch_size)

    # One epoch --------------------------------------------------------------------------------

    def epoch(self, interrupt: Interrupt, bar: ProgressBar | Silence) -> Row:
        """Take one step per batch, measure, and add a row to the history."""
        if self.settings.is_looked_at or not self.history.rows:
            self.model.train()
        if self.steps:
            self.steps.begin_epoch()
        self._is_reached = False
        mean = EpochMean(self.objective, self.settings.train)
        for batch in batches(self._order(), self.settings.batch_size):
            with collector_paused():
                result = self.steps.step(batch) if self.steps else None
                self._is_reached |= result is not None
                mean.add(result or self._eager_step(batch), batch)
            bar.step(len(batch))
            interrupt.check()
        if self.settings.is_looked_at:
            self.write_back()
        means = mean.row()
        self._require_parameters(means["loss"])
        row = {"epoch": len(self.history) + 1, **means, **self._measure()}
        self._step_schedule(row)
        self.history.rows.append(row)
        self._watch(row)
        return row

    def write_back(self) -> None:
        """Give the parameters what compiled steps have made of them."""
        if self.steps:
            self.steps.write_back()

    def _order(self) -> Sequence[int]:
        """Return the indices of the examples in the order of this epoch."""
        rows = range(len(self.settings.train.inputs))
        if not self.settings.shuffle:
            return rows
        drawn = list(rows)
        self.rng.shuffle(drawn)
        return drawn

    def _eager_step(self, rows: Sequence[int]) -> StepResult:
        batch = self.settings.train.at(rows)
        predictions = [self.model(x) for x in batch.inputs]
        loss = self.objective.value(predictions, batch.targets)
        self._is_reached = self._is_reached or self._reaches_parameter(loss)
        self.optimizer.zero_grad()
        loss.backward()
        if self.settings.limits:
            self.settings.limits.clip(self._trained())
        numbers = [plain(x) for x in predictions] if self.objective.metrics else []
        wanted = self.settings.wants_gradient
        gradient = [p.grad for p in self.settings.trained] if wanted else []
        self.optimizer.step()
        return StepResult(loss.data, numbers, gradient)

    def _reaches_parameter(self, loss: Value) -> bool:
        """Return whether a parameter is under a loss.

        One is enough, whoever trains it: a batch may leave alone those that the optimiser has.
        """
        trained = {*self.settings.trained}  # may be plain Values
        return depends_on_any(loss, lambda x: isinstance(x, Parameter) or x in trained)

    def _require_parameters(self, loss: float) -> None:
        """Raise GraphError if no batch of an epoch has reached a parameter: it trained nothing.

        A single batch may not, as where a loss leaves out all of its examples; and none need where
        the loss is 0, as that of a perceptron whose answers are all right.
        """
        if not self._is_reached and loss:
            raise GraphError(
                f"{name_of(self.objective.loss)} returned {loss:.6g}, the mean over an epoch, in "
                "whose graph there is no parameter to train: let model and loss compute outside "
                "no_grad, and with Values themselves, not with their .data or .detach()"
            )

    def _trained(self) -> list[Any]:
        """Return the parameters whose gradients the optimiser reads."""
        if isinstance(self.optimizer, optim.Optimizer):
            return self.optimizer.active_parameters()
        return self.settings.trained

    def _measure(self) -> Row:
        """Measure loss and metrics on the held-out examples, recording no graph."""
        held_out = self.settings.held_out
        if held_out is None:
            return {}
        self.model.eval()
        with no_grad():
            found = self.steps.predictions(held_out.inputs) if self.steps else None
            predictions = found or [self.model(x) for x in held_out.inputs]
            loss = self.objective.held_out_loss(predictions, held_out.targets)
        measured = self.objective.measured([plain(x) for x in predictions], held_out.targets)
        return {"val_loss": loss, **{f"val_{name}": x for name, x in measured.items()}}

    def _step_schedule(self, row: Row) -> None:
        schedule: Any = self.settings.scheduler
        if schedule is None:
            return
        groups = getattr(self.optimizer, "param_groups", None)
        row["learning_rate"] = groups[0]["lr"] if groups else schedule.get_last_lr()[0]
        if isinstance(schedule, ReduceLROnPlateau):
            schedule.step(row.get("val_loss", row["loss"]))
        else:
            schedule.step()

    def _watch(self, row: Row) -> None:
        if self.patience is not None and self.patience.is_better(row["val_loss"]):
            self.patience.keep(row["val_loss"], len(self.history), self.model.state_dict())

    # The end ----------------------------------------------------------------------------------

    def finished(self, epochs: int) -> bool:
        """Return whether there is nothing left to train."""
        return self.ended or len(self.history) >= epochs

    def reason(self, epochs: int) -> str:
        """Return why training ends after this epoch; "" if it continues."""
        done = len(self.history)
        if self.patience is not None and self.patience.is_over(done):
            self.ended = True
            return f"held-out loss has not improved for {self.patience.epochs} epochs"
        tolerance = self.settings.gradient_tolerance
        if tolerance is not None and self.history.rows[-1]["gradient_norm"] <= tolerance:
            self.ended = True
            return f"the gradient's norm fell to {tolerance:g} or under"
        return "all epochs done" if done >= epochs else ""

    def finish(self) -> None:
        """Leave the model ready for use, with the best weights if early stopping kept some."""
        if self.patience is not None and self.patience.best_state is not None:
            self.model.load_state_dict(self.patience.best_state)
            self.history.best_epoch = self.patience.best_epoch
        self.model.eval()


# Compiled steps ----------------------------------------------------------------------------------


def compiled_steps(settings: Settings, epochs: int, operands: int) -> CompiledSteps | None:
    """Return what takes the steps of a run by `jit`, see `CompiledSteps`; None if all are eager.

    Raises
    ------
    TraceError
        With ``jit=True``, if the optimiser is not one that can be recorded.
    MissingPackageError
        With ``jit=True``, if NumPy is not installed.
    """
    jit = settings.jit
    if jit is False or is_jit_disabled() or is_anomaly_enabled():
        return None
    reason = _obstacle(settings.optimizer)
    if reason and jit:
        raise TraceError(f"fit(…, jit=True) cannot record a step: {reason}")
    if reason or (jit is None and importlib.util.find_spec("numpy") is None):
        return None
    with needed("jit=True needs"):
        from scalargrad.train.compiled import CompiledSteps
    return CompiledSteps(settings, epochs, operands)


def _obstacle(optimizer: Any) -> str:
    """Return why an optimiser's steps cannot be taken in arrays; empty if they can."""
    kind = type(optimizer)
    if not isinstance(optimizer, optim.Optimizer) or not kind.__module__.startswith("scalargrad."):
        return f"its rule is hidden inside {kind.__name__}, which is no class of scalargrad.optim"
    if isinstance(optimizer, optim.SparseAdam):
        return (
            "SparseAdam moves what a gradient was written to, be it 0, and a program writes one to "
            "every row it could look up: train with Adam, or with jit=False"
        )
    return ""
