"""Record what trainers print, through a terminal and through pipes, with their true epochs.

    python benchmarks/record_progress.py --python VENV/bin/python           # all of them
    python benchmarks/record_progress.py --python VENV/bin/python tqdm      # names with "tqdm"

The interpreter has the libraries of `LIBRARIES`. The trainers are in `trainers/`: either they run
the library itself on tiny data, or they print its format line by line. What the files in
tests/data/progress hold is described in the README there.
"""

from __future__ import annotations

import argparse
import codecs
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "tests" / "data" / "progress"
TRAINERS = ROOT / "benchmarks" / "trainers"
COLUMNS = 100
MAX_BYTES = 30_000
MAX_WAIT_S = 2.0
TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Case:
    """How the output is read, and what can be known from it.

    Attributes:
        epochs: what the user gives as `--epochs`; None where nothing is given.
        read: whether the output then shows each epoch of the run.
        forecast: whether it then shows how far the run is in all.
    """

    epochs: int | None = None
    read: bool = True
    forecast: bool = True


@dataclass(frozen=True)
class Recording:
    """One script, run in both ways.

    Attributes:
        script: in `trainers/`, without its suffix.
        variant: its argument.
        library: the package whose version the file's name has; None where the format is printed.
        cases: on a terminal, and in a pipe where that shows something else.
        piped: see above; empty where nothing is recorded through pipes.
        source: where a printed format comes from.
    """

    script: str
    variant: str
    library: str | None
    cases: tuple[Case, ...]
    piped: tuple[Case, ...] | None = None
    source: str | None = None


BOTH = (Case(), Case(6))
# Neither epochs nor their total are printed: they must be given.
GIVEN = (Case(None, read=False, forecast=False), Case(6))
# Where no number is given, a bar over the run shows only the part of the run that is done.
PART = (Case(None, read=False), Case(6))
NO_TOTAL = (Case(None, forecast=False), Case(6))
STEPS_WITH_TOTAL = (Case(None, read=False),)
STEPS_ALONE = (Case(None, read=False, forecast=False),)
REFERENCES = "torchvision's references/classification"
MEGATRON = "Megatron-LM's training log"
DIFFUSERS = "diffusers' train_text_to_image.py"

