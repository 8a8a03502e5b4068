"""The published measurements in `../shared`, which only developers' machines and CI have."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"


def needs(*parts: str) -> pytest.MarkDecorator:
    """Skips a test, with the reason, where a file of `../shared` is absent; marks it `data`."""
    path = SHARED.joinpath(*parts)

    def mark(test: object) -> object:
        skip = pytest.mark.skipif(
            not path.exists(), reason=f"../shared/{'/'.join(parts)} is absent"
        )
        return pytest.mark.data(skip(test))

    return mark  # type: ignore[return-value]
