"""A plan from a TOML file, checked; every error is one line that names the file and the key."""

import math
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from .. import serialize
from ..errors import BadInputError, BadPlanError, UsageError
from ..forecasting.early_stopping import rule as early_stopping
from ..ledger.study_model import Conditions, Level, Study, level_text
from ..masking import masked
from ..units import parse_duration, parse_energy
from .order import ORDERS, configurations

MAX_TRIALS = 100_000
RESERVED = frozenset(
    {"study", "trial", "trial_id", "repetition", "seed", "order", "status", "host", "run"}
    | {"run_id", "name", "error", "started_at", "ended_at", "provenance"}
)
"""Names that factors may not have: columns of the table of results, and tags of runs."""
_MAX_TEXT = 200
_REQUIRED = {
    "name": 'name = "digits"',
    "entry": 'entry = "train.py:train"',
    "factors": "[factors] and below it, for example, batch = [32, 128]",
}

_TABLES = {
    "limits": ("energy", "duration"),
    "conditions": ("warm_up", "cool_down", "cool_to", "cool_longest"),
    "quality": ("metric", "maximize"),
    "early_stopping": ("metric", "patience", "min_delta", "mode"),
}
"""The keys of the tables in a plan's file."""
_PLAIN = ("name", "entry", "repetitions", "epochs", "order", "seed", "exclude")
"""The keys that are those of `Study` as well."""


def read_study(path: str | Path) -> Study:
    """The plan in a TOML file.

    Args:
        path: the file; `entry` in it is relative to the file's folder.

    Returns:
        The plan, checked. Its repr shows factors, repetitions, conditions and limits.

    Raises:
        BadPlanError: the file cannot be read, or a key in it is wrong; the error names the key.

    Examples:
        >>> study = joulecast.read_study("study.toml")
        >>> study.factors
        {'architecture': ('mlp', 'cnn')}
    """
    path = Path(path)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise BadPlanError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        # Besides errors of TOML and UTF-8: numbers of more than 4,300 digits.
        raise BadPlanError(f"{path}: not a TOML file: {error}") from error
    return _FileReader(str(path)).study(document)


def check(study: Study, place: str = "Study") -> Study:
    """The plan with its levels as tuples.

    Raises `BadPlanError` where a value is wrong; the error starts with `place`.
    """
    return _Checker(place).checked(study)


def nearest(name: str, known: Iterable[str]) -> str:
    """`did you mean batch?`, or all known names; for the end of an error."""
    known = list(known)
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"there is {', '.join(known) or 'nothing'}"


