"""A thousand runs under load, with kills and faulty meters: what is lost, and what is believed.

Each run is a command that prints its epochs, on a machine whose cores are busy. At a random time
its recorder, the relay of its output or the command itself is killed, or one of its meters loses
its counter, freezes, or reports nonsense: the GPU (a driver library that speaks NVML), RAPL (a
powercap tree on disk, in every second run), or the CPU times behind the CPU model and the share of
RAPL. Afterwards the ledger, the command's output and its exit code are compared with what happened.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness import ROOT, Figure, figure, joulecast_command, log, report
from joulecast.ledger import open_ledger
from joulecast.recording.model import Recording, Status
from joulecast.recording.summary import summarize

sys.path.insert(0, str(ROOT / "tests"))
from fakes.nvml import A100, FakeNvml, build
from fakes.powercap import RANGE_UJ, Powercap

RUNS = 1000
GPU_W, PACKAGE_W, DRAM_W = 250.0, 60.0, 8.0
COUNTED_MJ = 1_000_000
# What no processor or memory here can draw.
MODELLED_W = 1000.0
PACKAGE, DRAM = "intel-rapl:0", "intel-rapl:0:0"
# What can be killed, and what can happen to the GPU, to RAPL, and to the kernel's CPU times.
VICTIMS = ("recorder", "relay", "command")
GPU_FAULTS: dict[str, dict[str, object]] = {
    "gpu lost": {"error": 15},
    "unknown error": {"error": 999},
    "counter frozen": {"live_since": None},
    "counter reset": {"energy_mj": 0},
    "power not a number": {"power_mw": 4_294_967_295},
    "questions not supported": {"utilization_error": 3, "temperature_error": 3},
}
RAPL_FAULTS: dict[str, Callable[[Powercap], None]] = {
    "RAPL counter lost": lambda cap: cap.lose(PACKAGE),
    "RAPL memory lost": lambda cap: cap.lose(DRAM),
    "RAPL module unloaded": lambda cap: cap.remove(PACKAGE),
    "RAPL counter frozen": lambda cap: (cap.root / "frozen").touch(),
    "RAPL counter reset": lambda cap: cap.set(PACKAGE, 0),
    "RAPL counter beyond its range": lambda cap: cap.set(PACKAGE, 2**63),
    "RAPL counter not a number": lambda cap: _write(cap.root / PACKAGE / "energy_uj", "none"),
    "RAPL counter empty": lambda cap: _write(cap.root / PACKAGE / "energy_uj", ""),
}
CPU_FAULTS = {
    "CPU times empty": "",
    "CPU times not numbers": "cpu  a b c d e f g h",
    "CPU times reset": "cpu  0 0 0 0 0 0 0 0",
    "CPU times frozen": "cpu  200 0 100 90000000 0 0 0 0",
    "CPU times beyond 64 bits": f"cpu  {2**70} 0 0 1 0 0 0 0",
    "CPU times below zero": "cpu  -5 0 0 -90000000 0 0 0 0",
}
FAULTS = (*GPU_FAULTS, *RAPL_FAULTS, *CPU_FAULTS)
EVENTS = (*VICTIMS * 6, *FAULTS, "nothing")
# Each of them once.
QUICK = len(EVENTS)
# The command line, with RAPL and the kernel's CPU times from files. They are replaced once the
# relay is forked, because their modules start threads.
JOULECAST = """
import os, sys
from pathlib import Path
from joulecast import cli
from joulecast.cli import run
start = run._start
def start_with_files(*args):
    from joulecast.meters import cpu_time, discovery, rapl
    read, times = cpu_time.machine_times, Path(os.environ["SOAK_CPU_TIMES"])
    cpu_time.machine_times = lambda stat: read(times if times.exists() else stat)
    root = Path(os.environ["SOAK_POWERCAP"])
    discovery.find_rapl = lambda clock, _, cpu, is_vm: rapl.find_rapl(clock, root, cpu, is_vm)
    return start(*args)
