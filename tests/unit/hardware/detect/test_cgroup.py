"""Limits of control groups, v1 and v2, at any level of the path."""

import pytest

from fakes.machines import CGROUP2_MOUNT, cgroup1_mounts, write
from joulecast.hardware.detect.cgroup import Limits, detect_limits
from joulecast.hardware.detect.files import Tree

V1_NONE = "9223372036854771712\n"
GIB = 1 << 30


def limits(root, *parts):
    notes = []
    return detect_limits(Tree(write(root, *parts)), notes)


def v2(path, mount=CGROUP2_MOUNT):
    return {"proc/self/cgroup": f"0::{path}\n", "proc/self/mountinfo": mount}


def test_docker_v2_with_a_namespace_of_its_own(tmp_path):
    allowed = limits(
        tmp_path,
        v2("/"),
        {
            "sys/fs/cgroup/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/memory.max": f"{2 * GIB}\n",
        },
    )
    assert allowed == Limits(1.5, 2 * GIB)


def test_v2_takes_the_lowest_limit_on_the_way_up(tmp_path):
    pod = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod12.slice"
    group = f"{pod}/cri-containerd-ab34.scope"
    base = "sys/fs/cgroup"
    allowed = limits(
        tmp_path,
        v2(group),
        {
            f"{base}{group}/cpu.max": "max 100000\n",
            f"{base}{group}/memory.max": f"{8 * GIB}\n",
            f"{base}{pod}/cpu.max": "250000 100000\n",
            f"{base}{pod}/memory.max": f"{6 * GIB}\n",
            f"{base}/kubepods.slice/cpu.max": "6300000 100000\n",
            f"{base}/kubepods.slice/memory.max": "max\n",
        },
    )
    assert allowed == Limits(2.5, 6 * GIB)


def test_v2_without_limits(tmp_path):
    files = {"sys/fs/cgroup/a/cpu.max": "max 100000\n", "sys/fs/cgroup/a/memory.max": "max\n"}
    assert limits(tmp_path, v2("/a"), files) == Limits(None, None)


def test_docker_v1_sees_its_own_group_at_the_mount_point(tmp_path):
    path = "/docker/1f2e3d4c"
    allowed = limits(
        tmp_path,
        {
            "proc/self/cgroup": f"12:memory:{path}\n5:cpu,cpuacct:{path}\n1:name=systemd:{path}\n",
            "proc/self/mountinfo": cgroup1_mounts(["cpu,cpuacct", "memory"], root=path),
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{GIB}\n",
        },
    )
    assert allowed == Limits(0.5, GIB)


def test_v1_without_limits_and_a_limit_of_a_group_above(tmp_path):
    path = "/slurm/uid_1000/job_77"
    base = "sys/fs/cgroup"
    allowed = limits(
        tmp_path,
        {
            "proc/self/cgroup": f"4:memory:{path}/step_0\n3:cpu:{path}/step_0\n",
            "proc/self/mountinfo": cgroup1_mounts(["cpu", "memory"]),
            f"{base}/cpu{path}/step_0/cpu.cfs_quota_us": "-1\n",
            f"{base}/cpu{path}/step_0/cpu.cfs_period_us": "100000\n",
            f"{base}/cpu{path}/cpu.cfs_quota_us": "400000\n",
            f"{base}/cpu{path}/cpu.cfs_period_us": "50000\n",
            f"{base}/memory{path}/step_0/memory.limit_in_bytes": V1_NONE,
            f"{base}/memory{path}/memory.limit_in_bytes": f"{16 * GIB}\n",
            f"{base}/memory/memory.limit_in_bytes": V1_NONE,
        },
    )
    assert allowed == Limits(8.0, 16 * GIB)


def test_v1_limit_of_a_group_out_of_sight_comes_from_memory_stat(tmp_path):
    allowed = limits(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/\n",
            "proc/self/mountinfo": cgroup1_mounts(["memory"]),
            "sys/fs/cgroup/memory/memory.limit_in_bytes": V1_NONE,
            "sys/fs/cgroup/memory/memory.stat": f"cache 1\nhierarchical_memory_limit {3 * GIB}\n",
        },
    )
    assert allowed == Limits(None, 3 * GIB)


def test_hybrid_counts_both_hierarchies(tmp_path):
    allowed = limits(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/a\n0::/a\n",
            "proc/self/mountinfo": cgroup1_mounts(["memory"])
            + "60 33 0:60 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
            "sys/fs/cgroup/memory/a/memory.limit_in_bytes": f"{GIB}\n",
            "sys/fs/cgroup/unified/a/cpu.max": "300000 100000\n",
        },
    )
    assert allowed == Limits(3.0, GIB)


@pytest.mark.parametrize("path", ["/../../system.slice/docker-12.scope", "/elsewhere"])
def test_a_path_outside_of_the_mount_means_the_mount_point(tmp_path, path):
    mount = CGROUP2_MOUNT.replace(" / ", " /docker/12 ", 1)
    allowed = limits(tmp_path, v2(path, mount), {"sys/fs/cgroup/cpu.max": "200000 100000\n"})
    assert allowed.cpus == 2.0


def test_without_a_mount_table_the_usual_places_are_read(tmp_path):
    allowed = limits(
        tmp_path,
        {
            "proc/self/cgroup": "0::/job\n",
            "sys/fs/cgroup/cgroup.controllers": "cpu memory\n",
            "sys/fs/cgroup/job/cpu.max": "100000 100000\n",
        },
    )
    assert allowed.cpus == 1.0


@pytest.mark.parametrize("text", ["", "garbage", "1000", "0 100000", "100000 0", "-5 100000"])
def test_odd_cpu_max_is_no_crash_and_no_zero(tmp_path, text):
    allowed = limits(tmp_path, v2("/"), {"sys/fs/cgroup/cpu.max": text})
    assert allowed.cpus is None or allowed.cpus > 0


def test_an_escaped_mount_point(tmp_path):
    mount = CGROUP2_MOUNT.replace("/sys/fs/cgroup", r"/sys/fs/my\040groups")
    allowed = limits(tmp_path, v2("/", mount), {"sys/fs/my groups/memory.max": "4096\n"})
    assert allowed.memory_bytes == 4096


def test_no_control_groups_at_all(tmp_path):
    assert limits(tmp_path) == Limits()