class _Checker:
    """Checks one plan; every error starts with `place`."""

    def __init__(self, place: str) -> None:
        self._place = place

    def _refuse(self, key: str, problem: str) -> NoReturn:
        raise BadPlanError(f"{self._place}: {key}: {problem}")

    def checked(self, study: Study) -> Study:
        """The plan with its levels as tuples."""
        self._check_names(study)
        self._check_counts(study)
        factors = {name: self._levels(name, levels) for name, levels in study.factors.items()}
        if not factors:
            self._refuse("factors", "there is none: write, for example, batch = [32, 128]")
        study = replace(study, factors=factors, exclude=tuple(study.exclude))
        self._check_exclude(study)
        self._check_amounts(study)
        count = math.prod(len(levels) for levels in factors.values()) * study.repetitions
        if count > MAX_TRIALS:
            self._refuse("factors", f"{count} trials are more than {MAX_TRIALS}: leave some out")
        if next(configurations(study), None) is None:
            self._refuse("exclude", "it leaves no combination to be run")
        return study

    def _check_names(self, study: Study) -> None:
        if not (isinstance(study.name, str) and 0 < len(study.name.strip()) <= _MAX_TEXT):
            self._refuse("name", f"a name of at most {_MAX_TEXT} characters is expected")
        file, _, function = str(study.entry).rpartition(":")
        if not (file.endswith(".py") and function.isidentifier() and file.isprintable()):
            self._refuse("entry", f"{study.entry!r}: write it as FILE.py:function")
        if study.order not in ORDERS:
            self._refuse("order", f"{study.order!r}: {nearest(str(study.order), ORDERS)}")
        if study.early_stopping is not None:
            try:
                early_stopping.parse(study.early_stopping)
            except UsageError as error:
                self._refuse("early_stopping", str(error))

    def _check_counts(self, study: Study) -> None:
        for key in ("repetitions", "epochs"):
            value = getattr(study, key)
            if value is not None and not (_is_whole(value) and value >= 1):
                self._refuse(key, f"{value!r}: a whole number of at least 1 is expected")
        if not _is_whole(study.seed) or abs(study.seed) >= 2**63:
            self._refuse("seed", f"{study.seed!r}: a whole number is expected")

    def _check_exclude(self, study: Study) -> None:
        for i, some in enumerate(study.exclude):
            key = f"exclude[{i}]"
            if not isinstance(some, Mapping) or not some:
                self._refuse(key, "levels by factor are expected, such as {batch = 128}")
            for name, level in some.items():
                if name not in study.factors:
                    self._refuse(f"{key}.{name}", f"no such factor: {nearest(name, study.factors)}")
                if level not in study.factors[name]:
                    hint = nearest(str(level), map(str, study.factors[name]))
                    self._refuse(f"{key}.{name}", f"{level!r} is no level of it: {hint}")

    def _check_amounts(self, study: Study) -> None:
        conditions = study.conditions
        amounts = {
            "limits.energy": study.max_energy_j,
            "limits.duration": study.max_duration_s,
            "conditions.warm_up": conditions.warm_up_s,
            "conditions.cool_down": conditions.cool_down_s,
            "conditions.cool_to": conditions.cool_to_c,
            "conditions.cool_longest": conditions.cool_longest_s,
        }
        for key, value in amounts.items():
            if value is not None and not (_is_number(value) and value >= 0):
                self._refuse(key, f"{value!r}: a number, not negative, is expected")
        for key in ("limits.energy", "limits.duration"):
            if amounts[key] == 0:
                self._refuse(key, "nothing can be run with a limit of 0")

    def _levels(self, name: str, levels: Any) -> tuple[Level, ...]:
        key = f"factors.{name}"
        if not str(name).isidentifier():
            self._refuse(key, "the name of a parameter is expected: letters, digits and _")
        if name in RESERVED:
            self._refuse(key, f"{name} means something else in a study: give it another name")
        if isinstance(levels, str | Mapping) or not isinstance(levels, Iterable):
            levels = (levels,)
        checked: tuple[Level, ...] = tuple(levels)
        if not checked:
            self._refuse(key, "it has no level: write some, or leave it out")
        for level in checked:
            problem = _problem_of_level(level)
            if isinstance(level, str) and masked({name: level}) != {name: level}:
                problem = "a level looks like a secret, and plans are stored: let the entry read it"
            if problem:
                self._refuse(key, problem)
        self._check_distinct(key, checked)
        return checked

    def _check_distinct(self, key: str, levels: tuple[Level, ...]) -> None:
        """No two levels may be equal, nor have the same text."""
        earlier: dict[Level, Level] = {}
        for level in levels:
            before = earlier.get(level, earlier.get(level_text(level)))
            if before is not None and repr(level) == repr(before):
                self._refuse(key, f"{level!r} is there twice")
            if before is not None:
                self._refuse(key, f"{level!r} and {before!r} cannot be distinguished")
            earlier |= {level: level, level_text(level): level}


