"""Peak rates of a CPU, assumed from its family, because the catalog of CPUs has only powers.

Floating-point operations per cycle and core are those of the vector units (two fused multiply-adds
a cycle): 8 with SSE, 16 with AVX, 32 with AVX2, 64 with AVX-512 (Intel 64 and IA-32 Architectures
Optimization Reference Manual; AMD Software Optimization Guides of families 15h to 1Ah). Bandwidth
is that of the memory channels usual in the segment (datasheets: channels x MT/s x 8 byte).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ...hardware.catalog.cpus import CpuModel, find_family

# Families by the start of their name; a later row overrides an earlier one.
FLOPS_PER_CYCLE: tuple[tuple[float, tuple[str, ...]], ...] = (
    (16.0, ("Sandy Bridge", "Ivy Bridge", "Bulldozer", "Zen", "Neoverse N1", "Sierra Forest")),
    (32.0, ("Haswell", "Broadwell", "Skylake", "Coffee Lake", "Alder Lake", "Zen 2", "Zen 3")),
    (32.0, ("Apple M", "Neoverse V1", "Neoverse V2", "any ")),
    (64.0, ("Skylake server", "Cascade Lake", "Ice Lake", "Rocket Lake", "Sapphire", "Emerald")),
    (64.0, ("Granite", "Zen 4", "Zen 5")),
)
# 2,048 operations a cycle in bf16.
AMX = ("Sapphire", "Emerald", "Granite")
# Where the catalog has no clock.
DEFAULT_GHZ = 2.5
BANDWIDTH_GB_S = {"server": 170.0, "workstation": 90.0, "desktop": 45.0, "laptop": 45.0}
# 8 or 12 channels of DDR5.
NEW_SERVER_GB_S = 300.0
NEW_SERVERS = ("Sapphire", "Emerald", "Granite", "Sierra", "Zen 4", "Zen 5", "Neoverse V2")
# What one core can keep in flight.
ONE_CORE_GB_S = 12.0


@dataclass(frozen=True, slots=True)
class CpuFacts:
    """Peak rates of a CPU, GFLOP/s a core and GB/s a package; watts of the package.

    `one_core_share` is the share of the bandwidth that one core reaches alone.
    """

    gflops_per_core: float
    matrix_gflops_per_core: Mapping[str, float]
    memory_bandwidth_gb_s: float
    one_core_share: float
    idle_w: float
    full_w: float


def cpu_facts(cpu: CpuModel) -> CpuFacts:
    """The peaks of a model of the catalog, by its family and clock."""
    family = find_family(cpu.family)
    ghz = cpu.base_ghz or DEFAULT_GHZ
    cycle = 8.0
    for flops, families in FLOPS_PER_CYCLE:
        if cpu.family.startswith(families):
            cycle = flops
    matrix = {"bf16": 1024.0 * ghz} if cpu.family.startswith(AMX) else {}
    bandwidth = BANDWIDTH_GB_S.get(family.segment, 20.0)
    if family.segment == "server" and cpu.family.startswith(NEW_SERVERS):
        bandwidth = NEW_SERVER_GB_S
    idle_w = family.uncore_w + family.idle_w_per_core * cpu.cores
    full_w = max(family.full_of_tdp * cpu.tdp_w, idle_w + 1.0)
    share = min(1.0, ONE_CORE_GB_S / bandwidth)
    return CpuFacts(cycle * ghz, matrix, bandwidth, share, idle_w, full_w)
