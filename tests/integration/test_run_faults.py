"""`joulecast run` while things fail: the training goes on, and what was recorded is kept."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fakes.nvml import A100

PYTHON = sys.executable
JOULECAST = [PYTHON, "-m", "joulecast"]
# The soak (`benchmarks/soak.py`) starts hundreds.
MANY = 20


def joulecast(*arguments, env=None, cwd=None):
    return subprocess.run(
        [*JOULECAST, *arguments],
        env=env or os.environ,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
    )


def listed(ledger):
    done = joulecast("runs", "--json", "--ledger", str(ledger))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["runs"]


def corrupt(folder):
    (folder / "ledger.sqlite").write_bytes(b"this was a ledger once " * 100)
    return folder / "ledger.sqlite"


def in_no_folder(folder):
    (folder / "file").touch()
    return folder / "file" / "ledger.sqlite"


def nobody_listens(folder):
    return "postgresql://joule:secret@127.0.0.1:1/energy"


@pytest.mark.parametrize("broken", [corrupt, in_no_folder, nobody_listens])
def test_a_ledger_that_cannot_be_opened(tmp_path, broken):
    ledger = broken(tmp_path)
    before = Path(ledger).read_bytes() if broken is corrupt else None
    done = joulecast(
        "run", "--ledger", str(ledger), "--", "sh", "-c", "echo out; sleep 1; exit 7", cwd=tmp_path
    )
    assert done.returncode == 7
    assert done.stdout == "out\n"
    assert done.stderr.count("joulecast import") == 1
    assert "secret" not in done.stderr
    (rescued,) = tmp_path.rglob("joulecast-rescue-*.sqlite")
    assert rescued.stat().st_mode & 0o077 == 0
    (run,) = listed(rescued)
    assert (run["status"], run["exit_code"]) == ("failed", 7)
    assert run["duration_s"] >= 1
    if before is not None:
        assert Path(ledger).read_bytes() == before, "a damaged ledger is left as it is"
    moved = joulecast("import", str(rescued), "--ledger", str(tmp_path / "good.sqlite"))
    assert moved.returncode == 0, moved.stderr
    (again,) = listed(tmp_path / "good.sqlite")
    assert again == run


def test_a_ledger_that_is_read_only(tmp_path):
    """Root may write anything but an immutable file system: a read-only bind mount is one."""
    ledger = tmp_path / "data" / "ledger.sqlite"
    assert joulecast("run", "-q", "--ledger", str(ledger), "--", "true").returncode == 0
    with mounted(tmp_path / "data", tmp_path / "data", None, _MS_BIND, "") as folder:
        remount(folder, _MS_BIND | _MS_REMOUNT | _MS_RDONLY)
        done = joulecast(
            "run", "--ledger", str(ledger), "--", "sh", "-c", "sleep 1; exit 7", cwd=tmp_path
        )
    assert done.returncode == 7
    assert done.stderr.count("joulecast import") == 1
    (rescued,) = tmp_path.glob("joulecast-rescue-*.sqlite")
    assert [r["exit_code"] for r in listed(rescued)] == [7]


def test_a_disk_that_fills_during_the_run(tmp_path):
    disk, filler = tmp_path / "disk", tmp_path / "disk" / "filler"
    disk.mkdir()
    with mounted("tmpfs", disk, "tmpfs", 0, "size=2m"):
        ledger = disk / "ledger.sqlite"
        process = subprocess.Popen(
            [*JOULECAST, "run", "--ledger", str(ledger), "--", "sh", "-c", "sleep 7; exit 7"],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(3)
        with pytest.raises(OSError), filler.open("wb") as file:
            while True:
                file.write(b"x" * 4096)
                file.flush()
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 7
        assert stderr.count("joulecast import") == 1, stderr
        assert str(ledger) in stderr
        (rescued,) = tmp_path.glob("joulecast-rescue-*.sqlite")
        (run,) = listed(rescued)
        assert run["duration_s"] > 7, "what came before the disk was full is there too"
        shown = joulecast("show", "last", "--json", "--ledger", str(rescued))
        assert json.loads(shown.stdout)["energy"]["domains"][0]["measured_s"] > 7
        filler.unlink()
        # The list completes the run where it finds the file.
        assert [r["status"] for r in listed(ledger)] == ["interrupted"]
        again = joulecast("runs", "--json", "--ledger", str(ledger), cwd=tmp_path)
        assert "failed" in again.stdout, again.stderr
        assert not rescued.exists()
        assert [(r["status"], r["exit_code"]) for r in listed(ledger)] == [("failed", 7)]


def test_no_place_to_write_at_all(tmp_path):
    """The figures are still printed and written to the file of --json-file."""
    disk = tmp_path / "disk"
    disk.mkdir()
    env = os.environ | {"TMPDIR": str(disk)}
    figures = tmp_path / "figures.json"
    with mounted("tmpfs", disk, "tmpfs", 0, "size=100k"):
        (disk / "cwd").mkdir()
        with pytest.raises(OSError), (disk / "filler").open("wb") as file:
            while True:
                file.write(b"x" * 1024)
                file.flush()
        # Leaves space for the join file, not for a ledger.
        (disk / "filler").open("r+b").truncate(40_000)
        done = joulecast(
            *("run", "--ledger", str(disk / "ledger.sqlite"), "--json-file", str(figures)),
            *("--", "sh", "-c", "sleep 1.5; exit 7"),
            env=env,
            cwd=disk / "cwd",
        )
    assert done.returncode == 7
    assert "not stored" in done.stderr
    assert json.loads(figures.read_text())["duration_s"] > 1.5


def test_many_runs_at_once_into_one_new_ledger(tmp_path, where):
    ledger = where
    processes = [
        subprocess.Popen(
            [*JOULECAST, "run", "--name", f"run {i}", "--ledger", ledger, "--", "sleep", "3"],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(MANY)
    ]
    messages = [process.communicate(timeout=150)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * MANY
    assert not [text for text in messages if "rescue" in text or "memory" in text]
    runs = listed(ledger)
    assert sorted(r["name"] for r in runs) == sorted(f"run {i}" for i in range(MANY))
    assert {r["status"] for r in runs} == {"finished"}
    assert all(r["energy"] is not None for r in runs)


class TestGpus:
    """A real `joulecast run` against the real nvidia-ml-py, which loads a library of our own."""

    def start(self, fake_nvml, tmp_path, seconds, **env):
        return subprocess.Popen(
            [
                *(*JOULECAST, "run", "--json-file", str(tmp_path / "figures.json")),
                *("--ledger", str(tmp_path / "ledger.sqlite"), "--", "sleep", str(seconds)),
            ],
            env=os.environ | fake_nvml.env | env,
            stderr=subprocess.PIPE,
            text=True,
        )

    def figures(self, process, tmp_path):
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 0, stderr
        figures = json.loads((tmp_path / "figures.json").read_text())
        domains = figures["energy"]["domains"]
        return figures, {d["domain"]: d for d in domains if d["domain"].startswith("gpu")}

    def cards(self, fake_nvml):
        since = time.clock_gettime(time.CLOCK_MONOTONIC)
        live = dict(A100) | {"live_since": since}
        second = live | {"uuid": "GPU-bbbbbbbb-2222", "power_mw": 100_000}
        third = dict(A100) | {"uuid": "GPU-cccccccc-3333", "name": "Tesla K80"}
        third |= {"energy_mj": None, "power_mw": 60_000, "capability": "3.7"}
        fake_nvml.write_state(live, second, third)

    def test_known_watts_give_known_joules(self, fake_nvml, tmp_path):
        self.cards(fake_nvml)
        figures, gpus = self.figures(self.start(fake_nvml, tmp_path, 2), tmp_path)
        seconds = figures["duration_s"]
        truth = {"gpu:0": 250 * seconds, "gpu:1": 100 * seconds, "gpu:2": 60 * seconds}
        for domain, joules in truth.items():
            assert gpus[domain]["energy"]["value"] == pytest.approx(joules, rel=0.02)
            assert gpus[domain]["energy"]["provenance"] == "measured"
        assert "integrated" in gpus["gpu:2"]["source"]
        assert "integrated" not in gpus["gpu:0"]["source"]
        assert figures["environment"]["gpus"][0]["name"] == A100["name"]

    def test_a_gpu_lost_in_mid_run(self, fake_nvml, tmp_path):
        self.cards(fake_nvml)
        process = self.start(fake_nvml, tmp_path, 6)
        time.sleep(4)
        fake_nvml.update(0, error=15)  # NVML_ERROR_GPU_IS_LOST
        figures, gpus = self.figures(process, tmp_path)
        assert 0 < gpus["gpu:0"]["measured_s"] < figures["duration_s"] - 1
        assert gpus["gpu:1"]["energy"]["value"] == pytest.approx(
            100 * figures["duration_s"], rel=0.02
        )
        assert any("gpu:0" in w and "not measured" in w for w in figures["warnings"])

    @pytest.mark.parametrize(
        ("visible", "domains"),
        [("1", {"gpu:1"}), ("GPU-cccc,GPU-aaaa", {"gpu:0", "gpu:2"}), ("", set())],
    )
    def test_only_visible_gpus_count(self, fake_nvml, tmp_path, visible, domains):
        self.cards(fake_nvml)
        process = self.start(fake_nvml, tmp_path, 1, CUDA_VISIBLE_DEVICES=visible)
        _, gpus = self.figures(process, tmp_path)
        assert set(gpus) == domains


_MS_RDONLY, _MS_REMOUNT, _MS_BIND = 1, 32, 4096
_libc = ctypes.CDLL(None, use_errno=True)


def remount(folder, flags):
    if _libc.mount(b"none", str(folder).encode(), None, flags, None) != 0:
        pytest.skip(f"mounting is not permitted here: {os.strerror(ctypes.get_errno())}")


class mounted:
    """A file system for the length of a block; skips the test where mounting is not permitted."""

    def __init__(self, source, folder, kind, flags, options):
        self.folder = folder
        kind = kind.encode() if kind else None
        if _libc.mount(str(source).encode(), str(folder).encode(), kind, flags, options.encode()):
            why = os.strerror(ctypes.get_errno())
            pytest.skip(f"mounting is not permitted here: {why}")

    def __enter__(self):
        return self.folder

    def __exit__(self, *_):
        _libc.umount2(str(self.folder).encode(), 2)