class _FileReader(_Checker):
    """Reads a plan's file, already parsed."""

    def study(self, document: Mapping[str, Any]) -> Study:
        """The plan in a document."""
        self._check_keys(document, (*_PLAIN, "factors", *_TABLES))
        for table, keys in _TABLES.items():
            value = document.get(table, {})
            if isinstance(value, Mapping):
                self._check_keys(value, keys, f"{table}.")
            elif table != "early_stopping":
                self._refuse(table, f"a table is expected: [{table}]")
        for key, example in _REQUIRED.items():
            if key not in document:
                self._refuse(key, f"it is missing: write {example}")
        if not isinstance(document["factors"], Mapping):
            self._refuse("factors", "a table is expected: [factors]")
        plain = {key: document[key] for key in _PLAIN if key in document}
        rule = _rule_text(document.get("early_stopping"))
        try:
            study = serialize.read(plain | {"factors": {}, "early_stopping": rule}, Study, "")
        except BadInputError as error:
            raise BadPlanError(f"{self._place}: {str(error).removeprefix('.')}") from None
        limits, quality = document.get("limits", {}), document.get("quality", {})
        metric, maximize = quality.get("metric"), quality.get("maximize", True)
        if not isinstance(metric, str | None) or metric == "":
            self._refuse("quality.metric", f"{metric!r}: a text is expected")
        if not isinstance(maximize, bool):
            self._refuse("quality.maximize", f"{maximize!r}: true or false is expected")
        return self.checked(
            replace(
                study,
                factors=document["factors"],
                conditions=self._conditions(document.get("conditions", {})),
                max_energy_j=self._amount("limits.energy", limits, parse_energy),
                max_duration_s=self._amount("limits.duration", limits, parse_duration),
                quality=metric,
                maximize=maximize,
            )
        )

    def _check_keys(self, table: Mapping[str, Any], known: Sequence[str], prefix: str = "") -> None:
        for key in table:
            if key not in known:
                self._refuse(f"{prefix}{key}", f"no such key: {nearest(key, known)}")

    def _conditions(self, table: Mapping[str, Any]) -> Conditions:
        amounts = {
            "warm_up_s": self._amount("conditions.warm_up", table, parse_duration),
            "cool_down_s": self._amount("conditions.cool_down", table, parse_duration),
            "cool_to_c": self._amount("conditions.cool_to", table, _parse_temperature),
            "cool_longest_s": self._amount("conditions.cool_longest", table, parse_duration),
        }
        return Conditions(**{key: value for key, value in amounts.items() if value is not None})

    def _amount(
        self, key: str, table: Mapping[str, Any], parse: Callable[[str], float]
    ) -> float | None:
        value = table.get(key.rpartition(".")[2])
        if value is None:
            return None
        if isinstance(value, str):
            try:
                return parse(value)
            except UsageError as error:
                self._refuse(key, str(error))
        if not _is_number(value):
            self._refuse(key, f'{value!r}: write an amount with its unit, such as "2 kWh" or "3h"')
        return float(value)


def _rule_text(rule: str | Mapping[str, Any] | None) -> str | None:
    """A rule of early stopping as text, from text or from a table of its parts."""
    if not isinstance(rule, Mapping):
        return rule
    metric = rule.get("metric", "val_loss")
    parts = [f"{key}={value}" for key, value in rule.items() if key != "metric"]
    return f"{metric}:{','.join(parts)}" if parts else str(metric)


def _parse_temperature(text: str) -> float:
    """Degrees Celsius from `45`, `45 C`, `45 °C`. Raises `UsageError`."""
    try:
        return float(text.replace("°", "").rstrip().removesuffix("C").strip())
    except ValueError:
        raise UsageError(f"{text!r}: write degrees Celsius, such as 45") from None


def _problem_of_level(level: Any) -> str | None:
    """What is wrong with a level, None if nothing."""
    if isinstance(level, bool | int):
        return None if abs(level) < 2**63 else f"{level!r}: at most 64 bits are expected"
    if isinstance(level, float):
        return None if math.isfinite(level) else f"{level!r}: a finite number is expected"
    if not isinstance(level, str):
        return f"{level!r}: a text, a number, true or false is expected"
    if not level.strip():
        return "a level is blank, which is read as missing: give it a name"
    if len(level) > _MAX_TEXT:
        return f"a level is longer than {_MAX_TEXT} characters"
    return None


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
