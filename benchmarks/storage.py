"""What is large: a day of 8 GPUs at 10 Hz on the disk and reported, 100,000 runs, many gaps.

The day is synthetic: its clock, and readings that behave as NVML's energy counter does (whole
millijoules, its own update times, power that wanders with the phases of a training, jitter of the
sampler). It goes through the real ledger, flushed after each second of synthetic time, and is
reported by the real command. The runs are rows of a CSV file, of ten architectures on eight
machines, read and analyzed by the real commands.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from harness import Figure, figure, interleave, joulecast_command, log, run, wall_s
from joulecast.estimate import Provenance
from joulecast.ledger import open_ledger
from joulecast.meters.base import ReadingKind, Source
from joulecast.meters.nvml_power import COUNTER, PERIOD_S
from joulecast.recording.model import (
    Footer,
    Gap,
    Header,
    Metric,
    Recording,
    Samples,
    Span,
    Status,
)
from joulecast.recording.summary import summarize

GPUS, HZ, DAY_S, EPOCH_S = 8, 10, 86_400, 360
ROWS = 100_000
RUN_ID = "0123456789abcdef"


def gpu_day(seed: int, duration_s: int) -> Samples:
    """Readings of one GPU's energy counter, as a meter hands them over."""
    rng = np.random.default_rng(seed)
    n = duration_s * HZ
    # The sampler keeps its schedule; the GPUs are read one after the other, with jitter.
    t = np.arange(n) / HZ + 0.001 * (seed + 1) + np.abs(rng.normal(0, 2e-4, n))
    # Power at each update of the counter: training near the limit, validation below, slow drift,
    # and noise from step to step.
    updates = int(duration_s / PERIOD_S) + HZ
    at = np.arange(updates) * PERIOD_S * 1.0003  # its clock is not ours
    training = at % EPOCH_S < 0.85 * EPOCH_S
    drift = np.cumsum(rng.normal(0, 0.05, updates))
    power = np.where(training, 640.0, 280.0) + drift - drift.mean() + rng.normal(0, 15, updates)
    counter_mj = np.cumsum(np.rint(np.clip(power, 70, 700) * PERIOD_S * 1000))
    value = counter_mj[np.maximum(np.searchsorted(at, t, side="right") - 1, 0)] / 1000
    value -= value[0]
    return Samples(t, value, value * (1 - COUNTER.low), value * (1 + COUNTER.high), t - t[0])


def header(started_at: float) -> Header:
    """What the run starts with."""
    sources = [
        Source(
            domain=f"gpu:{i}",
            source="NVML energy counter",
            kind=ReadingKind.COUNTER,
            provenance=Provenance.MEASURED,
            update_period_s=PERIOD_S,
            uncertainty=COUNTER,
            device="NVIDIA H100 80GB HBM3",
        )
        for i in range(GPUS)
    ]
    return Header(
        run_id=RUN_ID,
        name="a day of 8 GPUs",
        started_at=started_at,
        command=["synthetic"],
        scope="machine",
        interval_s=1 / HZ,
        environment={},
        sources=sources,
    )


def write_day(path: Path, duration_s: int) -> tuple[float, float]:
    """The day into a ledger, a flush each second; the seconds it took, and the day's joules."""
    days = {f"gpu:{i}": gpu_day(i, duration_s) for i in range(GPUS)}
    started = time.perf_counter()
    ledger = open_ledger(path)
    sink = ledger.sink()
    sink.open(header(started_at=1_795_219_200.0 - duration_s))
    for second in range(duration_s):
        part = slice(second * HZ, (second + 1) * HZ)
        new = {
            name: Samples(*(getattr(day, c)[part] for c in Samples.__dataclass_fields__))
            for name, day in days.items()
        }
        epoch, into = divmod(second, EPOCH_S)
        spans, metrics = [], []
        if into in (0, EPOCH_S - 1):
            end = float(second + 1) if into else None
            spans.append(
                Span(epoch + 1, None, "epoch", f"epoch {epoch}", epoch * EPOCH_S, end, epoch)
            )
        if into == EPOCH_S - 1:
            metrics.append(Metric(second + 0.9, "accuracy", 1 - 0.9 ** (epoch + 1), epoch + 1))
        sink.flush(new, spans, metrics, [])
    sink.close(Footer(Status.FINISHED, float(duration_s), exit_code=0))
    ledger.close()
    took_s = time.perf_counter() - started
    return took_s, sum(float(day.value[-1]) for day in days.values())


def benchmark(quick: bool) -> list[Figure]:
    """All three, small when quick."""
    return [*a_day(quick), *many_runs(quick), *scaling(quick)]


