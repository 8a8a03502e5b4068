"""Spans in lanes below the chart of power: epochs in the first, the spans inside them below."""

from dataclasses import dataclass

from ...recording.summary import SpanEnergy, Summary

MAX_IN_LANE = 400
"""Spans drawn in one lane; the longest ones where there are more."""

MAX_LANES = 6


@dataclass(frozen=True, slots=True)
class Lane:
    """Spans that do not overlap, in the order of their start."""

    row: int
    label: str
    labels: list[str]  # of each span
    spans: list[SpanEnergy]
    # Number of spans of these lanes that are too many to draw.
    left_out: int


def span_label(s: SpanEnergy) -> str:
    """The name of a span, with its number where the name does not contain it."""
    name = s.span.name or s.span.kind
    index = s.span.index
    # Epochs are counted from 1 where people read them.
    if s.span.kind == "epoch" and index is not None:
        return f"epoch {index + 1}"
    return name if index is None or str(index) in name else f"{name} {index}"


def lanes(summary: Summary) -> list[Lane]:
    """All spans, each in a lane below its parent's and free of overlap. Lanes beyond
    `MAX_LANES` are left out."""
    everything = sorted(
        [*summary.epochs, *summary.spans], key=lambda s: (s.span.start_s, -s.duration_s, s.span.id)
    )
    # End of the last span of each lane.
    ends: list[float] = []
    members: list[list[SpanEnergy]] = []
    lane_of: dict[int, int] = {}
    # Spans of one kind stay in one lane where possible.
    home: dict[tuple[int, str], int] = {}
    for s in everything:
        parent = s.span.parent
        top = lane_of[parent] + 1 if parent is not None and parent in lane_of else 0
        row = max(top, home.get((top, s.span.kind), 0))
        while row < len(ends) and s.span.start_s < ends[row] - 1e-6:
            row += 1
        while row >= len(ends):
            ends.append(0.0)
            members.append([])
        ends[row] = s.span.start_s + s.duration_s
        members[row].append(s)
        lane_of[s.span.id] = home[top, s.span.kind] = row
    return [_lane(row, spans) for row, spans in enumerate(members[:MAX_LANES]) if spans]


def _lane(row: int, found: list[SpanEnergy]) -> Lane:
    drawn = found
    if len(found) > MAX_IN_LANE:
        longest = sorted(found, key=lambda s: -s.duration_s)[:MAX_IN_LANE]
        drawn = sorted(longest, key=lambda s: s.span.start_s)
    kinds = list(dict.fromkeys(s.span.kind for s in found))
    label = f"{kinds[0]}s" if len(kinds) == 1 else "spans"
    left_out = len(found) - len(drawn)
    return Lane(row, label, [span_label(s) for s in drawn], drawn, left_out)