RECORDINGS = (
    Recording("tqdm_bars", "labelled", "tqdm", BOTH),
    Recording("tqdm_bars", "train_and_valid", "tqdm", BOTH),
    Recording("tqdm_bars", "nested", "tqdm", BOTH),
    Recording("tqdm_bars", "leave_nothing", "tqdm", NO_TOTAL),
    Recording("tqdm_bars", "bare", "tqdm", (Case(None, forecast=False), Case(6))),
    Recording("tqdm_bars", "epochs_only", "tqdm", PART),
    Recording("tqdm_bars", "no_length", "tqdm", NO_TOTAL),
    Recording("tqdm_bars", "whole_run", "tqdm", BOTH),
    Recording("tqdm_bars", "resumed", "tqdm", PART),
    Recording("tqdm_bars", "ascii_bars", "tqdm", NO_TOTAL),
    Recording("lightning_trainer", "tqdm", "lightning", NO_TOTAL),
    Recording("lightning_trainer", "tqdm_no_length", "lightning", NO_TOTAL),
    Recording("lightning_trainer", "tqdm_resumed", "lightning", NO_TOTAL),
    # Its rich bars appear in a pipe only once all is over.
    Recording("lightning_trainer", "rich", "lightning", BOTH, ()),
    Recording("lightning_trainer", "rich_no_length", "lightning", BOTH, ()),
    Recording("lightning_trainer", "rich_resumed", "lightning", BOTH, ()),
    Recording("keras_fit", "bars", "keras", BOTH),
    Recording("keras_fit", "lines", "keras", BOTH),
    Recording("keras_fit", "resumed", "keras", BOTH),
    Recording("transformers_trainer", "default", "transformers", BOTH),
    Recording("transformers_trainer", "resumed", "transformers", BOTH),
    Recording("transformers_trainer", "accumulation", "transformers", BOTH),
    Recording("transformers_trainer", "steps", "transformers", BOTH),
    Recording("transformers_trainer", "no_bar", "transformers", NO_TOTAL),
    Recording("transformers_trainer", "silent", "transformers", PART),
    Recording("accelerate_loop", "default", "accelerate", BOTH),
    Recording("accelerate_loop", "resumed", "accelerate", BOTH),
    Recording("boosting", "xgboost", "xgboost", (Case(None, forecast=False), Case(30))),
    Recording("boosting", "xgboost_resumed", "xgboost", (Case(None, forecast=False), Case(20))),
    Recording("boosting", "lightgbm", "lightgbm", (Case(None, forecast=False), Case(30))),
    Recording("mmengine_runner", "epochs", "mmengine", NO_TOTAL),
    Recording("mmengine_runner", "resumed", "mmengine", NO_TOTAL),
    Recording("mmengine_runner", "iterations", "mmengine", STEPS_WITH_TOTAL),
    Recording("mmengine_runner", "iterations_by_epoch", "mmengine", STEPS_ALONE),
    Recording("deepspeed_engine", "steps", "deepspeed", STEPS_ALONE),
    Recording("fastai_learner", "fit", "fastai", BOTH),
    Recording("ignite_engine", "bars", "pytorch-ignite", NO_TOTAL),
    Recording("ultralytics_yolo", "validation", "ultralytics", BOTH),
    Recording("printed_formats", "timm", None, NO_TOTAL, source="timm 1.0's train.py"),
    Recording("printed_formats", "timm_resumed", None, NO_TOTAL, source="timm 1.0's train.py"),
    Recording("printed_formats", "torchvision", None, NO_TOTAL, source=REFERENCES),
    Recording("printed_formats", "torchvision_resumed", None, NO_TOTAL, source=REFERENCES),
    Recording("printed_formats", "detectron2", None, STEPS_ALONE, source="detectron2 0.6"),
    Recording("printed_formats", "nanogpt", None, STEPS_ALONE, source="nanoGPT's train.py"),
    Recording("printed_formats", "megatron", None, STEPS_WITH_TOTAL, source=MEGATRON),
    Recording("printed_formats", "megatron_resumed", None, STEPS_WITH_TOTAL, source=MEGATRON),
    Recording("printed_formats", "kohya", None, BOTH, source="sd-scripts' train_network.py"),
    Recording("printed_formats", "kohya_resumed", None, BOTH, source="the same, resumed"),
    Recording("printed_formats", "diffusers", None, PART, source=DIFFUSERS),
    Recording("printed_formats", "diffusers_resumed", None, PART, source=DIFFUSERS),
    Recording("printed_formats", "swin", None, BOTH, source="Swin Transformer's main.py"),
    Recording("printed_formats", "imagenet", None, NO_TOTAL, source="PyTorch's examples/imagenet"),
    Recording("printed_formats", "mnist", None, NO_TOTAL, source="PyTorch's examples/mnist"),
)


def file_name(recording: Recording, version: str, terminal: bool) -> str:
    """`tqdm-4.70.1-nested-pty.jsonl`."""
    what = f"{recording.library}-{version}" if recording.library else recording.script
    kind = "pty" if terminal else "pipe"
    return f"{what}-{recording.variant.replace('_', '-')}-{kind}.jsonl".replace("_", "-")


