"""The wording of reports, kept whole in one file per renderer under `tests/golden`.

`UPDATE_GOLDEN=1 pytest ...` writes what is printed now; read the difference before committing it.
"""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "golden"


def golden(name: str, text: str) -> None:
    """Assert that `text` is what `tests/golden/NAME.txt` holds, trailing blanks aside."""
    file = FOLDER / f"{name}.txt"
    actual = "\n".join(line.rstrip() for line in text.strip("\n").splitlines()) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(actual, encoding="utf-8")
    assert actual == file.read_text(encoding="utf-8")
