"""Answers on disk, so that one question is asked once. Holds figures, never a key."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple
from pathlib import Path

from ..intensity import IntensityPeriod


def cache_folder(env: Mapping[str, str], platform: str = sys.platform) -> Path | None:
    """Where the user's caches are (XDG Base Directory Specification); None without a home."""
    home = env.get("HOME")
    if platform == "darwin":
        return Path(home, "Library", "Caches", "joulecast") if home else None
    given = Path(env.get("XDG_CACHE_HOME", ""))
    if given.is_absolute():
        return given / "joulecast"
    return Path(home, ".cache", "joulecast") if home else None


def _sound(interval: IntensityPeriod) -> bool:
    figures = (interval.start_s, interval.end_s, interval.carbon_g_per_kwh)
    return all(map(math.isfinite, figures)) and interval.carbon_g_per_kwh >= 0


class Cache:
    """Intervals by question. What cannot be read or written is as if it were not there."""

    def __init__(self, folder: Path | None, clock: Callable[[], float]) -> None:
        self._folder = None if folder is None else folder / "grid"
        self._clock = clock

    def load(self, question: Sequence[str], max_age_s: float) -> list[IntensityPeriod] | None:
        """The answer to a question, if it is no older."""
        if self._folder is None:
            return None
        try:
            document = json.loads(self._path(question).read_text(encoding="utf-8"))
            age = self._clock() - float(document["stored_at"])
            rows = document["intervals"]
            if document["question"] != list(question) or not 0 <= age <= max_age_s:
                return None
            found = [IntensityPeriod(float(a), float(b), float(g), bool(e)) for a, b, g, e in rows]
            return found if all(map(_sound, found)) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def store(self, question: Sequence[str], intervals: Sequence[IntensityPeriod]) -> None:
        """Keep an answer; readable by the user alone, whole or not at all."""
        if self._folder is None or not intervals:
            return
        text = json.dumps(
            {
                "question": list(question),
                "stored_at": self._clock(),
                "intervals": [astuple(interval) for interval in intervals],
            }
        )
        path = self._path(question)
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            part.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)

    def _path(self, question: Sequence[str]) -> Path:
        assert self._folder is not None
        name = hashlib.sha256("\n".join(question).encode()).hexdigest()[:32]
        return self._folder / f"{name}.json"
