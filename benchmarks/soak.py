"""A thousand runs under load, with kills and faulty meters: what is lost, and what is believed.

Each run is a command that prints its epochs, on a machine whose cores are busy. At a random time
its recorder, the relay of its output or the command itself is killed, or its GPU (a driver library
that speaks NVML) loses its counter, freezes, or reports nonsense. Afterwards the ledger, the
command's output and its exit code are compared with what happened.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
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

RUNS, QUICK = 1000, 12
POWER_W = 250.0
# What can be killed, and what can happen to the GPU.
VICTIMS = ("recorder", "relay", "command")
FAULTS: dict[str, dict[str, object]] = {
    "gpu lost": {"error": 15},
    "unknown error": {"error": 999},
    "counter frozen": {"live_since": None, "energy_mj": 5_000_000},
    "counter reset": {"energy_mj": 0},
    "power not a number": {"power_mw": 4_294_967_295},
    "questions not supported": {"utilization_error": 3, "temperature_error": 3},
}
EVENTS = (*VICTIMS * 3, *FAULTS, "nothing")
# Marks its start, prints its epochs, and marks its end. 0.2 s an epoch.
COMMAND = """
cut -d ' ' -f 1 /proc/uptime > "$0.began"
i=1; while [ $i -le $1 ]; do echo "epoch $i/$1"; sleep 0.2; i=$((i + 1)); done
touch "$0.ended"; exit 5
"""
# Promised: one second, and the time to write it on a busy machine.
PROMISED_S = 1.5


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
        chance = random.Random(self._seed * 1_000_003 + number)
        event = EVENTS[number % len(EVENTS)]
        epochs = chance.randrange(3, 20)
        mark = self._folder / f"run{number}"
        gpu = FakeNvml(self._library, mark.with_suffix(".nvml"))
        alive = {"power_mw": POWER_W * 1000, "live_since": time.monotonic()}
        gpu.write_state(A100 | alive)
        process = subprocess.Popen(
            [
                *(joulecast_command(), "run", "--name", mark.name, "--epochs", str(epochs)),
                *("--", "sh", "-c", COMMAND, str(mark), str(epochs)),
            ],
            env=os.environ | gpu.env | self._env(),
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
        self._happen(event, process, gpu)
        output, errors = process.communicate(timeout=120)
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

    def _happen(self, event: str, process: subprocess.Popen[str], gpu: FakeNvml) -> None:
        if event in FAULTS:
            gpu.update(0, **FAULTS[event])
        victims = {"recorder": [process.pid], **_children(process.pid)}.get(event, [])
        for pid in victims:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _await_end(self, mark: Path, began: bool, event: str) -> None:
        """The command of a killed recorder goes on alone."""
        deadline = time.monotonic() + 30
        while began and event == "recorder" and time.monotonic() < deadline:
            if mark.with_suffix(".ended").exists():
                return
            time.sleep(0.1)


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
    lost_s = [_lost_s(o, stored[o.name]) for o in killed if o.name in stored]
    kept = [o for o in began if o.event not in ("recorder", "command")]
    cut = [
        o
        for o in kept
        if o.output != "".join(f"epoch {i}/{o.epochs}\n" for i in range(1, o.epochs + 1))
    ]
    ended = [o for o in began if o.exit_code == 5]
    unfinished = [
        o for o in ended if o.name in stored and stored[o.name].status is not Status.FAILED
    ]
    faulty = [o for o in ended if o.event in FAULTS and o.name in stored]
    return [
        Figure("runs whose command began", len(began), ""),
        none("of them not in the ledger", [o for o in began if o.name not in stored]),
        Figure("recorders killed", len(killed), ""),
        figure("  lost at the end, median and range", lost_s or [0.0], "s"),
        Figure("  that lost more than promised", sum(s > PROMISED_S for s in lost_s), "", below=1),
        none("  without a sample", [o for o in killed if not _samples(stored.get(o.name))]),
        none("  whose command did not go on", [o for o in killed if not o.ended]),
        Figure("relays killed", sum(o.event == "relay" for o in began), ""),
        none("commands that did not end by themselves", [o for o in kept if o.exit_code != 5]),
        none("commands whose output was cut", cut),
        none("runs that ended and are not shown so", unfinished),
        none(
            "faulty meters whose energy was believed",
            [o for o in faulty if not _credible(stored[o.name])],
        ),
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


def _samples(recording: Recording | None) -> int:
    return 0 if recording is None else sum(map(len, recording.samples.values()))


def _lost_s(outcome: Outcome, recording: Recording) -> float:
    """From the last stored reading to the kill, within the life of the command."""
    lost_s = outcome.event_at - recording.header.started_at - recording.duration_s
    return max(0.0, min(lost_s, outcome.lived_s or 0.0))


def _credible(recording: Recording) -> bool:
    """Whether the GPU's energy is unknown, or no more than it drew."""
    drawn_j = POWER_W * recording.duration_s
    energies = [d.energy for d in summarize(recording).domains if d.source.domain == "gpu:0"]
    return all(e is None or e.value <= 1.2 * drawn_j + POWER_W for e in energies)


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
