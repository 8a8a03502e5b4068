"""The catalog of nodes: what connects GPUs, and the rest of a server. Facts: `data/nodes.toml`."""

from __future__ import annotations

from dataclasses import dataclass

from .data_file import data_file

# Words in the names of GPUs that are sold for desks rather than for racks.
_DESK = ("GeForce", "RTX", "GTX", "TITAN", "Quadro", "Radeon RX", "Radeon PRO", "Radeon VII")


@dataclass(frozen=True, slots=True)
class NodeModel:
    """A kind of node.

    Attributes:
        max_gpus: GPUs of a node, as the driver lists them.
        link: what connects them.
        link_gb_s: its rate per GPU and direction.
        network_gb_s: rate of the network per GPU and direction.
        rated: rated power of the system / thermal design power of its GPUs.
    """

    name: str
    max_gpus: int
    link: str
    link_gb_s: float
    network_gb_s: float
    rated: float
    source: str


def node_of(gpu: str, architecture: str) -> NodeModel:
    """The kind of node that a GPU of the catalog usually is in.

    Examples:
        >>> node_of("NVIDIA H100 SXM5 80GB", "Hopper").link
        'NVLink 4'
    """
    data = data_file("nodes")
    for row in data["node"]:
        if any(part in gpu for part in row["names"]):
            return NodeModel(**{key: value for key, value in row.items() if key != "names"})
    generation = data["generation"].get(architecture, "3.0")
    row = data["workstation" if any(word in gpu for word in _DESK) else "server"]
    return NodeModel(**row, link=f"PCIe {generation}", link_gb_s=data["pcie"][generation])