def many_runs(quick: bool) -> list[Figure]:
    """Wall time of each analysis of a table of runs."""
    count = ROWS // 100 if quick else ROWS
    rng = np.random.default_rng(0)
    net, machine = rng.integers(0, 10, count), rng.integers(0, 8, count)
    energy = np.exp(0.3 * net + 0.1 * machine + rng.normal(0, 0.1, count))
    accuracy = 0.5 + 0.04 * net + rng.normal(0, 0.02, count)
    by = ["--by", "architecture"]
    commands = {
        "compare": ["compare", "runs.csv", "--value", "energy_j", *by],
        "tradeoff": ["tradeoff", "runs.csv", "--quality", "accuracy", *by],
        "compare by two factors": ["compare", "runs.csv", *by, "--by", "environment"],
    }
    with tempfile.TemporaryDirectory() as scratch_name:
        scratch = Path(scratch_name)
        rows = zip(net, machine, energy, accuracy, strict=True)
        lines = [f"net{n},machine{m},{e:.6g},{a:.5f}\n" for n, m, e, a in rows]
        (scratch / "runs.csv").write_text(
            "architecture,environment,energy_j,accuracy\n" + "".join(lines)
        )

        def case(arguments: list[str]) -> Callable[[], float]:
            return lambda: wall_s([joulecast_command(), *arguments], cwd=scratch)

        for arguments in commands.values():
            # A command that fails must not count as a fast one.
            subprocess.run(
                [joulecast_command(), *arguments],
                cwd=scratch,
                stdout=subprocess.DEVNULL,
                check=True,
            )
        walls = interleave({name: case(arguments) for name, arguments in commands.items()},
                           1 if quick else 5)  # fmt: skip
    return [
        figure(f"joulecast {name} of {count:,} runs", walls[name], "s", below=10)
        for name in commands
    ]


def a_day(quick: bool) -> list[Figure]:
    """Write a day (an hour when quick), weigh it, report it."""
    duration_s = DAY_S // 24 if quick else DAY_S
    span = "an hour" if quick else "a day"
    with tempfile.TemporaryDirectory() as scratch_name:
        scratch = Path(scratch_name)
        path = scratch / "ledger.sqlite"
        log(f"  writing {span} of synthetic readings")
        took_s, true_j = write_day(path, duration_s)
        size_mb = sum(p.stat().st_size for p in scratch.iterdir()) / 1e6
        samples = duration_s * HZ * GPUS
        env = {"JOULECAST_LEDGER": str(path)}
        reports = {
            "report --text": [RUN_ID, "--text"],
            "report -o FILE.html": [RUN_ID, "-o", "day.html"],
        }

        def case(arguments: list[str]) -> Callable[[], float]:
            command = [joulecast_command(), "report", *arguments]
            return lambda: wall_s(command, cwd=scratch, env=env)

        problem = check(scratch, env, true_j, list(reports.values()))
        figures = [
            Figure(
                f"{span} of 8 GPUs at 10 Hz, on disk",
                size_mb,
                "MB",
                below=60 * duration_s / DAY_S,
                note=f"{1e6 * size_mb / samples:.1f} bytes a sample; a flush of one second of all "
                f"8 GPUs takes {1000 * took_s / duration_s:.1f} ms",
            )
        ]
        if problem:
            return [*figures, Figure(f"joulecast report of {span}", None, "s", 3, note=problem)]
        walls = interleave({name: case(a) for name, a in reports.items()}, 1 if quick else 5)
        html_mb = (scratch / "day.html").stat().st_size / 1e6
        notes = {"report -o FILE.html": f"a page of {html_mb:.1f} MB"}
        return figures + [
            figure(
                f"joulecast {name} of {span}", walls[name], "s", below=3, note=notes.get(name, "")
            )
            for name in reports
        ]


def gap_times(gaps: int) -> float:
    """CPU seconds of a summary of a run whose power meter fell silent so many times."""
    at = header(1.77e9)
    source = replace(at.sources[0], kind=ReadingKind.POWER)
    # Half of each ten seconds without a reading, which is a gap.
    t = np.concatenate([10.0 * i + np.arange(0, 5.05, 0.1) for i in range(gaps)])
    watts = np.full(len(t), 250.0)
    run_gaps = [Gap(source.domain, 10 * i + 5, 10 * i + 10, "asleep") for i in range(gaps - 1)]
    recording = Recording(
        replace(at, sources=[source], gauges=[]),
        gaps=run_gaps,
        samples={source.domain: Samples(t, watts, watts, watts, t)},
        footer=Footer(Status.FINISHED, float(t[-1])),
    )
    before = time.process_time()
    summarize(recording)
    return time.process_time() - before


def scaling(quick: bool) -> list[Figure]:
    """The time of a summary with four times the gaps over that with a quarter of them."""
    few, many = (500, 2000) if quick else (2500, 10_000)
    gap_times(few)
    times = {gaps: min(gap_times(gaps) for _ in range(5)) for gaps in (few, many)}
    note = "; ".join(f"{gaps:,} gaps: {1000 * took:.0f} ms" for gaps, took in times.items())
    ratio = times[many] / times[few]
    return [Figure("summary, time with 4 times the gaps", ratio, "times", below=8, note=note)]


def check(
    scratch: Path, env: dict[str, str], true_j: float, reports: list[list[str]]
) -> str | None:
    """What is wrong with the reports, if anything: a quick failure is no quick report."""
    for given in [*reports, [RUN_ID, "--json"]]:
        done = subprocess.run(
            [joulecast_command(), "report", *given],
            cwd=scratch,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            return (done.stderr.strip().splitlines() or ["no message"])[-1]
    reported_j = float(json.loads(done.stdout)["energy"]["total"]["value"])
    if abs(reported_j / true_j - 1) > 1e-3:
        return f"it reports {reported_j:.6g} J where {true_j:.6g} J were used"
    return None


if __name__ == "__main__":
    run("storage", __doc__, benchmark)