run._start = start_with_files
cli.main()
"""
# Marks its start, prints its epochs, and marks its end. 0.2 s an epoch.
COMMAND = """
cut -d ' ' -f 1 /proc/uptime > "$0.began"
i=1; while [ $i -le $1 ]; do echo "epoch $i/$1"; sleep 0.2; i=$((i + 1)); done
touch "$0.ended"; exit 5
"""
# A run that takes longer hangs.
PATIENCE_S = 300.0
# What a killed recorder may lose.
PROMISED_S = 1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run, as it was seen from outside.

    `lived_s` is how long its command had lived when the event came, None where it had not begun.
    """

    name: str
    event: str
    epochs: int
    lived_s: float | None
    event_at: float
    exit_code: int
    output: str
    errors: str
    ended: bool


class Machine:
    """A GPU, RAPL where it is given, and CPU times, for one run; a context manager.

    The counters rise while it is open.
    """

    def __init__(self, library: Path, mark: Path, has_rapl: bool) -> None:
        self._gpu = FakeNvml(library, mark.with_suffix(".nvml"))
        self._live_since = time.monotonic()
        alive = {"power_mw": GPU_W * 1000, "live_since": self._live_since}
        self._gpu.write_state(A100 | alive | {"energy_mj": COUNTED_MJ})
        self._cap = Powercap(mark.with_suffix(".powercap"))
        if has_rapl:
            # The first wraps soon.
            self._cap.zone(PACKAGE, "package-0", RANGE_UJ - 60_000_000)
            self._cap.zone(DRAM, "dram")
        self._cpu_times = mark.with_suffix(".stat")
        self.env = self._gpu.env | {
            "SOAK_POWERCAP": str(self._cap.root),
            "SOAK_CPU_TIMES": str(self._cpu_times),
        }
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._drawing = threading.Thread(target=self._draw)

    def __enter__(self) -> Machine:
        self._drawing.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._drawing.join()

    def suffer(self, event: str) -> None:
        """Let the fault of that name happen, if it is one."""
        if event in GPU_FAULTS:
            # What it has counted so far stays.
            now_s = time.monotonic()
            counted_mj = COUNTED_MJ + round(1000 * GPU_W * (now_s - self._live_since))
            so_far = {"energy_mj": counted_mj, "live_since": now_s}
            self._gpu.update(0, **so_far | GPU_FAULTS[event])
        if event in RAPL_FAULTS:
            with self._lock:
                RAPL_FAULTS[event](self._cap)
        if event in CPU_FAULTS:
            _write(self._cpu_times, CPU_FAULTS[event])

    def _draw(self) -> None:
        last_s = time.monotonic()
        while not self._ended.wait(0.03) and not (self._cap.root / "frozen").exists():
            now_s = time.monotonic()
            for zone, watts in ((PACKAGE, PACKAGE_W), (DRAM, DRAM_W)):
                # There is none, or it suffers.
                with self._lock, suppress(OSError, ValueError):
                    self._cap.advance(zone, watts * (now_s - last_s))
            last_s = now_s


def _write(path: Path, text: str) -> None:
    """In one step, as the kernel does: a reader sees the old text or the new one."""
    new = path.with_suffix(".new")
    new.write_text(text + "\n")
    new.replace(path)