def record(recording: Recording, python: str, terminal: bool, folder: Path) -> Path:
    """Run one script and write its file, whose path is returned."""
    version = _version(recording.library, python) if recording.library else ""
    with tempfile.TemporaryDirectory() as scratch:
        truth = Path(scratch) / "truth.jsonl"
        env = dict(os.environ, PROGRESS_TRUTH=str(truth), PYTHONDONTWRITEBYTECODE="1")
        env |= {
            "TERM": "xterm-256color",
            "HOME": scratch,
            "MPLCONFIGDIR": tempfile.gettempdir(),
            "OMP_NUM_THREADS": "1",
        }
        if not terminal:
            # As `joulecast run` does.
            env["PYTHONUNBUFFERED"] = "1"
        for name in ("COLUMNS", "LINES", "NO_COLOR", "CI"):
            env.pop(name, None)
        command = [python, str(TRAINERS / f"{recording.script}.py"), recording.variant]
        started = time.monotonic()
        chunks, code = _run(command, env, scratch, terminal)
        ended = time.monotonic()
        events = [json.loads(line) for line in truth.read_text().splitlines()]
    if code:
        raise SystemExit(f"{' '.join(command)} failed:\n" + "".join(text for _, _, text in chunks))
    piped = recording.cases if recording.piped is None else recording.piped
    cases = recording.cases if terminal else piped
    header = {
        "library": recording.library,
        "version": version or None,
        "script": f"trainers/{recording.script}.py {recording.variant}",
        "recorded": f"printed in the format of {recording.source}"
        if recording.source
        else "the library itself was run",
        "date": datetime.now(UTC).date().isoformat(),
        "terminal_columns": COLUMNS if terminal else None,
        **_truth(events, started),
        "run_end_s": round(ended - started, 3),
        "cases": [
            {"epochs": case.epochs, "reads_epochs": case.read, "forecast": case.forecast}
            for case in cases
        ],
    }
    private = {scratch: "/tmp/run", str(Path(python).parent.parent): "/venv", str(ROOT): "/src"}
    rows = [[round(t - started, 3), stream, _without(text, private)] for t, stream, text in chunks]
    header, rows = shortened(header, rows)
    path = folder / file_name(recording, version, terminal)
    lines = [json.dumps(row, ensure_ascii=False) for row in _thinned(rows)]
    path.write_text("\n".join([json.dumps(header, ensure_ascii=False), *lines]) + "\n")
    return path


def _version(library: str, python: str) -> str:
    code = f"import importlib.metadata as m; print(m.version({library!r}))"
    return subprocess.check_output([python, "-c", code], text=True).strip()


def _without(text: str, private: dict[str, str]) -> str:
    for folder, public in private.items():
        text = text.replace(folder, public)
    return re.sub(r"/tmp/tmp\w+", "/tmp/run", text)


def _run(
    command: list[str], env: dict[str, str], folder: str, terminal: bool
) -> tuple[list[tuple[float, int, str]], int]:
    """What it wrote, as (time, descriptor, text), and its exit code."""
    if terminal:
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, COLUMNS, 0, 0))
        process = subprocess.Popen(command, stdout=slave, stderr=slave, env=env, cwd=folder)
        os.close(slave)
        streams = {master: 1}
    else:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, cwd=folder
        )
        assert process.stdout
        assert process.stderr
        streams = {process.stdout.fileno(): 1, process.stderr.fileno(): 2}
    decoders = {fd: codecs.getincrementaldecoder("utf-8")("replace") for fd in streams}
    chunks, limit = [], time.monotonic() + TIMEOUT_S
    while streams and time.monotonic() < limit:
        for fd in select.select(list(streams), [], [], 1.0)[0]:
            try:
                data = os.read(fd, 65536)
            except OSError:
                # A terminal whose last writer has gone.
                data = b""
            if not data:
                del streams[fd]
            elif text := decoders[fd].decode(data):
                chunks.append((time.monotonic(), 1 if terminal else streams[fd], text))
    if streams:
        process.kill()
    return chunks, process.wait()


def _truth(events: list[dict[str, Any]], started: float) -> dict[str, Any]:
    """The plan, the epochs or steps, and the phases, in seconds since the start."""

    def seconds(t: float) -> float:
        return round(t - started, 3)

    plan = next(event for event in events if event["event"] == "plan")
    epochs = [
        {
            "number": event["number"],
            "begin_s": seconds(event["begin"]),
            "first_step_s": seconds(event["steps"][0]),
            "last_step_s": seconds(event["steps"][-1]),
            "steps": len(event["steps"]),
        }
        for event in events
        if event["event"] == "epoch" and event["steps"]
    ]
    truth = {name: plan[name] for name in ("epochs", "steps", "epochs_before")}
    steps = [event for event in events if event["event"] == "steps"]
    whole = [[seconds(event["begin"]), *map(seconds, event["steps"])] for event in steps]
    return {
        "planned_epochs": truth["epochs"],
        "steps_per_epoch": truth["steps"],
        "epochs_before": truth["epochs_before"],
        "epochs": epochs,
        "steps_s": whole[0] if whole else None,
        "phases": _phases(events, started),
    }


