"""The rest of the nodes around the devices: CPU, RAM, fans, network, losses of power supplies.

A server of eight H100 draws 6.8 to 7.3 kW in trainings, 1.29 times the power its GPUs are rated at
(MLPerf Training v4.0, power results), and is itself rated at 10.2 kW: of what is rated for the
rest, about two fifths are drawn. That share is used for all kinds of nodes. A third of it grows
with the load of the devices: fans, regulators, power supplies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...estimate import Estimate, Provenance
from ...hardware.catalog.nodes import NodeModel, node_of
from ..base import Forecast
from .device import Device
from .parallel import Layout

DRAWN, WITH_LOAD = 0.41, 0.35
# Another server of eight H100 drew 8.4 kW at its maximum (arXiv 2412.08602), and what nodes have in
# addition to their GPUs differs: the bounds, over the value.
LOW, HIGH = 0.6, 1.6


@dataclass(frozen=True, slots=True)
class NodePart:
    """What the nodes draw in addition to the devices in them.

    Attributes:
        kind: of the node, in the catalog.
        energy: J, modelled.
        link: what connects its devices.
        source: of the facts on this kind.
    """

    kind: str
    energy: Estimate
    link: str
    source: str


def node_of_device(device: Device) -> NodeModel:
    """The kind of node that a device usually is in."""
    return node_of(device.name, device.architecture)


def node_part(job: Forecast, layout: Layout, device: Device) -> NodePart:
    """Energy of the rest of the nodes during a job whose devices use `job.energy`.

    A job that has some of a node's devices has that part of its rest.
    """
    node = node_of_device(device)
    tdp = device.tdp_w * layout.devices
    full_w = DRAWN * (node.rated - 1) * tdp
    joules = full_w * ((1 - WITH_LOAD) * job.duration.value + WITH_LOAD * job.energy.value / tdp)
    estimate = Estimate(
        joules,
        joules / _factor(job.duration.value, job.duration.low, 1 / LOW),
        joules * _factor(job.duration.value, job.duration.high, HIGH),
        "J",
        Provenance.MODELLED,
    )
    return NodePart(node.name, estimate, node.link, node.source)


def _factor(duration_s: float, bound_s: float | None, of_power: float) -> float:
    """A bound over the value: how long a job takes and what a node draws err independently."""
    of_time = 0.0 if bound_s is None else math.log(bound_s / duration_s)
    return math.exp(math.hypot(of_time, math.log(of_power)))
