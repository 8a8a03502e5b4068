"""Methods that analyze the model: scored on runs whose model can be built by its name."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from ...errors import BadInputError, JoulecastError, UnknownHardwareError
from ...hardware.catalog.gpus import find_gpu
from ...workload.model import Workload
from ..base import Forecast, Prediction
from ..conformal import Spread
from ..literature.layerwise import Layerwise, Measured, Part
from ..past_run import Facts, StaticRun
from ..physical.device import Device, StaticForecaster, total
from .static_methods import StaticMethod

Build = Callable[[Facts, bool], Workload]
"""The workload of a batch, of a training step or (False) of inference; raises `JoulecastError`."""

LIBRARIES = ("torchvision:", "timm:", "transformers:")
SHIPPED = (
    "it uses shipped constants and learns nothing here; if these runs are from the data that the "
    "constants were fitted to (Zeus, SEAA, EC-NAS, timm), it has seen what is left out"
)


def build_workload(facts: Facts, training: bool) -> Workload:
    """The workload of a step of a run, by the name of its model.

    A table may come from anyone, so that a model in it must be one of a library, not code to run.

    Raises:
        JoulecastError: the model is not of a library, or cannot be built.
    """
    from ...workload import analyze

    if not facts.model.startswith(LIBRARIES):
        raise BadInputError(f"a model in a table must be one of {', '.join(LIBRARIES)}")
    shape = None
    if facts.image_height is not None and facts.image_width is not None:
        shape = (3, int(facts.image_height), int(facts.image_width))
    return analyze(
        facts.model,
        shape,
        batch=int(facts.batch or 1),
        training=training,
        optimizer=facts.optimizer or "adam",
        precision=facts.precision,
    )


@dataclass(slots=True)
class Workloads:
    """The steps of runs; each kind of step is analyzed once.

    `forecaster` forecasts a step without learning from these runs.
    """

    build: Build = build_workload
    forecaster: StaticForecaster | None = None
    _analyzed: dict[Facts, Workload | str] = field(default_factory=dict)

    def methods(self) -> dict[str, StaticMethod]:
        """The forecaster if there is one, and `layerwise`, by name."""
        methods = {"layerwise": StaticMethod(self.fit_layerwise, self.missing)}
        if self.forecaster is not None:
            steps = _Steps(self, self.forecaster)
            shipped = StaticMethod(lambda runs: steps, self.missing, caveat=SHIPPED)
            methods[self.forecaster.name] = shipped
        return methods

    def missing(self, facts: Facts) -> str | None:
        """Why the steps of a run are unknown; None where they are known."""
        if not facts.model:
            return "the model is unknown: add a column model, such as torchvision:resnet50"
        if facts.batch is None:
            return "the batch size is unknown: add a column batch"
        if facts.steps is None and (facts.epochs is None or facts.training_size is None):
            return "the number of steps is unknown: add columns training_size,epochs, or steps"
        try:
            find_gpu(facts.gpu)
        except UnknownHardwareError as error:
            return str(error)
        step = self._step(facts, training=True)
        return step if isinstance(step, str) else None

    def parts(self, facts: Facts) -> tuple[Part, ...]:
        """Training steps of a run, then those of validation if it has any."""
        batch = facts.batch or 1.0
        epochs = facts.epochs or 0.0
        steps = facts.steps
        if facts.epochs is not None and facts.training_size is not None:
            steps = epochs * math.ceil(facts.training_size / batch)
        parts = [Part(self._workload(facts, training=True), steps or 0.0)]
        if facts.validated:
            count = epochs * math.ceil((facts.validation_size or 0.0) / batch)
            parts.append(Part(self._workload(facts, training=False), count))
        return tuple(parts)

    def fit_layerwise(self, runs: Sequence[StaticRun]) -> _Layers:
        """`layerwise` fitted to whole runs."""
        measured = [Measured(self.parts(r.facts), device_of(r.facts), r.energy_j) for r in runs]
        return _Layers(self, Layerwise.fit(measured))

    def _workload(self, facts: Facts, training: bool) -> Workload:
        step = self._step(facts, training)
        if isinstance(step, str):
            raise JoulecastError(step)
        return step

    def _step(self, facts: Facts, training: bool) -> Workload | str:
        """A step, or why it cannot be analyzed."""
        key = Facts(
            model=facts.model,
            batch=facts.batch,
            image_height=facts.image_height,
            image_width=facts.image_width,
            precision=facts.precision,
            optimizer=facts.optimizer if training else "",
            steps=1.0 if training else 0.0,
        )
        if key not in self._analyzed:
            try:
                self._analyzed[key] = self.build(facts, training)
            except JoulecastError as error:
                self._analyzed[key] = f"{facts.model}: {error}"
        return self._analyzed[key]


def device_of(facts: Facts) -> Device:
    """The GPU of a run, at its power limit if that is lower. Raises `UnknownHardwareError`."""
    device = Device.of_gpu(find_gpu(facts.gpu))
    if facts.tdp_w is not None and facts.tdp_w != device.tdp_w:
        return replace(device, power_limit_w=facts.tdp_w)
    return device


@dataclass(frozen=True, slots=True)
class _Steps:
    """A forecaster of steps that forecasts whole runs; it learns nothing from them."""

    workloads: Workloads
    forecaster: StaticForecaster

    def predict(self, facts: Facts, duration_s: float) -> Prediction | None:
        """Energy of all steps of the run, J."""
        whole = self._whole(facts)
        return None if whole is None else whole.energy

    def duration(self, facts: Facts) -> Prediction | None:
        """Duration of all steps of the run, s."""
        whole = self._whole(facts)
        return None if whole is None else whole.duration

    def _whole(self, facts: Facts) -> Forecast | None:
        device = device_of(facts)
        parts = self.workloads.parts(facts)
        steps = [self.forecaster.step(part.workload, device) for part in parts]
        if steps[0] is None or steps[-1] is None:
            return None
        if len(parts) == 1:
            return total(steps[0], parts[0].steps)
        checks = parts[1].steps
        return total(steps[0], parts[0].steps, validation=steps[1], validation_steps=checks)


@dataclass(frozen=True, slots=True)
class _Layers:
    """`layerwise` fitted to whole runs. Its errors grow with the energy, so they are ratios."""

    workloads: Workloads
    fitted: Layerwise
    spread: Spread | None = None

    def predict(self, facts: Facts, duration_s: float) -> Prediction | None:
        """The sum over the layers of all steps, J."""
        energy_j = self.fitted.energy_j(self.workloads.parts(facts), device_of(facts))
        if energy_j is None or self.spread is None:
            return None if energy_j is None else Prediction(energy_j)
        return self.spread.around(energy_j)

    def again(self, runs: Sequence[StaticRun]) -> _Layers:
        """Fitted to other runs."""
        return self.workloads.fit_layerwise(runs)

    def error(self, run: StaticRun) -> float | None:
        """The logarithm of the ratio of forecast and truth, without its sign."""
        energy = self.predict(run.facts, run.duration_s)
        if energy is None:
            return None
        return abs(math.log(energy.value / run.energy_j)) if energy.value > 0 else math.inf

    def with_spread(self, half: float | None) -> _Layers:
        """With an interval of a factor `exp(half)` to both sides."""
        return replace(self, spread=None if half is None else Spread(half))
