"""Plans from TOML: what is read, and what is refused in one line that names file and key."""

from pathlib import Path

import pytest

from joulecast import serialize
from joulecast.errors import BadInputError, BadPlanError, UsageError
from joulecast.ledger.study_model import Conditions, Study
from joulecast.study.plan import check, read_study
from joulecast.study.planning import check_continues

FULL = """
name = "digits"
entry = "train.py:train"
repetitions = 5
epochs = 20
order = "blocked"
seed = 7
exclude = [{ architecture = "cnn", batch = 128 }]
[factors]
architecture = ["mlp", "cnn"]
batch = [32, 128]
dataset = "digits"
[early_stopping]
metric = "val_loss"
patience = 3
[conditions]
warm_up = "10s"
cool_down = "5s"
cool_to = "45 °C"
cool_longest = "2min"
[limits]
energy = "2 kWh"
duration = "3h"
[quality]
metric = "accuracy"
maximize = true
"""
SMALL = 'name = "a"\nentry = "t.py:f"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "study.toml"
    path.write_text(text)
    return path


def test_all_keys(tmp_path: Path) -> None:
    assert read_study(written(tmp_path, FULL)) == Study(
        name="digits",
        entry="train.py:train",
        factors={"architecture": ("mlp", "cnn"), "batch": (32, 128), "dataset": ("digits",)},
        repetitions=5,
        seed=7,
        order="blocked",
        epochs=20,
        early_stopping="val_loss:patience=3",
        conditions=Conditions(10.0, 5.0, 45.0, 120.0),
        max_energy_j=7.2e6,
        max_duration_s=10800.0,
        quality="accuracy",
        maximize=True,
        exclude=({"architecture": "cnn", "batch": 128},),
    )


def test_a_plan_survives_the_ledger(tmp_path: Path) -> None:
    study = read_study(written(tmp_path, FULL))
    assert serialize.read(serialize.to_builtins(study), Study) == study


def test_levels_keep_their_types_in_the_ledger() -> None:
    levels = (1, 2.0, "3", False)
    study = serialize.read(serialize.to_builtins(Study("a", "t.py:f", {"b": levels})), Study)
    assert repr(study.factors["b"]) == repr(levels)