def _phases(events: Iterable[dict[str, Any]], started: float) -> list[list[Any]]:
    """[name, begin, end], those of one name that follow each other joined."""
    phases: list[list[Any]] = []
    for event in events:
        if event["event"] == "phase":
            begin, end = (round(event[name] - started, 3) for name in ("begin", "end"))
            if phases and phases[-1][0] == event["name"] and begin - phases[-1][2] < 0.1:
                phases[-1][2] = end
            else:
                phases.append([event["name"], begin, end])
    return phases


def shortened(
    header: dict[str, Any], rows: list[list[Any]]
) -> tuple[dict[str, Any], list[list[Any]]]:
    """Without the long waits before and after the training, in which a busy machine imports.

    Of a wait of more than `MAX_WAIT_S` without output, step or phase so much is left.
    """
    epochs, phases = header["epochs"], header["phases"]
    steps = header["steps_s"] or [epochs[0]["begin_s"], epochs[-1]["last_step_s"]]
    times = [0.0, header["run_end_s"], steps[0], steps[-1], *(row[0] for row in rows)]
    times = sorted({*times, *(t for _, begin, end in phases for t in (begin, end))})
    waits = [
        (later, later - t - MAX_WAIT_S)
        for t, later in pairwise(times)
        if later - t > MAX_WAIT_S and (later <= steps[0] or t >= steps[-1])
    ]

    def moved(t: float) -> float:
        return round(t - sum(wait for end, wait in waits if t >= end), 3)

    moments = ("begin_s", "first_step_s", "last_step_s")
    return header | {
        "epochs": [epoch | {name: moved(epoch[name]) for name in moments} for epoch in epochs],
        "steps_s": header["steps_s"] and [moved(t) for t in header["steps_s"]],
        "phases": [[name, moved(begin), moved(end)] for name, begin, end in phases],
        "run_end_s": moved(header["run_end_s"]),
    }, [[moved(t), stream, text] for t, stream, text in rows]


def _thinned(rows: list[list[Any]]) -> list[list[Any]]:
    """At most `MAX_BYTES`: of redraws that follow each other every second one is dropped."""
    while sum(len(json.dumps(row, ensure_ascii=False).encode()) for row in rows) > MAX_BYTES:
        kept, drop = [], False
        for at, row in enumerate(rows):
            redraws = _is_redraw(row[2]) and at + 1 < len(rows) and _is_redraw(rows[at + 1][2])
            drop = redraws and not drop
            if not drop:
                kept.append(row)
        if len(kept) == len(rows):
            raise SystemExit("the recording is too long, and it has no redraws to leave out")
        rows = kept
    return rows


def _is_redraw(text: str) -> bool:
    """Whether a chunk draws a terminal's lines again and adds none."""
    over_old_lines = "\n" not in text or "\x1b[1A" in text
    return over_old_lines and text.startswith(("\r", "\x1b", "\b")) and "100%" not in text


def main() -> None:
    """Record all, or those whose script and variant contain a word."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("words", nargs="*", help="only recordings whose names contain one of them")
    parser.add_argument("--python", default=sys.executable, help="has the libraries")
    parser.add_argument("--into", type=Path, default=DATA, metavar="FOLDER")
    args = parser.parse_args()
    args.into.mkdir(parents=True, exist_ok=True)
    for recording in RECORDINGS:
        name = f"{recording.script} {recording.variant}"
        if args.words and not any(word in name for word in args.words):
            continue
        for terminal in (True, False):
            if not terminal and recording.piped == ():
                continue
            path = record(recording, args.python, terminal, args.into)
            print(f"{path.name}: {path.stat().st_size / 1000:.1f} kB", flush=True)


if __name__ == "__main__":
    main()
