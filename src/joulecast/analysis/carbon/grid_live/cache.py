"""Answers of providers on disk, so that no request is made twice. Contains no key."""

import contextlib
import hashlib
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple
from pathlib import Path

from ....output_file import write_whole
from ..intensity import IntensityPeriod


def cache_folder(env: Mapping[str, str]) -> Path | None:
    """The user's cache folder (XDG Base Directory Specification); None without a home."""
    home = env.get("HOME")
    if sys.platform == "darwin":
        return Path(home, "Library", "Caches", "joulecast") if home else None
    xdg = Path(env.get("XDG_CACHE_HOME", ""))
    if xdg.is_absolute():
        return xdg / "joulecast"
    return Path(home, ".cache", "joulecast") if home else None


class Cache:
    """Intensities by request. A file that cannot be read or written is ignored."""

    def __init__(self, folder: Path | None, clock: Callable[[], float]) -> None:
        self._folder = None if folder is None else folder / "grid"
        self._clock = clock

    def load(self, request: Sequence[str], max_age_s: float) -> list[IntensityPeriod] | None:
        """The answer to a request, if it is not too old."""
        if self._folder is None:
            return None
        try:
            document = json.loads(_path(self._folder, request).read_text(encoding="utf-8"))
            age_s = self._clock() - float(document["stored_at"])
            if document["question"] != list(request) or not 0 <= age_s <= max_age_s:
                return None
            periods = [
                IntensityPeriod(float(a), float(b), float(g), bool(e))
                for a, b, g, e in document["intervals"]
            ]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return periods if all(map(_is_valid, periods)) else None

    def store(self, request: Sequence[str], periods: Sequence[IntensityPeriod]) -> None:
        """Keep an answer, in a file that only the user can read, whole or not at all."""
        if self._folder is None or not periods:
            return
        document = {
            "question": list(request),
            "stored_at": self._clock(),
            "intervals": [astuple(period) for period in periods],
        }
        path = _path(self._folder, request)
        # The last answer is only a convenience, so that a full disk is ignored.
        with contextlib.suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(path, [json.dumps(document)])


def _path(folder: Path, request: Sequence[str]) -> Path:
    return folder / f"{hashlib.sha256(chr(10).join(request).encode()).hexdigest()[:32]}.json"


def _is_valid(period: IntensityPeriod) -> bool:
    figures = (period.start_s, period.end_s, period.carbon_g_per_kwh)
    return all(map(math.isfinite, figures)) and period.carbon_g_per_kwh >= 0
