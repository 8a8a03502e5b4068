"""Which process of a distributed job records: one per node, and all nodes' runs share a group."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

# A process's number on its node, by launcher (torchrun, Lightning, accelerate; SLURM; MPIs).
_LOCAL_RANK = (
    "LOCAL_RANK",
    "SLURM_LOCALID",
    "OMPI_COMM_WORLD_LOCAL_RANK",
    "MV2_COMM_WORLD_LOCAL_RANK",
    "MPI_LOCALRANKID",
)


@dataclass(frozen=True, slots=True)
class Job:
    """This process's place in its job."""

    group: str | None  # the same for all nodes of one job; None outside of a job
    local_rank: int
    launcher: str | None  # for people: "torchrun", "slurm"
    has_siblings: bool  # other ranks run on this node beside this process, not below it

    @property
    def records(self) -> bool:
        """Whether this is the process of its node that records."""
        return self.local_rank == 0

    def tree_root(self) -> int:
        """The process whose tree holds the whole job on this node.

        The ranks of a node are children of their launcher's agent, so the process tree to be
        charged is that of the parent.
        """
        return os.getppid() if self.has_siblings else os.getpid()


def detect_job(env: Mapping[str, str]) -> Job:
    """This process's place, from the variables its launcher set. Never raises."""
    local_rank = next((_integer(env[name]) for name in _LOCAL_RANK if name in env), 0)
    torchrun = "TORCHELASTIC_RUN_ID" in env
    if "SLURM_JOB_ID" in env and (torchrun or "SLURM_PROCID" in env):
        group: str | None = f"slurm-{env['SLURM_JOB_ID']}"
        launcher: str | None = "torchrun under slurm" if torchrun else "slurm"
    elif torchrun:
        run_id = env["TORCHELASTIC_RUN_ID"]
        if run_id in ("", "none"):  # torchrun's default names nothing: the meeting point does
            run_id = f"{env.get('MASTER_ADDR', 'localhost')}:{env.get('MASTER_PORT', '0')}"
        group, launcher = f"torchrun-{run_id}", "torchrun"
    elif "OMPI_COMM_WORLD_SIZE" in env:
        group, launcher = f"mpi-{env.get('PMIX_NAMESPACE', env['OMPI_COMM_WORLD_SIZE'])}", "mpi"
    else:
        group, launcher = None, None
    return Job(group, local_rank, launcher, _siblings(env, torchrun))


def _siblings(env: Mapping[str, str], torchrun: bool) -> bool:
    sizes = ["LOCAL_WORLD_SIZE"] if torchrun else []
    sizes += ["SLURM_STEP_TASKS_PER_NODE", "OMPI_COMM_WORLD_LOCAL_SIZE"]
    # SLURM writes "4(x2),3": four tasks on each of two nodes.
    found = (env[name].split("(")[0].split(",")[0] for name in sizes if name in env)
    return any(_integer(size) > 1 for size in found)


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return 0
