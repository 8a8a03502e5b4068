"""Methods that look into the model: scored on runs whose model can be built by its name."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ...errors import JoulecastError, UnknownHardwareError
from ...hardware.catalog.gpus import find_gpu
from ..base import Forecast, Prediction
from ..conformal import Spread
from ..literature.layerwise import Layerwise, Measured, Part
from ..past_run import Facts, StaticRun
from ..physical.device import Device, StaticForecaster, total
from .static_methods import StaticMethod

if TYPE_CHECKING:
    from ...workload.model import Workload

Build = Callable[[Facts, bool], "Workload"]
"""The workload of a batch, of a training step or (False) of inference; raises `JoulecastError`."""

SHIPPED = (
    "shipped constants, it learns nothing here: of the data they were fitted on (Zeus, SEAA, "
    "EC-NAS, timm) it has seen what is left out"
)


@dataclass(slots=True)
class Workloads:
    """The steps that runs are made of; each kind of step is counted once.

    `forecasters` are those that forecast a step without learning from these runs.
    """

    build: Build
    forecasters: Sequence[StaticForecaster] = ()
    _known: dict[Facts, Workload | str] = field(default_factory=dict)

    def methods(self) -> dict[str, StaticMethod]:
        """By name: the forecasters, and `layerwise`."""
        found = {
            forecaster.name: StaticMethod(
                _Steps(self, forecaster).ready, self.lacks, caveat=SHIPPED
            )
            for forecaster in self.forecasters
        }
        return found | {"layerwise": StaticMethod(self._fit_layerwise, self.lacks)}

    def lacks(self, facts: Facts) -> str | None:
        """Why the steps of a run are not known; None where they are."""
        if not facts.model:
            return "the model is not known (a column model, as in torchvision:resnet50)"
        if facts.batch is None:
            return "the batch is not known (a column batch)"
        if facts.steps is None and (facts.epochs is None or facts.training_size is None):
            return "the steps are not known (columns training_size,epochs or steps)"
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
        found = [Part(self._counted(facts, training=True), steps or 0.0)]
        if facts.validated:
            count = epochs * math.ceil((facts.validation_size or 0.0) / batch)
            found.append(Part(self._counted(facts, training=False), count))
        return tuple(found)

    def _fit_layerwise(self, runs: Sequence[StaticRun]) -> _Layers:
        measured = [Measured(self.parts(r.facts), device_of(r.facts), r.energy_j) for r in runs]
        return _Layers(self, Layerwise.fit(measured))

    def _counted(self, facts: Facts, training: bool) -> Workload:
        step = self._step(facts, training)
        if isinstance(step, str):
            raise JoulecastError(step)
        return step

    def _step(self, facts: Facts, training: bool) -> Workload | str:
        """A step, or why it cannot be counted."""
        key = Facts(
            model=facts.model,
            batch=facts.batch,
            image_height=facts.image_height,
            image_width=facts.image_width,
            precision=facts.precision,
            optimizer=facts.optimizer if training else "",
            steps=1.0 if training else 0.0,
        )
        if key not in self._known:
            try:
                self._known[key] = self.build(facts, training)
            except JoulecastError as error:
                self._known[key] = f"{facts.model}: {error}"
        return self._known[key]


def device_of(facts: Facts) -> Device:
    """The GPU of a run, at its power limit if that is lower. Raises `UnknownHardwareError`."""
    device = Device.of_gpu(find_gpu(facts.gpu))
    if facts.tdp_w is not None and facts.tdp_w != device.tdp_w:
        return replace(device, power_limit_w=facts.tdp_w)
    return device


@dataclass(frozen=True, slots=True)
class _Steps:
    """A forecaster of steps, asked for whole runs; it learns nothing from them."""

    workloads: Workloads
    forecaster: StaticForecaster

    def predict(self, facts: Facts, duration_s: float) -> Prediction | None:
        """Energy of all steps of the run."""
        whole = self._whole(facts)
        return None if whole is None else whole.energy

    def duration(self, facts: Facts) -> Prediction | None:
        """And their duration."""
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

    def ready(self, runs: Sequence[StaticRun]) -> _Steps:
        """Itself."""
        return self


@dataclass(frozen=True, slots=True)
class _Layers:
    """`layerwise`, taught by whole runs. Its errors grow with what it forecasts."""

    workloads: Workloads
    fitted: Layerwise
    spread: Spread | None = None

    def predict(self, facts: Facts, duration_s: float) -> Prediction | None:
        """The sum over the layers of all steps."""
        energy_j = self.fitted.energy_j(self.workloads.parts(facts), device_of(facts))
        if energy_j is None or self.spread is None:
            return None if energy_j is None else Prediction(energy_j)
        return self.spread.around(energy_j)

    def again(self, runs: Sequence[StaticRun]) -> _Layers:
        """Taught by other runs."""
        return self.workloads._fit_layerwise(runs)

    def error(self, run: StaticRun) -> float | None:
        """The logarithm of the ratio."""
        said = self.predict(run.facts, run.duration_s)
        if said is None:
            return None
        return abs(math.log(said.value / run.energy_j)) if said.value > 0 else math.inf

    def with_spread(self, half: float | None) -> _Layers:
        """With an interval."""
        return replace(self, spread=None if half is None else Spread(half))
