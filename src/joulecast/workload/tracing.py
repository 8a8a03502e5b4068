"""Traces one step of a model on meta tensors, or on the CPU where it must be, into a workload."""

from __future__ import annotations

import re
import warnings
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ..errors import JoulecastError, UsageError
from . import inputs as tensors
from .building import for_real, on_meta
from .calls import Calls
from .compiler import without_compiler
from .layers import LOSS, LayerTracker
from .losses import loss_of
from .model import Layer, Op, Phase, Workload
from .operator_recorder import OperatorRecorder, persistent_tensors
from .optimizers import step
from .precision import Precision
from .recipe import Recipe, first_line

# A model is run for real only where its weights are no more than this.
LARGEST_RUN = 4e9

# What torch says of a tensor that has no data to look at, or has it elsewhere.
_NEEDS_DATA = re.compile(
    r"meta tensor|Meta tensor|meta device|device meta|data-dependent|data dependent|on the meta|"
    r"'meta'|:meta|no data|Meta' backend|same device|data_ptr|storage",
)


@dataclass(frozen=True, slots=True)
class Settings:
    """How a model is used."""

    training: bool
    optimizer: str | None
    precision: Precision
    loss: str | Callable[[Any], Any] | None
    on_cpu: bool = False  # whose kernels are counted

    @property
    def half(self) -> torch.dtype | None:
        """The 16-bit type used, if any."""
        found: torch.dtype | None = getattr(torch, self.precision.half or "", None)
        return found

    @property
    def inputs_in(self) -> torch.dtype:
        """Type of a model's inputs: mixed precision takes them in full."""
        return self.half if self.half is not None and not self.training else torch.float32


class _NeedsData(Exception):
    """The course of a model depends on data that meta tensors do not have."""


def trace(recipe: Recipe, given: Any, batch: int, settings: Settings) -> Workload:
    """The workload of a recipe; see `analyze` for what it raises."""
    notes: list[str] = []
    with warnings.catch_warnings(), without_compiler():
        warnings.simplefilter("ignore")
        model = on_meta(recipe, notes)
        inputs, note = tensors.read(given, batch, recipe, model)
        if note is not None:
            notes.append(note)
        try:
            return _traced(recipe.name, model, "meta", inputs, settings, notes)
        except _NeedsData as why:
            weights = sum(size for tensor in model.parameters() if (size := _bytes(tensor)))
            if weights > LARGEST_RUN:
                raise UsageError(
                    f"{recipe.name} cannot be traced without data ({why}), and with "
                    f"{weights / 1e9:.0f} GB of weights it is too large to be run for it"
                ) from None
            notes.append(f"run on the CPU, for its course depends on its data ({why})")
        model = for_real(recipe)
        return _traced(recipe.name, model, "cpu", inputs, settings, notes)


def _traced(
    name: str,
    model: nn.Module,
    device: str,
    inputs: tensors.Inputs,
    settings: Settings,
    notes: list[str],
) -> Workload:
    half = settings.half
    if half is not None and not settings.training:
        model = model.to(half)
    model.train(settings.training)
    args, kwargs = tensors.make(inputs, model, device, settings.inputs_in, settings.training)
    tracker = LayerTracker(model)
    if any(is_lazy(parameter) for parameter in model.parameters()):
        _settle(name, model, device, inputs, tracker, args, kwargs)
    recorder = OperatorRecorder(tracker, persistent_tensors(model), settings.precision.tf32)
    of_transformers = any("transformers." in cls.__module__ for cls in type(model).__mro__)
    calls = Calls(
        recorder,
        half if settings.training else None,
        plain_data=of_transformers,
        on_cpu=settings.on_cpu,
    )
    saved = torch.autograd.graph.saved_tensors_hooks(recorder.keep, lambda tensor: tensor)
    # Casts nothing that has no data, but tells modules that ask (recurrent ones) that casts happen.
    mixed = settings.training and half is not None and device == "meta"
    told = torch.autocast("cpu", torch.bfloat16, enabled=mixed)
    try:
        with torch.device(device), torch.set_grad_enabled(settings.training), tracker, saved, told:
            with recorder, calls:
                output = model(*args, **kwargs)
                if settings.training:
                    tracker.begin_loss()
                    loss = loss_of(settings.loss, output)
                    del output
            if settings.training:
                tracker.begin_backward()
                recorder.phase = Phase.BACKWARD
                with recorder, calls:
                    loss.backward()  # type: ignore[no-untyped-call]
    except JoulecastError:
        raise
    except Exception as error:
        if device == "meta" and (
            isinstance(error, NotImplementedError) or _NEEDS_DATA.search(str(error))
        ):
            raise _NeedsData(_place(tracker) or first_line(error)) from error
        raise UsageError(_misfit(name, inputs, tracker, error)) from error
    if calls.assumed:
        notes.append(
            "where it looks at its data: taken for unpadded and unpacked, no layer dropped"
        )
    return _workload(name, model, inputs, settings, notes, tracker, recorder)