class Soak:
    """Runs in one folder, which record into one ledger."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder, self._seed = folder, seed
        self._library = build(folder)
        self.ledger = folder / "ledger.sqlite"
        self.temporary = folder / "temporary"
        self.temporary.mkdir()

    def run(self, number: int) -> Outcome:
        """One run, to the end of its command."""
        event = EVENTS[number % len(EVENTS)]
        mark = self._folder / f"run{number}"
        with Machine(self._library, mark, number % 2 == 1 or event in RAPL_FAULTS) as machine:
            return self._follow(number, event, mark, machine)

    def _follow(self, number: int, event: str, mark: Path, machine: Machine) -> Outcome:
        chance = random.Random(self._seed * 1_000_003 + number)
        epochs = chance.randrange(3, 20)
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", JOULECAST, "run", "--name", mark.name),
                *("--epochs", str(epochs), "--", "sh", "-c", COMMAND, str(mark), str(epochs)),
            ],
            env=os.environ | machine.env | self._env(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        began = mark.with_suffix(".began")
        # One event in five comes at any time from the start on, the others to a living command.
        soon = number % 5 == 0
        deadline = time.monotonic() + 60
        while not (soon or began.exists() or time.monotonic() > deadline):
            time.sleep(0.02)
        time.sleep(chance.uniform(0.3, 2.0) if soon else chance.uniform(0.0, 0.2 * epochs))
        uptime = time.clock_gettime(time.CLOCK_BOOTTIME)
        text = began.read_text() if began.exists() else ""
        event_at = time.time()
        machine.suffer(event)
        _kill(event, process.pid)
        try:
            output, errors = process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            output, errors = process.communicate()
        self._await_end(mark, bool(text), event)
        return Outcome(
            mark.name,
            event,
            epochs,
            uptime - float(text) if text else None,
            event_at,
            process.returncode,
            output,
            errors,
            mark.with_suffix(".ended").exists(),
        )

    def tidy(self) -> int:
        """Folders of killed recorders that remain after one more run, an hour later."""
        for folder in self.temporary.iterdir():
            os.utime(folder, (0, 0))
        command = [joulecast_command(), "run", "-q", "--", "true"]
        subprocess.run(command, env=os.environ | self._env(), check=True)
        return len(list(self.temporary.iterdir()))

    def _env(self) -> dict[str, str]:
        return {"JOULECAST_LEDGER": str(self.ledger), "TMPDIR": str(self.temporary)}

    def _await_end(self, mark: Path, began: bool, event: str) -> None:
        """The command of a killed recorder goes on alone."""
        deadline = time.monotonic() + 30
        while began and event == "recorder" and time.monotonic() < deadline:
            if mark.with_suffix(".ended").exists():
                return
            time.sleep(0.1)


def _kill(victim: str, recorder: int) -> None:
    for pid in {"recorder": [recorder], **_children(recorder)}.get(victim, []):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _children(recorder: int) -> dict[str, list[int]]:
    """The relay, which has a process group of its own, and the command."""
    parts: dict[str, list[int]] = {"relay": [], "command": []}
    with suppress(OSError):
        for text in Path(f"/proc/{recorder}/task/{recorder}/children").read_text().split():
            pid = int(text)
            with suppress(OSError):
                parts["relay" if os.getpgid(pid) == pid else "command"].append(pid)
    return parts


def figures(outcomes: Iterable[Outcome], soak: Soak) -> list[Figure]:
    """What was lost, and what was believed."""
    began = [o for o in outcomes if o.lived_s is not None]
    with open_ledger(soak.ledger) as ledger:
        listed = {run.name for run in ledger.runs()}
        stored = {o.name: ledger.load(o.name) for o in began if o.name in listed}
    killed = [o for o in began if o.event == "recorder" and o.exit_code == -signal.SIGKILL]
    killed = [o for o in killed if o.name in stored]
    lost_s = [_lost_s(o, stored[o.name]) for o in killed]
    kept = [o for o in began if o.event not in ("recorder", "command")]
    cut = [o for o in kept if _lost_lines(o)]
    by_relay = sum(_lost_lines(o) for o in cut if o.event == "relay")
    ended = [o for o in began if o.exit_code == 5]
    unfinished = [
        o for o in ended if o.name in stored and stored[o.name].status is not Status.FAILED
    ]
    measured = [o for o in ended if o.name in stored]
    sound = [o for o in measured if o.event not in GPU_FAULTS]
    for outcome in (*unfinished, *cut):
        log(f"{outcome.name} ({outcome.event}): {outcome.output!r} {outcome.errors}")
    return [
        Figure("runs whose command began", len(began), ""),
        none("of them not in the ledger", [o for o in began if o.name not in stored]),
        Figure("recorders killed", len(killed), ""),
        figure("  lost at the end, median and range", lost_s or [0.0], "s"),
        _late(killed, lost_s),
        none("  without a sample", [o for o in killed if not _samples(stored[o.name])]),
        none("  whose command did not go on", [o for o in killed if not o.ended]),
        Figure("relays killed", sum(o.event == "relay" for o in began), ""),
        none("commands that did not end by themselves", [o for o in kept if o.exit_code != 5]),
        none("commands whose output was cut", [o for o in cut if o.event != "relay"]),
        Figure("lines that a killed relay had read and not yet written", by_relay, ""),
        none("runs that ended and are not shown so", unfinished),
        Figure("faults of meters", sum(o.event in FAULTS for o in measured), ""),
        none("energies that cannot be", [o for o in measured if not _credible(stored[o.name])]),
        none("energies of a sound GPU lacking", [o for o in sound if _lacks(stored[o.name])]),
        none("tracebacks", [o for o in began if "Traceback" in o.errors]),
        none("rescue files", list(soak.ledger.parent.glob("*rescue*"))),
        Figure("temporary folders left", soak.tidy(), "", below=1),
    ]


def none(name: str, cases: Sequence[Outcome | Path]) -> Figure:
    """A number that must be 0, with the first cases."""
    names = [getattr(case, "name", str(case)) for case in cases[:5]]
    events = {getattr(case, "event", "") for case in cases}
    note = f"{', '.join(names)} ({', '.join(sorted(events))})" if cases else ""
    return Figure(name, len(cases), "", below=1, note=note)


def _late(killed: Sequence[Outcome], lost_s: Sequence[float]) -> Figure:
    """How many lost more than promised, and how long they had run."""
    late = [(o, s) for o, s in zip(killed, lost_s, strict=True) if s > PROMISED_S]
    note = ", ".join(f"{o.name} {s:.2f} s after {o.lived_s or 0.0:.1f} s" for o, s in late[:5])
    return Figure("  that lost more than promised", len(late), "", below=1, note=note)


def _lost_lines(outcome: Outcome) -> int:
    """How many lines of the command's output are missing, changed, or added."""
    printed = {f"epoch {i}/{outcome.epochs}" for i in range(1, outcome.epochs + 1)}
    lines = outcome.output.splitlines()
    return len(printed.symmetric_difference(lines)) + len(lines) - len(set(lines))


