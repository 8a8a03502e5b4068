"""Traces one step of a model into a workload: on meta tensors, or on the CPU if it needs data."""

import re
import warnings
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ..errors import JoulecastError, UsageError
from . import inputs as tensors
from .blocks import checkpointed
from .building import for_real, on_meta
from .calls import Calls
from .layers import LOSS, LayerTracker
from .lora import adapted
from .losses import loss_of
from .model import Layer, Op, Phase, Workload
from .operator_recorder import OperatorRecorder, persistent_tensors
from .optimizers import step
from .precision import Products
from .recipe import Recipe, first_line

# A model runs on the CPU only if its weights are at most this many bytes.
MAX_RUN_BYTES = 4e9

# Errors of torch about a tensor without data, or on another device.
_NEEDS_DATA = re.compile(
    r"meta (?:[A-Z]\w+ )?tensor|Meta tensor|meta device|device meta|data-dependent|"
    r"data dependent|on the meta|"
    r"'meta'|:meta|no data|Meta' backend|same device|data_ptr|storage",
)


@dataclass(frozen=True, slots=True)
class Settings:
    """How a model is used. `on_cpu`: kernels of a CPU are counted; the last three as `analyze`."""

    training: bool
    optimizer: str | None
    precision: str
    loss: str | Callable[[Any], Any] | None
    on_cpu: bool = False
    checkpointing: bool = False
    lora: int | None = None
    mean_length: int | None = None

    @property
    def half(self) -> torch.dtype | None:
        """The 16-bit type used, if any."""
        types = {"bf16": torch.bfloat16, "fp8": torch.bfloat16, "fp16": torch.float16}
        return types.get(self.precision)

    @property
    def input_dtype(self) -> torch.dtype:
        """Type of a model's inputs: in mixed precision they are not converted."""
        return self.half if self.half is not None and not self.training else torch.float32

    @property
    def products(self) -> Products:
        """The types of products, which may be narrower than those of tensors."""
        return Products(self.precision, self.training, self.on_cpu)


class _NeedsDataError(Exception):
    """The control flow of a model depends on data, which meta tensors do not have."""


@dataclass(slots=True)
class _Trace:
    """A model with everything that its trace needs."""

    name: str
    model: nn.Module
    device: str
    inputs: tensors.Inputs
    settings: Settings
    notes: list[str]
    tracker: LayerTracker = field(init=False)

    def __post_init__(self) -> None:
        half = self.settings.half
        if half is not None and not self.settings.training:
            self.model = self.model.to(half)
        if self.settings.lora is not None:
            # On the CPU nothing is cast.
            adapted(self.model, self.settings.lora, half if self.device == "meta" else None)
        if self.settings.checkpointing and self.settings.training:
            checkpointed(self.model)
        self.model.train(self.settings.training)
        self.tracker = LayerTracker(self.model)


def trace(recipe: Recipe, value: Any, batch: int, settings: Settings) -> Workload:
    """The workload of a recipe with an input; see `analyze` for the errors it raises."""
    notes: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = on_meta(recipe, notes)
        notes += getattr(model, "notes", ())
        inputs, note = tensors.read(value, batch, recipe, model)
        if note is not None:
            notes.append(note)
        if len(inputs.shapes[0]) == 1:
            tensors.check_context(inputs.shapes[0][0], recipe.name, model)
        if settings.mean_length is not None:
            inputs = tensors.unpadded(inputs, settings.mean_length)
            notes.append(f"without padding: {settings.mean_length} tokens a sequence")
        try:
            return _traced(_Trace(recipe.name, model, "meta", inputs, settings, notes))
        except _NeedsDataError as reason:
            weights = sum(map(_bytes, model.parameters()))
            if weights > MAX_RUN_BYTES:
                raise UsageError(
                    f"{recipe.name} cannot be traced without data ({reason}), and with "
                    f"{weights / 1e9:.0f} GB of weights it is too large to run on the CPU"
                ) from None
            notes.append(f"run on the CPU, because its control flow depends on its data ({reason})")
        model = for_real(recipe)
        return _traced(_Trace(recipe.name, model, "cpu", inputs, settings, notes))


def _traced(run: _Trace) -> Workload:
    model, settings, tracker = run.model, run.settings, run.tracker
    args, kwargs = tensors.make(
        run.inputs, model, run.device, settings.input_dtype, settings.training
    )
    autocast = settings.half if settings.training else None
    try:
        with torch.device(run.device):
            if any(is_lazy(parameter) for parameter in model.parameters()):
                # Lazy modules take their sizes in a forward pass that is not counted.
                with torch.no_grad(), tracker:
                    model(*args, **kwargs)
            recorder = OperatorRecorder(tracker, persistent_tensors(model), settings.products)
            of_transformers = any("transformers." in c.__module__ for c in type(model).__mro__)
            calls = Calls(recorder, autocast, of_transformers, settings.on_cpu)
            _step(run, recorder, calls, args, kwargs)
    except JoulecastError:
        raise
    except Exception as error:
        if run.device == "meta" and (
            isinstance(error, NotImplementedError) or _NEEDS_DATA.search(str(error))
        ):
            raise _NeedsDataError(_place(tracker) or first_line(error)) from error
        raise UsageError(_misfit(run, error)) from error
    if calls.assumed:
        run.notes.append(
            "where it tests its data: assumed to be unpadded and unpacked, with no layer dropped"
        )
    return _workload(run, recorder)