@pytest.mark.parametrize(
    ("text", "key", "hint"),
    [
        ("nam = 'a'", "nam", "did you mean name?"),
        (SMALL, "factors", "batch = [32, 128]"),
        (SMALL + "[factor]\nb = [1]", "factor", "did you mean factors?"),
        (SMALL + "[factors]", "factors", "batch"),
        (SMALL + "[factors]\nb = []", "factors.b", "no level"),
        (SMALL + '[factors]\nb = ["x", " "]', "factors.b", "a level is blank"),
        (SMALL + "[factors]\nb = [1, 1]", "factors.b", "twice"),
        (SMALL + "[factors]\nb = [2, 1, 1.0]", "factors.b", "1.0 and 1 cannot"),
        (SMALL + "[factors]\nb = [true, 1]", "factors.b", "1 and True cannot"),
        (SMALL + "[factors]\nb = ['8', 8]", "factors.b", "8 and '8' cannot"),
        (SMALL + "[factors]\nb = [true, 'true']", "factors.b", "'true' and True cannot"),
        (SMALL + "[factors]\nb = [nan]", "factors.b", "finite"),
        (SMALL + "[factors]\nb = [[1]]", "factors.b", "a text, a number"),
        (SMALL + "[factors]\napi_key = ['s3cret']", "factors.api_key", "secret"),
        (SMALL + "[factors]\nb = ['hf_abcdefghijklmnop']", "factors.b", "secret"),
        (SMALL + "[factors]\nseed = [1]", "factors.seed", "another name"),
        (SMALL + "[factors]\nb-c = [1]", "factors.b-c", "parameter"),
        (SMALL + "repetitions = 0\n[factors]\nb = 1", "repetitions", "at least 1"),
        (SMALL + "repetitions = true\n[factors]\nb = 1", "repetitions", "int"),
        (SMALL + "seed = 'x'\n[factors]\nb = 1", "seed", "int"),
        (SMALL + "[factors]\nb = 1\n[limits]\nenergy = []", "limits.energy", "unit"),
        (SMALL + "[factors]\nb = 1\n[quality]\nmetric = true", "quality.metric", "text"),
        (SMALL + "[factors]\nb = 1\n[quality]\nmaximize = 1", "quality.maximize", "true or false"),
        (SMALL + f"[factors]\nb = {2**64}", "factors.b", "64 bits"),
        (SMALL + "order = 'random'\n[factors]\nb = 1", "order", "did you mean randomized?"),
        (SMALL + "[factors]\nb = 1\n[limits]\nenergy = '2 kHw'", "limits.energy", "unit"),
        (SMALL + "[factors]\nb = 1\n[limits]\nduration = 0", "limits.duration", "limit of 0"),
        (SMALL + "[factors]\nb = 1\n[conditions]\ncooldown = '1s'", "conditions.cooldown", "cool_"),
        (SMALL + "[factors]\nb = 1\n[conditions]\ncool_to = 'x'", "conditions.cool_to", "degrees"),
        (SMALL + "early_stopping = 'loss:p=1'\n[factors]\nb = 1", "early_stopping", "patience"),
        (SMALL + "exclude = [{c = 1}]\n[factors]\nb = 1", "exclude[0].c", "no such factor"),
        (SMALL + "exclude = [{b = 2}]\n[factors]\nb = 1", "exclude[0].b", "no level of it"),
        (SMALL + "exclude = [{b = 1}]\n[factors]\nb = 1", "exclude", "no combination"),
        (SMALL.replace("t.py:f", "t.py") + "[factors]\nb = 1", "entry", "FILE.py:function"),
        ("name = ", "", "TOML"),
    ],
)
def test_a_refused_plan_names_the_key(tmp_path: Path, text: str, key: str, hint: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(BadInputError) as caught:
        read_study(path)
    error = str(caught.value)
    assert error.startswith(f"{path}: {key}")
    assert hint in error
    assert "\n" not in error


def test_a_plan_made_in_python_is_checked_too() -> None:
    with pytest.raises(BadInputError, match=r"^Study: factors\.b: "):
        check(Study("a", "t.py:f", {"b": ()}))
    assert check(Study("a", "t.py:f", {"b": [1, 2]})).factors == {"b": (1, 2)}  # type: ignore[dict-item]
    check(Study("a", "t.py:f", {"max_tokens": (64, 128), "secrets": (1, 2)}))


def test_too_many_trials_are_refused() -> None:
    levels = tuple(range(400))
    with pytest.raises(BadInputError, match="160000"):
        check(Study("a", "t.py:f", {"b": levels, "c": levels}))


BASE = Study("a", "t.py:f", {"b": (1, 2)}, repetitions=3)


@pytest.mark.parametrize(
    "new",
    [
        BASE,
        Study("a", "t.py:f", {"b": (1, 2)}, repetitions=5),
        Study("a", "t.py:f", {"b": (2, 1, 3)}, repetitions=3),
        Study("a", "t.py:f", {"b": (1, 2)}, repetitions=3, max_energy_j=5.0, quality="f1"),
    ],
)
def test_changes_that_continue_a_study(new: Study) -> None:
    check_continues(BASE, new)


@pytest.mark.parametrize(
    ("new", "what"),
    [
        (Study("a", "t.py:f", {"b": (1, 2)}, repetitions=2), "repetitions"),
        (Study("a", "t.py:f", {"b": (1,)}, repetitions=3), "b had 2"),
        (Study("a", "t.py:f", {"b": (1.0, 2)}, repetitions=3), "b had 1$|b had 1:"),
        (Study("a", "t.py:f", {"b": (True, 2)}, repetitions=3), "b had 1"),
        (Study("a", "t.py:f", {"c": (1, 2)}, repetitions=3), "factor b"),
        (Study("a", "t.py:g", {"b": (1, 2)}, repetitions=3), "entry was t.py:f"),
        (Study("a", "t.py:f", {"b": (1, 2)}, repetitions=3, epochs=2), "epochs"),
    ],
)
def test_changes_that_make_another_study(new: Study, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        check_continues(BASE, new)


def test_a_plan_of_an_editor_that_marks_utf_8_is_read(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text(f"{SMALL}[factors]\na = [1]\n", encoding="utf-8-sig")
    assert read_study(path).name == "a"


@pytest.mark.parametrize(
    "text",
    [
        f"{SMALL}seed = {'9' * 5000}\n[factors]\na = [1]\n",
        f"{SMALL}[factors]\na = {'[' * 5000}\n",
        f"{SMALL}[factors]\na = {'[' * 90}{']' * 90}\n",
        f"{SMALL}[factors]\na = [1]\n\0",
        'name = "a"\nentry = "a\\u0000b.py:f"\n[factors]\na = [1]\n',
    ],
)
def test_an_odd_file_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "study.toml"
    path.write_text(text)
    with pytest.raises(BadPlanError, match=r"^[^\n]*study\.toml: [^\n]+$"):
        read_study(path)
    with pytest.raises(BadPlanError):
        read_study(tmp_path / ("x" * 300))
