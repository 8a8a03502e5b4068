"""A step on many devices: what each computes and holds, what they exchange, how long they wait.

A *layout* is a product of four ways to divide a job (Narayanan et al., arXiv 2104.04473; Zhao et
al., arXiv 2304.11277): copies of the model on other samples (`data`), copies whose weights,
gradients and optimizer state are sharded (`fsdp`), matrices split between devices (`tensor`), and
consecutive blocks on consecutive devices (`pipeline`).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

from ...errors import UsageError
from ...hardware.catalog.nodes import NodeModel
from ...workload.model import Op, OperatorKind, Phase, Workload
from ..base import Prediction
from .communication import DeviceGroup
from .device import Device, StepForecast

WAYS = ("data", "fsdp", "tensor", "pipeline")
# Micro-batches for each stage of a pipeline, where their number is not given: with so many its
# waiting is small (Huang et al., arXiv 1811.06965, section 2.3).
_MICRO_BATCHES = 4
# Normalization and pooling are not split by tensor parallelism, and 10 of 34 bytes of an activation
# are not either (Korthikanti et al., arXiv 2205.05198, equation 2).
_WHOLE = (OperatorKind.NORM, OperatorKind.POOL)
_WHOLE_ACTIVATIONS = 10 / 34
_HALF = ("bf16", "fp16", "fp8")
# PyTorch's buckets of gradients, bytes (`DistributedDataParallel`, bucket_cap_mb).
_BUCKET = 25 * 2**20
# Share of a training step's computing that is the backward pass.
_BACKWARD = 2 / 3
# The steps of equal devices differ by about 1 % (assumed); all wait for the slowest.
_SPREAD = 0.01
# Power of a device that waits for others, as a share of its TDP: 0.2 to 0.75 where trainings
# exchange gradients (Patel et al., arXiv 2308.12908, figure 6).
WAITING, WAITING_LOW, WAITING_HIGH = 0.4, 0.2, 0.75
# Times of communication are right within these factors (assumed).
_COMMUNICATION_LOW, _COMMUNICATION_HIGH = 0.6, 1.6
# A stated efficiency is right within this factor (assumed).
_STATED = 1.1


@dataclass(frozen=True, slots=True)
class Layout:
    """How a job is divided among devices; all is 1 on a single one.

    Attributes:
        nodes: number of nodes.
        devices_per_node: devices in each.
        data: copies of the model, or of each set of its shards.
        fsdp: devices that share the weights, gradients and optimizer state of a copy.
        tensor: devices that share each matrix.
        pipeline: devices that share the blocks of the model.
        micro_batches: parts of a batch that follow one another before the optimizer's step.
    """

    nodes: int = 1
    devices_per_node: int = 1
    data: int = 1
    fsdp: int = 1
    tensor: int = 1
    pipeline: int = 1
    micro_batches: int = 1

    @property
    def devices(self) -> int:
        """All devices."""
        return self.nodes * self.devices_per_node

    @property
    def parts(self) -> int:
        """Parts into which a batch is divided, each with samples of its own."""
        return self.data * self.fsdp * self.micro_batches

    def __str__(self) -> str:
        factors = [f"{way}:{n}" for way in WAYS if (n := getattr(self, way)) > 1]
        return ",".join(factors) or "one device"


def layout_of(
    text: str | None, devices_per_node: int, nodes: int = 1, micro_batches: int = 1
) -> Layout:
    """The layout that `--parallel` names, `fsdp,tensor:8`; one of its ways may be without a number.

    Without a text, all devices have copies of the model (`data`).

    Raises:
        UsageError: a way is unknown or named twice, or the numbers do not multiply to the devices.
    """
    devices = devices_per_node * nodes
    degrees = _degrees(text)
    named = {way: degree for way, degree in degrees.items() if degree is not None}
    open_ways = [way for way in degrees if way not in named]
    product = math.prod(named.values())
    rest, left = divmod(devices, product)
    if left:
        raise UsageError(f"--parallel {text}: {product} does not divide {devices} devices")
    # What is not divided otherwise gets copies of the model.
    if not open_ways and rest > 1 and not {"data", "fsdp"} & set(degrees):
        open_ways = ["data"]
    if not open_ways and rest > 1:
        raise UsageError(f"--parallel {text}: it uses {product} of {devices} devices")
    named |= dict.fromkeys(open_ways, rest)
    return Layout(nodes, devices_per_node, micro_batches=micro_batches, **named)


def _degrees(text: str | None) -> dict[str, int | None]:
    """The number after each way to divide a job; None where there is none, for one at most."""
    degrees: dict[str, int | None] = {}
    for factor in re.split(r"[,*+x\s]+", (text or "data").strip().lower()):
        way, colon, number = factor.partition(":")
        if way not in WAYS or (colon and not re.fullmatch(r"[1-9]\d*", number)):
            raise UsageError(
                f"--parallel {text}: {factor!r} is no way to divide a job: write data, fsdp, "
                "tensor:8, pipeline:4, or a product as in fsdp,tensor:8"
            )
        if way in degrees:
            raise UsageError(f"--parallel {text}: {way} is named twice")
        degrees[way] = int(number) if colon else None
    open_ways = [way for way, degree in degrees.items() if degree is None]
    if len(open_ways) > 1:
        raise UsageError(f"--parallel {text}: give the number of all but one: {open_ways[0]}:2")
    return degrees


def usual_micro_batches(layout: Layout, batch: int) -> int:
    """One; in a pipeline the most that divide the batch, up to four for each stage."""
    most = 1 if layout.pipeline == 1 else _MICRO_BATCHES * layout.pipeline
    samples = batch // (layout.data * layout.fsdp)
    return next(n for n in range(most, 0, -1) if n == 1 or samples % n == 0)


def samples_per_part(layout: Layout, batch: int) -> int:
    """Samples that a device computes at a time. Raises `UsageError` where they do not come out."""
    samples, left = divmod(batch, layout.parts)
    if left or not samples:
        raise UsageError(
            f"--batch {batch} cannot be divided by {layout.data * layout.fsdp} devices with copies "
            f"of the model x {layout.micro_batches} micro-batches: use a multiple of {layout.parts}"
        )
    return samples


def check_layout(layout: Layout, workload: Workload) -> None:
    """Raise `UsageError` where the model cannot be divided so."""
    if layout.pipeline > max(1, workload.blocks):
        raise UsageError(
            f"--parallel pipeline:{layout.pipeline}: {workload.name} has {workload.blocks} blocks: "
            f"use at most pipeline:{max(1, workload.blocks)}"
        )
    for op in workload.ops:
        if op.kind is OperatorKind.ATTENTION and op.phase is Phase.FORWARD and op.shape:
            heads = op.shape[0] // workload.batch
            if heads % layout.tensor:
                raise UsageError(
                    f"--parallel tensor:{layout.tensor}: the {heads} attention heads of "
                    f"{workload.name} cannot be divided by {layout.tensor}"
                )


def on_one_device(workload: Workload, layout: Layout) -> Workload:
    """What one device of a layout computes and holds in a step of all its micro-batches.

    `workload` is a micro-batch on the whole model. A device of a pipeline computes only a part of
    these operators (1 / pipeline), which the time of a step takes into account.
    """
    if layout.devices == 1 and layout.micro_batches == 1:
        return workload
    shard, tensor, stages = layout.fsdp, layout.tensor, layout.pipeline
    ops = tuple(_part(op, layout) for op in workload.ops)
    if layout.micro_batches > 1 and workload.gradient_bytes:
        # From the second micro-batch on, gradients are added to those before.
        size = workload.gradient_bytes / tensor / shard
        kind, count = OperatorKind.ELEMENTWISE, layout.micro_batches - 1
        ops += (Op(kind, Phase.BACKWARD, size / 4, 3 * size, "fp32", count=count),)
    holds = 1 / (shard * tensor * stages)
    gathered = 2 * workload.block_bytes / tensor if shard > 1 else 0.0
    kept = _WHOLE_ACTIVATIONS + (1 - _WHOLE_ACTIVATIONS) / tensor
    # The first stage has a micro-batch under way for each stage after it.
    under_way = min(stages, layout.micro_batches) / stages
    activations = workload.activation_bytes * kept * under_way
    gradients = workload.gradient_bytes * holds
    short_lived = workload.peak_bytes - workload.gradient_bytes - workload.activation_bytes
    # At most as large as the gradients, and divided as they are: the optimizer's temporary tensors,
    # and before them the copies in 16 bits of weights that are trained.
    copies = min(max(0.0, short_lived), workload.gradient_bytes)
    return replace(
        workload,
        ops=ops,
        weight_bytes=workload.weight_bytes * holds + gathered,
        gradient_bytes=gradients,
        optimizer_bytes=workload.optimizer_bytes * holds,
        activation_bytes=activations,
        peak_bytes=gradients + activations + copies * holds + max(0.0, short_lived - copies) * kept,
    )


def _part(op: Op, layout: Layout) -> Op:
    """A device's part of an operator, of all micro-batches."""
    parts = 1 if op.kind in _WHOLE else layout.tensor
    count = op.count * layout.micro_batches
    if op.phase is Phase.OPTIMIZER:
        parts, count = layout.tensor * layout.fsdp, op.count
    shape = op.shape
    if op.kind is OperatorKind.MATMUL and len(shape) == 4:
        b, m, n, k = shape
        shape = (b, m, max(1, n // parts), k)
    return replace(op, flops=op.flops / parts, bytes=op.bytes / parts, shape=shape, count=count)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Seconds of a step in which a device exchanges data with others, and waits for them.

    Attributes:
        exchange_s: of all communication.
        exposed_s: the part of it that is not hidden behind computing.
        pipeline_s: a pipeline that fills and empties.
        slowest_s: for the slowest device.
    """

    exchange_s: float = 0.0
    exposed_s: float = 0.0
    pipeline_s: float = 0.0
    slowest_s: float = 0.0

    @property
    def total_s(self) -> float:
        """What a step takes in addition to computing."""
        return self.exposed_s + self.pipeline_s + self.slowest_s


def waiting(workload: Workload, layout: Layout, node: NodeModel, compute_s: float) -> Waiting:
    """What a step waits for, of which a device computes for `compute_s`.

    `workload` is a micro-batch on the whole model.
    """
    if layout.devices == 1:
        return Waiting()
    per_node = layout.devices_per_node
    width = 2 if workload.precision in _HALF else 4
    own = layout.tensor * layout.pipeline
    hidden, exposed = 0.0, 0.0
    # Sharded weights are gathered for each pass, and gradients reduced, a block at a time, while
    # the block before computes.
    shards = DeviceGroup.of(layout.fsdp, layout.tensor, per_node)
    blocks = max(1, workload.blocks / layout.pipeline)
    gathers = shards.gather_s(node, workload.parameters * width / own, blocks)
    passes = layout.micro_batches * (2 if workload.training else 1)
    each = passes * gathers
    if workload.training:
        trained = workload.gradient_bytes / 4 * width
        each += layout.micro_batches * shards.gather_s(node, trained / own, blocks)
    hidden += each
    exposed += max(each - compute_s, each / blocks)
    # Gradients of copies are summed while the last backward pass computes the next ones.
    copies = DeviceGroup.of(layout.data, layout.tensor * layout.fsdp, per_node)
    gradients = workload.gradient_bytes / own / layout.fsdp
    buckets = max(1.0, math.ceil(gradients / _BUCKET))
    each = copies.reduce_s(node, gradients, buckets) if gradients else 0.0
    hidden += each
    exposed += max(each - _BACKWARD * compute_s / layout.micro_batches, each / buckets)
    # The halves of a block each end in a sum over the devices that share it, in each pass.
    sums = 2 * blocks * passes
    sharing = DeviceGroup.of(layout.tensor, 1, per_node)
    each = sharing.reduce_s(node, sums * workload.block_output_bytes, sums)
    hidden += each
    exposed += each
    # A stage sends its output to the next; only while the pipeline fills is that not hidden.
    stage = DeviceGroup.of(layout.pipeline, layout.devices // layout.pipeline, per_node)
    sent = workload.block_output_bytes / stage.rate(node) if layout.pipeline > 1 else 0.0
    hidden += sent * passes
    exposed += sent * (layout.pipeline - 1)
    idle = (layout.pipeline - 1) / layout.micro_batches * (compute_s + exposed)
    slowest = _SPREAD * math.sqrt(2 * math.log(layout.devices)) * (compute_s + exposed)
    return Waiting(hidden, exposed, idle, slowest)


def on_all_devices(
    step: StepForecast, waits: Waiting, layout: Layout, device: Device
) -> StepForecast:
    """The step of a job on all devices of a layout, from that of the operators of one.

    Energy and power are those of all devices together.
    """
    if layout.devices == 1:
        return step
    n, stages, tdp = layout.devices, layout.pipeline, device.tdp_w
    computing, joules = _scaled(step.duration, 1 / stages), _scaled(step.energy, 1 / stages)
    wait = waits.total_s
    low, high = wait * _COMMUNICATION_LOW, wait * _COMMUNICATION_HIGH
    duration = _with(computing, wait, low, high)
    energy = _with(joules, wait * WAITING * tdp, low * WAITING_LOW * tdp, high * WAITING_HIGH * tdp)
    energy = _scaled(energy, n)
    mean = energy.value / duration.value
    relative = _relative(step.power)
    # Devices that wait draw less, and how much is known less well.
    share = wait / duration.value
    power = Prediction(
        mean,
        mean * (relative[0] * (1 - share) + WAITING_LOW / WAITING * share),
        min(
            n * device.limit_w, mean * (relative[1] * (1 - share) + WAITING_HIGH / WAITING * share)
        ),
    )
    power = replace(power, high=max(mean, power.high or mean))
    return replace(step, duration=duration, energy=energy, power=power)


def at_efficiency(
    step: StepForecast, workload: Workload, layout: Layout, device: Device, mfu: float
) -> StepForecast:
    """The step at a known model FLOPs utilization (Chowdhery et al., arXiv 2204.02311).

    The time is that of the model's operations, without those computed again in the backward pass,
    at a share of the peak rate of all devices. What is slower than forecast waits; what is faster
    computes at the power forecast.

    Raises:
        UsageError: it is not above 0 and at most 1.
    """
    if not 0 < mfu <= 1:
        raise UsageError(f"--mfu {mfu:g}: give a share of the peak rate above 0, at most 1")
    peak = device.peak_tflops(workload.precision) or device.peak_tflops("fp32") or 1.0
    once = sum(op.flops * op.count for op in workload.ops if op.phase is not Phase.OPTIMIZER)
    flops = (once - workload.recomputed_flops) * layout.parts
    seconds = flops / (layout.devices * peak * 1e12 * mfu)
    duration = Prediction(seconds, seconds / _STATED, seconds * _STATED)
    slower = max(0.0, seconds - step.duration.value)
    joules = step.power.value * min(seconds, step.duration.value)
    joules += slower * WAITING * device.tdp_w * layout.devices
    low, high = _relative(step.power)
    energy = Prediction(joules, joules * low / _STATED, joules * high * _STATED)
    mean = joules / seconds
    return replace(
        step,
        duration=duration,
        energy=energy,
        power=Prediction(
            mean, mean * low, max(mean, min(mean * high, layout.devices * device.limit_w))
        ),
        shares=None,
        notes=(*step.notes, f"at {100 * mfu:g} % of the peak rate, as stated"),
    )


def _relative(p: Prediction) -> tuple[float, float]:
    """The bounds over the value."""
    low = p.value if p.low is None else p.low
    high = p.value if p.high is None else p.high
    return low / p.value, high / p.value


def _scaled(p: Prediction, factor: float) -> Prediction:
    low, high = _relative(p)
    value = p.value * factor
    return Prediction(value, value * low, value * high)


def _with(p: Prediction, value: float, low: float, high: float) -> Prediction:
    """The sum with a part whose error is in the same direction."""
    own_low, own_high = _relative(p)
    return Prediction(p.value + value, p.value * own_low + low, p.value * own_high + high)
