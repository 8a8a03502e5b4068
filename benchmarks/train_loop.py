"""Train a small CNN on scikit-learn's digits under one tool, or none, and print the CPU time.

Runs in joulecast's environment and in that of the peers, so it imports neither. PyTorch gets one
thread, which makes the split exact: the training is what the main thread computes, and the tool is
everything else, namely the main thread's calls into it, all other threads, and child processes.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator

# A tool is a generator that yields once for each epoch: what runs before the first yield is its
# start, what runs after the last its stop. The CPU time spent inside it is the tool's own.
Tool = Callable[[int], Iterator[None]]


def none(epochs: int) -> Iterator[None]:
    """No tool at all."""
    for _ in range(epochs):
        yield


def joulecast(epochs: int) -> Iterator[None]:
    """Joulecast as its users write it, at its default of 10 Hz."""
    import joulecast

    with joulecast.record("overhead", epochs=epochs) as run:
        for _ in run.epochs():
            yield


def codecarbon(epochs: int, measure_power_secs: float = 15) -> Iterator[None]:
    """CodeCarbon, offline; 15 s is its own default."""
    from codecarbon import OfflineEmissionsTracker

    tracker = OfflineEmissionsTracker(
        country_iso_code="DEU", measure_power_secs=measure_power_secs, log_level="critical"
    )
    tracker.start()
    yield from none(epochs)
    tracker.stop()


def codecarbon_10hz(epochs: int) -> Iterator[None]:
    """CodeCarbon at joulecast's rate."""
    yield from codecarbon(epochs, measure_power_secs=0.1)


def carbontracker(epochs: int, update_interval: float = 1) -> Iterator[None]:
    """CarbonTracker with no API key; 1 s is its own default."""
    from carbontracker.tracker import CarbonTracker

    tracker = CarbonTracker(epochs=epochs, update_interval=update_interval, verbose=0)
    for _ in range(epochs):
        tracker.epoch_start()
        yield
        tracker.epoch_end()


def carbontracker_10hz(epochs: int) -> Iterator[None]:
    """CarbonTracker at joulecast's rate."""
    yield from carbontracker(epochs, update_interval=0.1)


def zeus(epochs: int) -> Iterator[None]:
    """Zeus: one window for the run and one for each epoch. It samples nothing in between."""
    from zeus.monitor import ZeusMonitor

    monitor = ZeusMonitor()
    monitor.begin_window("run")
    for _ in range(epochs):
        monitor.begin_window("epoch")
        yield
        monitor.end_window("epoch")
    monitor.end_window("run")


TOOLS: dict[str, Tool] = {
    tool.__name__: tool
    for tool in (
        none,
        joulecast,
        codecarbon,
        codecarbon_10hz,
        carbontracker,
        carbontracker_10hz,
        zeus,
    )
}


def process_cpu_s() -> float:
    """CPU seconds of this process, all its threads, and its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def background_cpu_s() -> float:
    """The same without the main thread."""
    return process_cpu_s() - time.thread_time()


def make_epoch() -> Callable[[], float]:
    """A function that trains for one epoch and returns the accuracy on the training set."""
    import torch
    from sklearn.datasets import load_digits
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(0)
    images, labels = load_digits(return_X_y=True)
    x = torch.tensor(images, dtype=torch.float32).reshape(-1, 1, 8, 8) / 16
    y = torch.tensor(labels)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 16, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )
    optimizer = torch.optim.Adam(model.parameters())
    loss_of = nn.CrossEntropyLoss()

    def epoch() -> float:
        right = 0
        for batch in torch.randperm(len(x)).split(32):
            optimizer.zero_grad()
            scores = model(x[batch])
            loss_of(scores, y[batch]).backward()
            optimizer.step()
            right += int((scores.argmax(1) == y[batch]).sum())
        return right / len(x)

    epoch()  # warm up: the first epoch pays for PyTorch's own late set-up
    return epoch


def measure(tool: Tool, epochs: int) -> dict[str, float]:
    """CPU seconds of the training and of the tool, in all and in the second half of the epochs.

    The second half shows what goes on for as long as the training does; the rest of the tool's time
    is paid once: its start and stop, and what it loads late.
    """
    epoch = make_epoch()
    wall, cpu, background = time.perf_counter(), process_cpu_s(), background_cpu_s()
    training = in_calls = accuracy = 0.0
    half = (0.0, 0.0)
    watch = tool(epochs)
    for done in range(epochs + 1):
        before = time.thread_time()
        next(watch, None)  # its start, then each epoch, then its stop
        in_calls += time.thread_time() - before
        if done == epochs // 2:
            half = (in_calls + background_cpu_s() - background, training)
        if done < epochs:
            before = time.thread_time()
            accuracy = epoch()
            training += time.thread_time() - before
        if done == epochs - 1:
            end = in_calls + background_cpu_s() - background
    return {
        "wall_s": time.perf_counter() - wall,
        "cpu_s": process_cpu_s() - cpu,
        "training_cpu_s": training,
        "tool_cpu_s": in_calls + background_cpu_s() - background,
        "second_half_training_cpu_s": training - half[1],
        "second_half_tool_cpu_s": end - half[0],
        "accuracy": accuracy,
    }


def main() -> None:
    """Print the measurements as one line of JSON, the last on stdout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tool", choices=TOOLS)
    parser.add_argument("--epochs", type=int, default=20)
    args = parser.parse_args()
    result = measure(TOOLS[args.tool], args.epochs)
    sys.stdout.write("\n" + json.dumps(result) + "\n")
    sys.stdout.flush()
    os._exit(0)  # a tool's leftover threads must not hold the measurement up


if __name__ == "__main__":
    main()
