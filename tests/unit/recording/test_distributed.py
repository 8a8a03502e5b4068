import os

import pytest

from joulecast.recording.distributed import detect_job


def test_a_plain_process_records_itself():
    job = detect_job({})
    assert (job.group, job.records, job.tree_root()) == (None, True, os.getpid())


def test_torchrun_one_process_per_node_and_a_common_group():
    env = {"TORCHELASTIC_RUN_ID": "job7", "LOCAL_WORLD_SIZE": "4", "WORLD_SIZE": "8"}
    first, second = (detect_job(env | {"LOCAL_RANK": r, "RANK": r}) for r in ("0", "1"))
    assert (first.records, second.records) == (True, False)
    assert first.group == second.group == "torchrun-job7"
    assert first.tree_root() == os.getppid(), "all ranks are children of torchrun's agent"


def test_torchrun_without_an_id_is_identified_by_its_rendezvous():
    env = {"TORCHELASTIC_RUN_ID": "none", "MASTER_ADDR": "node1", "MASTER_PORT": "29500"}
    assert detect_job(env | {"LOCAL_RANK": "0"}).group == "torchrun-node1:29500"


@pytest.mark.parametrize(
    ("tasks", "siblings"), [("4(x2),3", True), ("1(x4)", False), ("8", True), ("garbage", False)]
)
def test_slurm(tasks, siblings):
    env = {"SLURM_JOB_ID": "42", "SLURM_PROCID": "5", "SLURM_LOCALID": "1"}
    job = detect_job(env | {"SLURM_STEP_TASKS_PER_NODE": tasks})
    assert (job.group, job.records, job.has_siblings) == ("slurm-42", False, siblings)


def test_an_allocation_without_a_step_is_a_plain_process():
    """`salloc` sets the job's id in the shell; what is started there is no task of a step."""
    job = detect_job({"SLURM_JOB_ID": "42"})
    assert job.records
    assert job.group is None


def test_open_mpi():
    env = {"OMPI_COMM_WORLD_SIZE": "8", "OMPI_COMM_WORLD_LOCAL_RANK": "3"}
    assert not detect_job(env).records


def test_a_rank_that_is_no_number_does_not_stop_the_training():
    assert detect_job({"LOCAL_RANK": "?"}).records
