"""The command line in this process: as `python -m joulecast`, without another interpreter."""

from __future__ import annotations

import io
import subprocess
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path

import pytest

from joulecast.cli import main


def joulecast(
    *arguments: object, cwd: Path, env: Mapping[str, str | None], code: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Run it in a folder with these environment variables; `code` is the expected exit code.

    Those of this process are there, too, but for the ones that are None.
    """
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", "surrogateescape") for _ in range(2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["joulecast", *map(str, arguments)])
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        # `main` replaces it.
        patch.setattr(warnings, "showwarning", warnings.showwarning)
        for name, value in env.items():
            if value is None:
                patch.delenv(name, raising=False)
            else:
                patch.setenv(name, value)
        patch.chdir(cwd)
        with pytest.raises(SystemExit) as ended:
            main()
        printed = []
        for stream in (out, err):
            stream.flush()
            printed.append(stream.buffer.getvalue().decode("utf-8", "surrogateescape"))
    number = ended.value.code or 0
    done = subprocess.CompletedProcess(list(map(str, arguments)), int(number), *printed)
    assert code is None or done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done
