"""How long devices exchange data: collectives over NVLink, PCIe and the network.

The cost model of R. Thakur et al. (doi:10.1177/1094342005051521): a ring of n members moves
(n - 1) / n of the bytes for an all-gather or a reduce-scatter, twice that for an all-reduce, and
takes n - 1 hops for each. Rates are those of the catalog of nodes.
"""

import math
from dataclasses import dataclass

from ...hardware.catalog.nodes import NodeModel

# Share of a link's rate that large collectives attain: NCCL reaches about 360 of 450 GB/s (NVLink
# 4), 230 of 300 (NVLink 3) and 45 of 50 (400 Gb/s) in nccl-tests.
ATTAINED = 0.8
# Latency of a hop inside a node and between nodes, s (NCCL, src/graph/tuning.cc: rings, LL128).
HOP_S, NETWORK_HOP_S = 1.9e-6, 4.0e-6


@dataclass(frozen=True, slots=True)
class DeviceGroup:
    """Devices that exchange data: how many, and how many of them share a node."""

    size: int
    in_node: int

    @classmethod
    def of(cls, size: int, stride: int, per_node: int) -> "DeviceGroup":
        """`size` devices, each `stride` after the one before, with `per_node` in each node."""
        return cls(size, max(1, min(size, per_node // stride)))

    def rate(self, node: NodeModel) -> float:
        """Bytes a second that each member can send and receive.

        Between nodes each ring crosses the network once, so that the members in a node share all
        their adapters, up to the rate of their own links.
        """
        rate = node.link_gb_s
        if self.in_node < self.size:
            rate = min(rate, node.network_gb_s * self.in_node)
        return ATTAINED * rate * 1e9

    def gather_s(self, node: NodeModel, bytes_: float, calls: float = 1.0) -> float:
        """Seconds of `calls` all-gathers or reduce-scatters of `bytes_` in total."""
        if self.size == 1:
            return 0.0
        nodes = math.ceil(self.size / self.in_node)
        latency = (nodes - 1) * NETWORK_HOP_S + (self.size - nodes) * HOP_S
        return (self.size - 1) / self.size * bytes_ / self.rate(node) + calls * latency

    def reduce_s(self, node: NodeModel, bytes_: float, calls: float = 1.0) -> float:
        """Seconds of `calls` all-reduces of `bytes_` in total."""
        return 2 * self.gather_s(node, bytes_, calls)