def _settle(
    name: str,
    model: nn.Module,
    device: str,
    inputs: tensors.Inputs,
    tracker: LayerTracker,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> None:
    """One forward pass that nobody counts, in which lazy modules take their sizes."""
    try:
        with torch.device(device), torch.no_grad(), tracker:
            model(*args, **kwargs)
    except Exception as error:
        raise UsageError(_misfit(name, inputs, tracker, error)) from error


def _place(tracker: LayerTracker) -> str:
    """The innermost module running, as its name and type."""
    if not tracker.failed:
        return ""
    layer, module, _ = tracker.failed[-1]
    kind = "" if module is None else f" ({type(module).__name__})"
    return f"at {layer}{kind}" if layer else f"in {type(module).__name__}"


def _misfit(name: str, inputs: tensors.Inputs, tracker: LayerTracker, error: Exception) -> str:
    """One line on a forward pass that failed: the layer, what it is and what it was given."""
    shape = ", ".join("x".join(map(str, shape)) for shape in inputs.shapes)
    text = first_line(error).removeprefix("RuntimeError: ").removeprefix("ValueError: ")
    if "more than 1 value per channel" in text:
        text += "; give a batch of 2 or more"
    if tracker.running and tracker.running[-1][0] == LOSS:
        return f"{name}: the loss fails on what the model returns: {text}; choose another"
    if not tracker.failed:
        return f"{name} fails on an input of {shape}: {text}"
    layer, module, args = tracker.failed[-1]
    given = [f"{'x'.join(map(str, arg.shape))}" for arg in args if isinstance(arg, Tensor)]
    described = type(module).__name__
    if module is not None and next(module.children(), None) is None:
        described = repr(module).splitlines()[0]
    got = f" got {', '.join(given)} and" if given else ""
    return (
        f"an input of {shape} does not fit {name}: layer {layer or '(the model itself)'}, "
        f"{described},{got} says: {text}"
    )


def _workload(
    name: str,
    model: nn.Module,
    inputs: tensors.Inputs,
    settings: Settings,
    notes: list[str],
    tracker: LayerTracker,
    recorder: OperatorRecorder,
) -> Workload:
    ops = recorder.ops()
    parameters = list(model.parameters())
    trained = [p for p in parameters if p.requires_grad] if settings.training else []
    updates = step(
        settings.optimizer if settings.training else None,
        [p.numel() for p in trained],
        trained[0].element_size() if trained else 4,
        unscale=settings.precision.name == "fp16",
        one_by_one=settings.on_cpu,
    )
    gradients = sum(_bytes(p) for p in trained)
    # While the optimizer works there are only gradients and what it needs itself.
    peak = max(recorder.peak_bytes, gradients + updates.scratch_bytes)
    counts = (f"{operator} x{count}" for operator, count in recorder.uncounted.items())
    if recorder.uncounted:
        notes.append(f"counted as moved bytes only: {', '.join(sorted(counts))}")
    return Workload(
        name=name,
        batch=inputs.batch,
        input_shape=inputs.shapes[0],
        precision=settings.precision.name,
        training=settings.training,
        optimizer=settings.optimizer if settings.training else None,
        parameters=sum(p.numel() for p in parameters),
        ops=ops + updates.ops,
        layers=_layers(tracker, ops, recorder.activations),
        weight_bytes=sum(_bytes(tensor) for tensor in (*parameters, *model.buffers())),
        gradient_bytes=gradients,
        optimizer_bytes=updates.state_bytes,
        activation_bytes=sum(recorder.activations.values()),
        peak_bytes=peak,
        notes=tuple(notes),
        views=recorder.views,
    )


def _bytes(tensor: Tensor) -> float:
    if is_lazy(tensor):
        return 0.0
    return float(tensor.numel() * tensor.element_size())


def _layers(
    tracker: LayerTracker, ops: tuple[Op, ...], activations: dict[str, float]
) -> tuple[Layer, ...]:
    """The modules that compute, in the order in which they first do; shared weights count once."""
    flops: dict[str, dict[Phase, float]] = defaultdict(lambda: defaultdict(float))
    for op in ops:
        flops[op.layer][op.phase] += op.flops * op.count
    seen: set[int] = set()
    layers = []
    for name, by_phase in flops.items():
        module = tracker.modules.get(name)
        own = list(module.parameters(recurse=False)) if module is not None else []
        new = [p for p in own if id(p) not in seen]
        seen.update(id(p) for p in new)
        layers.append(
            Layer(
                name=name,
                type="Loss" if name == LOSS and module is None else type(module).__name__,
                parameters=sum(p.numel() for p in new),
                forward_flops=by_phase[Phase.FORWARD],
                backward_flops=by_phase[Phase.BACKWARD],
                activation_bytes=activations.get(name, 0.0),
            )
        )
    return tuple(layers)
