"""The function that a study calls: found, and asked what it takes, in a process of its own.

The user's file may import what is large, or end the interpreter: the runner never loads it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ..errors import BadPlanError
from .model import Study
from .plan import nearest

GIVEN = ("seed", "epochs", "run")
"""What a function is given beside the factors, if it takes it."""

_LONGEST_S = 300.0  # of an import: a cold disk and a large library


@dataclass(frozen=True, slots=True)
class Signature:
    """The parameters of a function that can be given by name, and which of them must be."""

    parameters: tuple[str, ...]
    required: tuple[str, ...]
    takes_any: bool  # **kwargs
    generator: bool
    positional: tuple[str, ...] = ()  # that cannot be given by name


def place(study: Study, folder: Path) -> tuple[Path, str]:
    """The file and the function's name."""
    file, _, function = study.entry.rpartition(":")
    return folder / Path(file).expanduser(), function


def code_of(study: Study, folder: Path) -> str:
    """SHA-256 of the entry's file. Raises `BadPlanError` where it cannot be read."""
    file, _ = place(study, folder)
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        near = get_close_matches(file.name, [p.name for p in file.parent.glob("*.py")], n=1)
        hint = f": did you mean {near[0]}?" if near else ""
        why = error.strerror or error
        raise BadPlanError(f"entry {study.entry}: {file}: {why}{hint}") from error


def load(file: Path, function: str) -> Callable[..., Any]:
    """The function, its file imported as `python FILE.py` would find its modules.

    Raises `BadPlanError` where there is no such function; else whatever the import raises.
    """
    sys.path.insert(0, str(file.parent))
    sys.argv = [str(file)]
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None and spec.loader is not None  # it ends in .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module  # for pickle: workers find it by its name
    spec.loader.exec_module(module)
    found = getattr(module, function, None)
    if not callable(found):
        names = [n for n, v in vars(module).items() if inspect.isfunction(v)]
        raise BadPlanError(f"{file.name} has no function {function}: {nearest(function, names)}")
    entry: Callable[..., Any] = found
    return entry


def signature_of(function: Callable[..., Any]) -> Signature:
    """What a function takes."""
    kinds = inspect.Parameter
    named, required, positional, takes_any = [], [], [], False
    for parameter in inspect.signature(function).parameters.values():
        needed = parameter.default is kinds.empty
        if parameter.kind is kinds.VAR_KEYWORD:
            takes_any = True
        elif parameter.kind is kinds.POSITIONAL_ONLY and needed:
            positional.append(parameter.name)
        elif parameter.kind in (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY):
            named.append(parameter.name)
            required += [parameter.name] if needed else []
    generator = inspect.isgeneratorfunction(inspect.unwrap(function))
    return Signature(tuple(named), tuple(required), takes_any, generator, tuple(positional))


def ask(study: Study, folder: Path, env: Mapping[str, str] | None = None) -> Signature:
    """What the study's function takes, asked in a child process. Raises `BadPlanError`."""
    file, function = place(study, folder)
    code_of(study, folder)  # it can be read
    command = [sys.executable, "-m", "joulecast.study.entry", str(file.absolute()), function]
    try:
        done = subprocess.run(
            command,
            env=dict(os.environ if env is None else env),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LONGEST_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BadPlanError(f"entry {study.entry}: its import took over five minutes") from error
    said = done.stdout.rpartition(_MARK)[2] if _MARK in done.stdout else None
    if said is None:
        why = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        where = _last_place(done.stderr, folder)
        raise BadPlanError(f"entry {study.entry}: it cannot be imported: {why}{where}")
    answer = json.loads(said)
    if "error" in answer:
        raise BadPlanError(f"entry {study.entry}: {answer['error']}")
    lists = {key: tuple(value) for key, value in answer.items() if isinstance(value, list)}
    return Signature(**(answer | lists))


def _last_place(traceback: str, folder: Path) -> str:
    """` (train.py, line 3)`: where in the user's own files an error came up; else nothing."""
    own = folder.absolute()
    places = [
        f" ({Path(file).relative_to(own)}, line {line})"
        for file, line in re.findall(r'File "([^"]+)", line (\d+)', traceback)
        if Path(file).is_relative_to(own)
    ]
    return places[-1] if places else ""


def check_entry(study: Study, signature: Signature, source: str = "Study") -> None:
    """Raises `BadPlanError` where the factors are not what the function takes."""
    name = study.entry.rpartition(":")[2]
    takes = [p for p in signature.parameters if p not in GIVEN or p == "epochs"]
    if signature.positional:
        raise BadPlanError(
            f"{source}: entry: {name}() takes {', '.join(signature.positional)} by position only"
        )
    for factor in study.factors:
        if not signature.takes_any and factor not in signature.parameters:
            raise BadPlanError(
                f"{source}: factors.{factor}: {name}() does not take it: {nearest(factor, takes)}"
            )
    given = {*study.factors, "seed", "run"} | ({"epochs"} if study.epochs is not None else set())
    lacking = [p for p in signature.required if p not in given]
    if lacking == ["epochs"]:
        raise BadPlanError(f"{source}: epochs: it is missing, and {name}() needs it")
    if lacking:
        which = ", ".join(lacking)
        raise BadPlanError(
            f"{source}: factors: {name}() needs {which}, and there is no such factor: add it under "
            "[factors], or give the parameter a default"
        )


_MARK = "joulecast-signature:"


def _main(file: str, function: str) -> None:
    try:
        answer = asdict(signature_of(load(Path(file), function)))
    except BadPlanError as error:
        answer = {"error": str(error)}
    sys.stdout.write(f"\n{_MARK}{json.dumps(answer)}\n")
    sys.stdout.flush()
    os._exit(0)  # what it started (threads, servers) is not waited for


if __name__ == "__main__":
    _main(*sys.argv[1:3])
