"""The report of `joulecast.analyze`."""

from ...units import format_number, format_quantity
from ...workload.model import Layer, OperatorKind, Phase, Workload
from .model import Column, Document, Line, Pairs, ReportTable, Section, figures, notes

_LAYERS = 10


def workload_document(work: Workload) -> Document:
    """FLOPs, bytes and memory of a step, by phase, class of operator and layer."""
    sections = [
        Section("Per step", [_totals(work)]),
        Section("Memory", [Pairs(_memory(work))]),
        Section("By class of operator", [_kinds(work)]),
    ]
    layers = sorted(filter(_flops, work.layers), key=_flops, reverse=True)
    if layers:
        of = f", {_LAYERS} of {len(layers)}" if len(layers) > _LAYERS else ""
        sections.append(Section(f"Largest layers{of}", [_layers(layers[:_LAYERS], work)]))
    return Document([_title(work), _size(work)], [*sections, *notes("Notes", work.notes)])


def _title(work: Workload) -> str:
    use = f"training with {work.optimizer or 'no optimizer'}" if work.training else "inference"
    shape = "x".join(map(str, work.input_shape))
    return f"{work.name}: {use}, batch {work.batch} of {shape}, {work.precision}"


def _size(work: Workload) -> str:
    macs = format_quantity(work.macs / work.batch, "MAC")
    return (
        f"{format_number(work.parameters)} parameters; {macs} (multiply-adds, 2 FLOPs each) in the "
        "forward pass of a sample"
    )


def _totals(work: Workload) -> ReportTable:
    phases = list(Phase) if work.training else [Phase.FORWARD]
    rows: list[list[Line]] = [
        [
            str(phase),
            format_quantity(work.flops(phase), "FLOP"),
            format_quantity(work.bytes(phase), "B"),
            format_number(work.launches(phase)),
        ]
        for phase in phases
    ]
    return ReportTable([Column("phase"), *figures("FLOPs", "min. bytes", "kernels")], rows)


def _memory(work: Workload) -> list[tuple[str, Line]]:
    parts = {
        "weights": work.weight_bytes,
        "gradients": work.gradient_bytes,
        "optimizer": work.optimizer_bytes,
        "activations": work.activation_bytes,
        "minimum in total": work.memory_bytes,
    }
    return [(label, format_quantity(size, "B")) for label, size in parts.items() if size]


def _kinds(work: Workload) -> ReportTable:
    kinds = sorted(OperatorKind, key=lambda kind: -work.flops(kind=kind))
    rows: list[list[Line]] = [
        [
            str(kind),
            format_quantity(work.flops(kind=kind), "FLOP"),
            _share(work.flops(kind=kind), work.flops()),
            format_quantity(work.bytes(kind=kind), "B"),
            _share(work.bytes(kind=kind), work.bytes()),
            format_number(work.launches(kind=kind)),
        ]
        for kind in kinds
        if work.launches(kind=kind)
    ]
    heads = figures("FLOPs", "of all", "min. bytes", "of all", "kernels")
    return ReportTable([Column("class"), *heads], rows)


def _layers(layers: list[Layer], work: Workload) -> ReportTable:
    rows: list[list[Line]] = [
        [
            layer.name or "(the model itself)",
            layer.type,
            format_number(layer.parameters),
            format_quantity(_flops(layer), "FLOP"),
            _share(_flops(layer), work.flops()),
            format_quantity(layer.activation_bytes, "B"),
        ]
        for layer in layers
    ]
    heads = figures("parameters", "FLOPs", "of all", "activations")
    return ReportTable([Column("layer", fit="cut"), Column("type", fit="cut"), *heads], rows)


def _flops(layer: Layer) -> float:
    return layer.forward_flops + layer.backward_flops


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else ""
