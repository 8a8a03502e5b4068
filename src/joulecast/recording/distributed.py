"""Which process of a distributed job records: one per node; their runs share a group."""

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
    """The place of this process in its job.

    Attributes:
        group: the same for all nodes of one job; None outside of a job.
        local_rank: number of this process on its node.
        launcher: for people: "torchrun", "slurm".
        has_siblings: whether other ranks run on this node, not below this process.
    """

    group: str | None
    local_rank: int
    launcher: str | None
    has_siblings: bool

    @property
    def records(self) -> bool:
        """Whether this is the process of its node that records."""
        return self.local_rank == 0

    def tree_root(self) -> int:
        """The process whose tree contains the whole job on this node.

        The ranks of a node are children of their launcher's agent, so that this is the parent.
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
        # Torchrun's default id is the same for all jobs, the master's address is not.
        if run_id in ("", "none"):
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
    first = (env[name].split("(")[0].split(",")[0] for name in sizes if name in env)
    return any(_integer(size) > 1 for size in first)


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return 0
