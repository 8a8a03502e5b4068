"""A plan from a TOML file, checked; every error is one line that names the file and the key."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from ..errors import BadPlanError, UsageError
from ..forecasting.early_stopping import rule as early_stopping
from ..units import parse_duration, parse_energy
from .model import Conditions, Level, Study, level_text
from .order import ORDERS, configurations

MOST_TRIALS = 100_000
RESERVED = frozenset(
    {"study", "trial", "trial_id", "repetition", "seed", "order", "status", "host", "run"}
    | {"run_id", "name", "error", "started_at", "ended_at", "provenance"}
)
"""What the table of results, and the tags of a run, call by these names already."""

_KEYS = ("name", "entry", "repetitions", "epochs", "order", "seed", "early_stopping", "exclude")
_TABLES = ("factors", "conditions", "limits", "quality")
_CONDITIONS = ("warm_up", "cool_down", "cool_to", "cool_longest")
_STOPPING = ("metric", "patience", "min_delta", "mode")


def read_study(path: str | Path) -> Study:
    """The plan in a TOML file; `entry` in it is relative to the file's folder.

    Raises `BadPlanError`.
    """
    path = Path(path)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadPlanError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadPlanError(f"{path}: not a TOML file: {error}") from error
    return _Reader(str(path)).study(document)


def check(study: Study, place: str = "Study") -> Study:
    """The plan as it is, or `BadPlanError` with what makes no sense in it."""
    return _Reader(place).checked(study)


def to_document(study: Study) -> dict[str, Any]:
    """A plan as JSON types; inverse of `from_document`."""
    document: dict[str, Any] = json.loads(json.dumps(asdict(study), default=dict))
    return document


def from_document(document: Mapping[str, Any]) -> Study:
    """The plan that the ledger keeps. Raises `TypeError` or `ValueError` where it is damaged."""
    factors = {name: tuple(levels) for name, levels in document["factors"].items()}
    conditions = Conditions(**document["conditions"])
    exclude = tuple(dict(some) for some in document["exclude"])
    changed = {"factors": factors, "conditions": conditions, "exclude": exclude}
    return Study(**{**document, **changed})


def nearest(name: str, known: Iterable[str]) -> str:
    """`did you mean batch?`, or what there is; for the end of an error."""
    known = list(known)
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"there is {', '.join(known) or 'nothing'}"


class _Reader:
    """Reads one document; `place` is named in each error."""

    def __init__(self, place: str) -> None:
        self._place = place

    def study(self, document: Mapping[str, Any]) -> Study:
        """The plan in a document."""
        self._known(document, (*_KEYS, *_TABLES), "")
        for key in ("name", "entry", "factors"):
            if key not in document:
                example = {"name": '"digits"', "entry": '"train.py:train"', "factors": None}[key]
                how = f"{key} = {example}" if example else "[factors] with batch = [32, 128], say"
                self._refuse(key, f"it is missing: write {how}")
        limits = self._table(document, "limits", ("energy", "duration"))
        quality = self._table(document, "quality", ("metric", "maximize"))
        maximize = quality.get("maximize", True)
        if not isinstance(maximize, bool):
            self._refuse("quality.maximize", "true or false is expected")
        return self.checked(
            Study(
                name=self._text(document, "name"),
                entry=self._text(document, "entry"),
                factors=self._factors(document["factors"]),
                repetitions=self._whole(document, "repetitions", 1),
                seed=self._whole(document, "seed", 0),
                order=self._text(document, "order", ORDERS[0]),
                epochs=self._whole(document, "epochs", 0) if "epochs" in document else None,
                early_stopping=self._stopping(document.get("early_stopping")),
                conditions=self._conditions(document),
                max_energy_j=self._amount(limits, "limits.energy", parse_energy),
                max_duration_s=self._amount(limits, "limits.duration", parse_duration),
                quality=self._text(quality, "metric", None, "quality.metric"),
                maximize=maximize,
                exclude=self._exclude(document.get("exclude", [])),
            )
        )

    def checked(self, study: Study) -> Study:
        """The plan with its levels as tuples, or an error."""
        if not (isinstance(study.name, str) and 0 < len(study.name.strip()) <= 200):
            self._refuse("name", "a name of at most 200 characters is expected")
        file, _, function = str(study.entry).rpartition(":")
        if not (file.endswith(".py") and function.isidentifier()):
            self._refuse("entry", f"{study.entry!r}: write it as FILE.py:function")
        if study.order not in ORDERS:
            self._refuse("order", f"{study.order!r}: {nearest(str(study.order), ORDERS)}")
        for key, least in (("repetitions", 1), ("epochs", 1)):
            value = getattr(study, key)
            if value is not None and not (_is_whole(value) and value >= least):
                self._refuse(key, f"{value!r}: a whole number of at least {least} is expected")
        if not _is_whole(study.seed) or abs(study.seed) >= 2**63:
            self._refuse("seed", f"{study.seed!r}: a whole number is expected")
        factors = {name: self._levels(name, given) for name, given in study.factors.items()}
        if not factors:
            self._refuse("factors", "there is none: write batch = [32, 128], say")
        study = replace(study, factors=factors, exclude=tuple(study.exclude))
        self._check_exclude(study)
        if study.early_stopping is not None:
            try:
                early_stopping.parse(study.early_stopping)
            except UsageError as error:
                self._refuse("early_stopping", str(error))
        self._check_amounts(study)
        count = math.prod(len(levels) for levels in factors.values()) * study.repetitions
        if count > MOST_TRIALS:
            self._refuse("factors", f"{count} trials are more than {MOST_TRIALS}: leave some out")
        if next(configurations(study), None) is None:
            self._refuse("exclude", "it leaves no combination to be run")
        return study

    def _check_exclude(self, study: Study) -> None:
        for i, some in enumerate(study.exclude):
            key = f"exclude[{i}]"
            if not isinstance(some, Mapping) or not some:
                self._refuse(key, "levels by factor are expected, such as {batch = 128}")
            for name, level in some.items():
                if name not in study.factors:
                    self._refuse(f"{key}.{name}", f"no such factor: {nearest(name, study.factors)}")
                if level not in study.factors[name]:
                    known = nearest(str(level), map(str, study.factors[name]))
                    self._refuse(f"{key}.{name}", f"{level!r} is no level of it: {known}")

    def _check_amounts(self, study: Study) -> None:
        conditions = study.conditions
        bounds = {
            "limits.energy": study.max_energy_j,
            "limits.duration": study.max_duration_s,
            "conditions.warm_up": conditions.warm_up_s,
            "conditions.cool_down": conditions.cool_down_s,
            "conditions.cool_to": conditions.cool_to_c,
            "conditions.cool_longest": conditions.cool_longest_s,
        }
        for key, value in bounds.items():
            if value is not None and not (_is_number(value) and value >= 0):
                self._refuse(key, f"{value!r}: a number, not negative, is expected")
        for key in ("limits.energy", "limits.duration"):
            if bounds[key] == 0:
                self._refuse(key, "nothing can be run with a limit of 0")

    def _factors(self, given: Any) -> dict[str, tuple[Level, ...]]:
        if not isinstance(given, Mapping):
            self._refuse("factors", "a table is expected: [factors], below it batch = [32, 128]")
        return {
            name: tuple(levels) if isinstance(levels, list) else (levels,)
            for name, levels in given.items()
        }

    def _levels(self, name: str, levels: Any) -> tuple[Level, ...]:
        key = f"factors.{name}"
        if not str(name).isidentifier():
            self._refuse(key, "the name of a parameter is expected: letters, digits and _")
        if name in RESERVED:
            self._refuse(key, f"{name} means something else in a study: give it another name")
        if isinstance(levels, str) or not isinstance(levels, Iterable):
            levels = (levels,)
        found: tuple[Level, ...] = tuple(levels)
        if not found:
            self._refuse(key, "it has no level: write some, or leave it out")
        for level in found:
            if not isinstance(level, str | int | float | bool):
                self._refuse(key, f"{level!r}: a text, a number, true or false is expected")
            if isinstance(level, float) and not math.isfinite(level):
                self._refuse(key, f"{level!r}: a finite number is expected")
            if isinstance(level, str) and not level.strip():
                self._refuse(key, "a level is blank, as what is missing is: give it a name")
            if isinstance(level, str) and len(level) > 200:
                self._refuse(key, "a level is longer than 200 characters")
        known: dict[Level, Level] = {}  # by what is equal to it, and by its text
        for level in found:
            before = known.get(level, known.get(level_text(level)))
            if before is not None:
                same = repr(level) == repr(before)
                what = "is there twice" if same else f"and {before!r} cannot be told apart"
                self._refuse(key, f"{level!r} {what}")
            known |= {level: level, level_text(level): level}
        return found

    def _exclude(self, given: Any) -> tuple[Mapping[str, Level], ...]:
        if not isinstance(given, list):
            self._refuse("exclude", 'a list is expected: [{architecture = "cnn", batch = 128}]')
        return tuple(given)

    def _stopping(self, given: Any) -> str | None:
        """A rule as text: from text, or from a table of its parts."""
        if given is None or isinstance(given, str):
            return given
        if not isinstance(given, Mapping):
            self._refuse("early_stopping", 'write "val_loss:patience=5", or a table')
        self._known(given, _STOPPING, "early_stopping.")
        metric = self._text(given, "metric", "val_loss", "early_stopping.metric")
        rest = [f"{key}={given[key]}" for key in _STOPPING[1:] if key in given]
        return f"{metric}:{','.join(rest)}" if rest else metric

    def _conditions(self, document: Mapping[str, Any]) -> Conditions:
        given = self._table(document, "conditions", _CONDITIONS)
        warm, rest, longest = (
            self._amount(given, f"conditions.{key}", parse_duration)
            for key in ("warm_up", "cool_down", "cool_longest")
        )
        to = given.get("cool_to")
        if isinstance(to, str):
            text = to.replace("°", "").rstrip().removesuffix("C").strip()
            to = float(text) if _is_float(text) else to
        if to is not None and not _is_number(to):
            self._refuse("conditions.cool_to", f"{to!r}: write degrees Celsius, such as 45")
        usual = Conditions()
        return Conditions(
            warm_up_s=warm or 0.0,
            cool_down_s=rest or 0.0,
            cool_to_c=None if to is None else float(to),
            cool_longest_s=usual.cool_longest_s if longest is None else longest,
        )

    def _amount(
        self, table: Mapping[str, Any], key: str, parse: Callable[[str], float]
    ) -> float | None:
        given = table.get(key.rpartition(".")[2])
        if given is None:
            return None
        if isinstance(given, str):
            try:
                return parse(given)
            except UsageError as error:
                self._refuse(key, str(error))
        if not _is_number(given):
            self._refuse(key, f'{given!r}: write an amount with its unit, such as "2 kWh" or "3h"')
        return float(given)

    def _table(
        self, document: Mapping[str, Any], key: str, known: tuple[str, ...]
    ) -> Mapping[str, Any]:
        table = document.get(key, {})
        if not isinstance(table, Mapping):
            self._refuse(key, f"a table is expected: [{key}]")
        self._known(table, known, f"{key}.")
        return table

    def _text(
        self, table: Mapping[str, Any], name: str, usual: Any = None, key: str | None = None
    ) -> Any:
        value = table.get(name, usual)
        if value is not None and not (isinstance(value, str) and value):
            self._refuse(key or name, f"{value!r}: a text is expected")
        return value

    def _whole(self, table: Mapping[str, Any], key: str, usual: int) -> int:
        value = table.get(key, usual)
        if not _is_whole(value):
            self._refuse(key, f"{value!r}: a whole number is expected")
        return int(value)

    def _known(self, table: Mapping[str, Any], known: tuple[str, ...], before: str) -> None:
        for key in table:
            if key not in known:
                self._refuse(f"{before}{key}", f"no such key: {nearest(key, known)}")

    def _refuse(self, key: str, problem: str) -> NoReturn:
        raise BadPlanError(f"{self._place}: {key}: {problem}")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