def _samples(recording: Recording) -> int:
    return sum(map(len, recording.samples.values()))


def _lost_s(outcome: Outcome, recording: Recording) -> float:
    """From the last stored reading to the kill, within the life of the command."""
    lost_s = outcome.event_at - recording.header.started_at - recording.duration_s
    return max(0.0, min(lost_s, outcome.lived_s or 0.0))


def _credible(recording: Recording) -> bool:
    """Whether each energy is unknown, or no more than its domain can have drawn."""
    for domain in summarize(recording).domains:
        by_rapl = {"cpu:0": PACKAGE_W, "dram:0": DRAM_W} if "RAPL" in domain.source.source else {}
        watts = ({"gpu:0": GPU_W} | by_rapl).get(domain.source.domain, MODELLED_W)
        # Counters of the benchmark itself are late on a busy machine.
        most_j = watts * (1.2 * recording.duration_s + 1)
        energy = domain.energy
        if energy is not None and not 0 <= energy.low <= energy.value <= min(energy.high, most_j):
            return False
    return True


def _lacks(recording: Recording) -> bool:
    """Whether the GPU's energy is less than it drew."""
    (energy,) = [d.energy for d in summarize(recording).domains if d.source.domain == "gpu:0"]
    least_j = GPU_W * (0.9 * recording.duration_s - 0.2)
    return energy is None or energy.value < least_j


def main() -> None:
    """The command line: `--runs`, `--seed`, `--at-once`, `--quick`, `--json FILE`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help="number of runs")
    parser.add_argument("--seed", type=int, default=0, help="of the times of the events")
    parser.add_argument("--at-once", type=int, default=3, help="runs at the same time")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} runs: to see that it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")
    args = parser.parse_args()
    runs = QUICK if args.quick else args.runs
    busy = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"])
        for _ in range(os.cpu_count() or 1)
    ]
    try:
        with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(args.at_once) as pool:
            soak = Soak(Path(name), args.seed)
            outcomes = []
            for outcome in pool.map(soak.run, range(runs)):
                outcomes.append(outcome)
                log(f"  {len(outcomes)}/{runs}: {outcome.event}, exit code {outcome.exit_code}")
            result = figures(outcomes, soak)
    finally:
        for process in busy:
            process.kill()
    report("soak", result, args.quick, args.json)


if __name__ == "__main__":
    main()