def _step(
    run: _Trace,
    recorder: OperatorRecorder,
    calls: Calls,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> None:
    """Forward pass and, in training, loss and backward pass, under the recorder."""
    training = run.settings.training
    saved = torch.autograd.graph.saved_tensors_hooks(recorder.keep, lambda tensor: tensor)
    # It casts nothing that has no data, but recurrent modules ask whether autocast is enabled.
    mixed = training and run.settings.half is not None and run.device == "meta"
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=mixed)
    with torch.set_grad_enabled(training), run.tracker, saved, autocast:
        with recorder, calls:
            output = run.model(*args, **kwargs)
            if training:
                run.tracker.begin_loss()
                loss = loss_of(run.settings.loss, output)
                del output
        if training:
            run.tracker.begin_backward()
            recorder.phase = Phase.BACKWARD
            with recorder, calls:
                # What `loss.backward()` calls. That itself would leave `calls` for its time, and
                # what a checkpoint computes again would differ from what it computed first.
                engine: Any = torch.autograd.Variable._execution_engine
                ones = torch.ones_like(loss, memory_format=torch.preserve_format)
                engine.run_backward(
                    (loss,), (ones,), False, False, (), allow_unreachable=True, accumulate_grad=True
                )


def _place(tracker: LayerTracker) -> str:
    """The innermost module at the time of the error, as its name and type."""
    if not tracker.failed:
        return ""
    layer, module, _ = tracker.failed[-1]
    kind = type(module).__name__
    return f"at {layer} ({kind})" if layer else f"in {kind}"


def _misfit(run: _Trace, error: Exception) -> str:
    """One line on a forward pass that failed: the layer, its type and its input."""
    shape = tensors.shapes_text(run.inputs.shapes)
    text = first_line(error).removeprefix("RuntimeError: ").removeprefix("ValueError: ")
    if "more than 1 value per channel" in text:
        text += "; use a batch of 2 or more"
    tracker = run.tracker
    if tracker.running and tracker.running[-1][0] == LOSS:
        return f"{run.name}: the loss fails on the output of the model: {text}; choose another"
    if not tracker.failed:
        return f"{run.name} fails on an input of {shape}: {text}"
    layer, module, args = tracker.failed[-1]
    leaf = module is not None and next(module.children(), None) is None
    described = repr(module).splitlines()[0] if leaf else type(module).__name__
    received = tensors.shapes_text(tuple(tuple(a.shape) for a in args if isinstance(a, Tensor)))
    got = f" with an input of {received}" if received else ""
    return (
        f"an input of {shape} does not fit {run.name}: layer {layer or '(the model itself)'}, "
        f"{described},{got} fails: {text}"
    )


def _workload(run: _Trace, recorder: OperatorRecorder) -> Workload:
    settings = run.settings
    ops = recorder.ops()
    parameters = list(run.model.parameters())
    trained = [p for p in parameters if p.requires_grad] if settings.training else []
    optimizer = settings.optimizer if settings.training else None
    updates = step(
        optimizer,
        [p.numel() for p in trained],
        trained[0].element_size() if trained else 4,
        unscale=settings.precision == "fp16",
        one_by_one=settings.on_cpu,
    )
    gradient_bytes = sum(map(_bytes, trained))
    if recorder.uncounted:
        counts = sorted(f"{operator} x{count}" for operator, count in recorder.uncounted.items())
        run.notes.append(f"counted as moved bytes only: {', '.join(counts)}")
    return Workload(
        name=run.name,
        batch=run.inputs.batch,
        input_shape=run.inputs.shapes[0],
        precision=settings.precision,
        training=settings.training,
        optimizer=optimizer,
        parameters=sum(p.numel() for p in parameters),
        ops=ops + updates.ops,
        layers=_layers(run.tracker, ops, recorder.activations),
        weight_bytes=sum(map(_bytes, (*parameters, *run.model.buffers()))) - _saved_by_fp8(run),
        gradient_bytes=gradient_bytes,
        optimizer_bytes=updates.state_bytes,
        activation_bytes=sum(recorder.activations.values()),
        # While the optimizer runs, only the gradients and its own temporary tensors exist.
        peak_bytes=max(recorder.peak_bytes, gradient_bytes + updates.scratch_bytes),
        notes=tuple(run.notes),
        views=recorder.views,
        recomputed_flops=recorder.recomputed_flops,
        blocks=len(run.tracker.blocks),
        block_bytes=max(
            (sum(map(_bytes, block.parameters())) for block in run.tracker.blocks), default=0.0
        ),
        block_output_bytes=run.tracker.block_output_bytes,
    )


def _bytes(tensor: Tensor) -> float:
    if is_lazy(tensor):
        return 0.0
    return float(tensor.numel() * tensor.element_size())


def _saved_by_fp8(run: _Trace) -> float:
    """Bytes by which weights that inference keeps in fp8 are smaller than in bf16."""
    if run.settings.training:
        return 0.0
    weights = [m.weight for m in run.model.modules() if isinstance(m, nn.Linear)]
    return float(sum(w.numel() for w in weights if run.settings.products.in_fp8(tuple(w.shape))))


def _layers(
    tracker: LayerTracker, ops: tuple[Op, ...], activations: dict[str, float]
) -> tuple[Layer, ...]:
    """The modules that compute, in the order in which they first do; shared weights count once."""
    flops: dict[str, dict[Phase, float]] = defaultdict(lambda: defaultdict(float))
    for op in ops:
        flops[op.layer][op.phase] += op.flops * op.count
    counted: set[int] = set()
    layers = []
    for name, by_phase in flops.items():
        module = tracker.modules.get(name)
        own = list(module.parameters(recurse=False)) if module is not None else []
        new = [p for p in own if id(p) not in counted]
        counted.update(id(p) for p in new)
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
