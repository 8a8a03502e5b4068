"""A study's file is imported in another process, whatever it does there."""

import time
from pathlib import Path

import psutil
import pytest

from joulecast.errors import BadPlanError
from joulecast.ledger.study_model import Study
from joulecast.study.entry import inspect_entry

STUDY = Study("s", "train.py:train", {"batch": (1,)})
TRAIN = "\ndef train(batch, seed=0):\n    yield {}\n"


def inspected(folder: Path, beginning: str) -> tuple[str, ...]:
    (folder / "train.py").write_text(beginning + TRAIN)
    return inspect_entry(STUDY, folder).parameters


@pytest.mark.parametrize(
    "beginning",
    [
        "import subprocess\nsubprocess.Popen(['sleep', '3210'])",
        "import subprocess\nsubprocess.Popen(['sleep', '3210'], start_new_session=True)",
        "import subprocess\nsubprocess.Popen('while :; do echo {}; sleep 0.01; done', shell=True)",
        "import os, time\nif os.fork() == 0:\n    time.sleep(3210)",
        "import os\nos.fork()",
    ],
)
def test_processes_that_an_import_starts_end_with_it(tmp_path: Path, beginning: str) -> None:
    before = set(psutil.Process().children(recursive=True))
    assert inspected(tmp_path, beginning) == ("batch", "seed")
    deadline = time.monotonic() + 20
    while alive := set(psutil.Process().children(recursive=True)) - before:
        assert time.monotonic() < deadline, alive
        time.sleep(0.05)


@pytest.mark.parametrize(
    "beginning",
    [
        "print('joulecast-signature:{}')",
        "import os\nos.close(1)",
        "import atexit\natexit.register(print, 'bye')",
        "import sys\nsys.stdout = None",
    ],
)
def test_what_an_import_prints_is_not_the_answer(tmp_path: Path, beginning: str) -> None:
    assert inspected(tmp_path, beginning) == ("batch", "seed")


@pytest.mark.parametrize(
    ("beginning", "why"),
    [
        ("import os\nos._exit(3)", "exit code 3"),
        ("import os\nos.kill(os.getpid(), 9)", "exit code -9"),
        ("raise ValueError('no data')", "ValueError: no data (train.py, line 1)"),
        ("def train(:", "SyntaxError"),
        ("train_ = 1\nraise SystemExit(3)", "exit code 3"),
    ],
)
def test_an_import_that_fails_is_named(tmp_path: Path, beginning: str, why: str) -> None:
    with pytest.raises(BadPlanError) as caught:
        inspected(tmp_path, beginning)
    assert why in str(caught.value)
