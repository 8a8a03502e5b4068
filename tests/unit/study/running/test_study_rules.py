"""Early stopping, signatures, what is out of memory, and rest between trials."""

import errno
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from joulecast.errors import BadInputError
from joulecast.forecasting.early_stopping.rule import EarlyStop, EarlyStopping
from joulecast.ledger.study_model import Conditions, Study
from joulecast.study.entry import check_entry, signature_of
from joulecast.study.running.cool_down import cool_down
from joulecast.study.running.oom_kills import OomKills, killed, kills
from joulecast.study.running.trial import failure, is_out_of_memory


def epochs_until(values: list[float], metric: str = "val_loss", patience: int = 2) -> int:
    stop = EarlyStop(EarlyStopping(metric, patience))
    for epoch, value in enumerate(values, 1):
        if stop.ends_after(value):
            return epoch
    return 0


def test_patience_counts_epochs_without_a_better_value() -> None:
    assert epochs_until([3.0, 2.0, 2.1, 2.0, 1.0]) == 4  # equal is not better
    assert epochs_until([3.0, 2.0, 1.0, 0.5]) == 0
    assert epochs_until([0.1, 0.2, 0.3, 0.2, 0.2], "accuracy") == 5


def test_an_improvement_below_the_minimum_does_not_count() -> None:
    stop = EarlyStop(EarlyStopping("loss", 2, min_delta=0.1))
    assert [stop.ends_after(value) for value in (1.0, 0.8, 0.75, 0.71)] == [False] * 3 + [True]


def test_nan_is_no_improvement() -> None:
    assert epochs_until([3.0, math.nan, math.nan]) == 3


def of(function: Callable[..., Any], factors: dict[str, tuple[Any, ...]], **more: Any) -> None:
    plan = Study("s", f"t.py:{function.__name__}", factors, **more)
    check_entry(plan, signature_of(function), "s.toml")


def takes(architecture: str, batch: int, seed: int, rate: float = 0.1) -> None: ...
def wants_epochs(b: int, epochs: int) -> None: ...
def takes_anything(**factors: Any) -> None: ...
def by_position(b: int, /) -> None: ...


def test_the_nearest_parameter_is_offered() -> None:
    of(takes, {"architecture": ("a",), "batch": (1,), "rate": (0.1,)})
    with pytest.raises(BadInputError, match=r"factors\.archtecture: .*\barchitecture\b"):
        of(takes, {"archtecture": ("a",), "batch": (1,)})
    with pytest.raises(BadInputError, match=r"\btakes\(\).*\bbatch\b"):
        of(takes, {"architecture": ("a",)})
    of(takes_anything, {"x": (1,)})
    with pytest.raises(BadInputError, match=r"entry: by_position\(\).*\bb\b"):
        of(by_position, {"b": (1,)})


def test_epochs_are_the_plans_or_a_factor() -> None:
    of(wants_epochs, {"b": (1,)}, epochs=3)
    of(wants_epochs, {"b": (1,), "epochs": (1, 2)})
    with pytest.raises(BadInputError, match=r"\bepochs: "):
        of(wants_epochs, {"b": (1,)})


class OutOfMemoryError(RuntimeError):
    """By the name of PyTorch's."""


@pytest.mark.parametrize(
    ("error", "is_one"),
    [
        (MemoryError(), True),
        (OutOfMemoryError("CUDA"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (RuntimeError("shapes do not match"), False),
        (ValueError("out of memory is no option"), False),
    ],
)
def test_errors_of_memory(error: BaseException, is_one: bool) -> None:
    assert is_out_of_memory(error) is is_one
    assert failure(error)["status"] == ("out_of_memory" if is_one else "failed")


def test_an_error_is_one_line() -> None:
    assert failure(ValueError("one\ntwo"))["error"] == "ValueError: one two"
    assert failure(SystemExit(0))["status"] == "finished"
    assert failure(SystemExit(3))["status"] == "failed"


def test_kills_by_the_kernel_are_counted_from_its_files(tmp_path: Path) -> None:
    assert kills(tmp_path) == OomKills(None, None)
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/user/run\n")
    (tmp_path / "proc/vmstat").write_text("pgfault 5\noom_kill 7\n")
    events = tmp_path / "sys/fs/cgroup/user/run/memory.events"
    events.parent.mkdir(parents=True)
    events.write_text("low 0\noom 1\noom_kill 2\n")
    (tmp_path / "sys/fs/cgroup/cgroup.controllers").write_text("cpu memory\n")
    assert kills(tmp_path) == OomKills(2, 7)


def test_a_kill_elsewhere_on_the_machine_is_not_ours() -> None:
    assert not killed(OomKills(2, 7), OomKills(2, 8))
    assert killed(OomKills(2, 7), OomKills(3, 8))
    assert killed(OomKills(None, 7), OomKills(None, 8))  # the machine's count alone
    assert not killed(OomKills(None, None), OomKills(None, None))


class Room:
    """GPUs that cool by a degree a second."""

    def __init__(self, start: float, floor: float = 30.0) -> None:
        self.at, self.floor, self.rested, self.messages = start, floor, 0.0, list[str]()

    def rest(self, conditions: Conditions) -> float:
        return cool_down(
            conditions, lambda: [self.at - 5, self.at], self.wait, self.messages.append
        )

    def wait(self, seconds: float) -> bool:
        self.rested += seconds
        self.at = max(self.floor, self.at - seconds)
        return False


def test_rest_by_time_and_by_temperature() -> None:
    room = Room(60)
    assert room.rest(Conditions(cool_down_s=4)) == room.rested == 4
    room = Room(60)
    assert room.rest(Conditions(cool_down_s=4, cool_to_c=45)) == room.rested == 15
    assert room.at == 45
    assert not room.messages


def test_waiting_for_a_hot_gpu_ends_with_a_message() -> None:
    room = Room(60, floor=50)
    assert room.rest(Conditions(cool_to_c=45, cool_longest_s=30)) == 30
    assert re.findall(r"\d+ °C", room.messages[0]) == ["50 °C", "45 °C"]


def test_a_missing_temperature_is_a_message() -> None:
    messages: list[str] = []
    assert cool_down(Conditions(cool_to_c=45), lambda: None, lambda s: False, messages.append) == 0
    assert "temperature" in messages[0]
