"""The function that a study calls: loaded in a process of its own, and its parameters checked.

The user's file may import large libraries, or end the interpreter: the runner never loads it.
"""

import hashlib
import importlib.util
import inspect
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from .. import serialize
from ..errors import BadPlanError
from ..ledger.study_model import Study
from ..recording.wrap.stop import Stopper
from .plan import nearest

OFFERED = ("seed", "epochs", "run")
"""Arguments that a function receives in addition to the factors, if it has such parameters."""

# An import may take so long: from a cold disk, of a large library.
_LONGEST_S = 300.0


@dataclass(frozen=True, slots=True)
class Signature:
    """The parameters of a function.

    Attributes:
        parameters: that can be passed by name.
        required: those of them without a default.
        takes_any: whether it has **kwargs.
        positional: required ones that cannot be passed by name.
    """

    parameters: tuple[str, ...]
    required: tuple[str, ...]
    takes_any: bool
    positional: tuple[str, ...] = ()


def place(study: Study, folder: Path) -> tuple[Path, str]:
    """The entry's file, and the name of its function."""
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
    """Import a file as `python FILE.py` does, and return one of its functions.

    Raises `BadPlanError` where there is no such function, and whatever the import raises.
    """
    sys.path.insert(0, str(file.parent))
    sys.argv = [str(file)]
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Processes that unpickle its objects find it by its name.
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    entry = getattr(module, function, None)
    if not callable(entry):
        names = [n for n, v in vars(module).items() if inspect.isfunction(v)]
        raise BadPlanError(f"{file.name} has no function {function}: {nearest(function, names)}")
    callable_: Callable[..., Any] = entry
    return callable_


def signature_of(function: Callable[..., Any]) -> Signature:
    """The parameters of a function."""
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
    return Signature(tuple(named), tuple(required), takes_any, tuple(positional))


def inspect_entry(study: Study, folder: Path, env: Mapping[str, str] | None = None) -> Signature:
    """The parameters of the study's function, read in a child process. Raises `BadPlanError`."""
    file, function = place(study, folder)
    # Raises where the file cannot be read.
    code_of(study, folder)
    # Files, because a process that the import starts may keep a pipe open, and may print.
    with tempfile.TemporaryDirectory(prefix="joulecast-") as scratch:
        answer, errors = Path(scratch, "answer"), Path(scratch, "errors")
        code = _import_elsewhere([str(file.absolute()), function, str(answer)], folder, env, errors)
        said = errors.read_text(errors="replace")
        if code is None:
            raise BadPlanError(f"entry {study.entry}: its import took over five minutes")
        if not answer.exists():
            why = (said.strip().splitlines() or [f"exit code {code}"])[-1]
            where = _last_place(said, folder)
            raise BadPlanError(f"entry {study.entry}: it cannot be imported: {why}{where}")
        signature = json.loads(answer.read_text())
    if "error" in signature:
        raise BadPlanError(f"entry {study.entry}: {signature['error']}")
    return serialize.read(signature, Signature)


def _import_elsewhere(
    arguments: list[str], folder: Path, env: Mapping[str, str] | None, errors: Path
) -> int | None:
    """The exit code of `_main` in a child process; None where it took too long.

    Processes that the import started end with it.
    """
    stopper = Stopper()
    stopper.adopt_orphans()
    with errors.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "joulecast.study.entry", *arguments],
            env=dict(os.environ if env is None else env),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stream,
            start_new_session=True,
        )
    stopper.follow(process.pid)
    try:
        return process.wait(_LONGEST_S)
    except subprocess.TimeoutExpired:
        return None
    finally:
        stopper.stop(1.0)


def _last_place(traceback: str, folder: Path) -> str:
    """` (train.py, line 3)`: the place in the user's own files of an error; else nothing."""
    own = folder.absolute()
    places = [
        f" ({Path(file).relative_to(own)}, line {line})"
        for file, line in re.findall(r'File "([^"]+)", line (\d+)', traceback)
        if Path(file).is_relative_to(own)
    ]
    return places[-1] if places else ""


def check_entry(study: Study, signature: Signature, source: str = "Study") -> None:
    """Raises `BadPlanError` where the factors do not fit the parameters of the function."""
    name = study.entry.rpartition(":")[2]
    takes = [p for p in signature.parameters if p not in OFFERED or p == "epochs"]
    if signature.positional:
        raise BadPlanError(
            f"{source}: entry: {name}() takes {', '.join(signature.positional)} by position only"
        )
    for factor in study.factors:
        if not signature.takes_any and factor not in signature.parameters:
            raise BadPlanError(
                f"{source}: factors.{factor}: {name}() does not take it: {nearest(factor, takes)}"
            )
    passed = {*study.factors, "seed", "run"} | ({"epochs"} if study.epochs is not None else set())
    lacking = [p for p in signature.required if p not in passed]
    if lacking == ["epochs"]:
        raise BadPlanError(f"{source}: epochs: it is missing, and {name}() needs it")
    if lacking:
        which = ", ".join(lacking)
        raise BadPlanError(
            f"{source}: factors: {name}() needs {which}, and there is no such factor: add it under "
            "[factors], or give the parameter a default"
        )


def _main(file: str, function: str, answer: str) -> None:
    own = os.getpid()
    try:
        found = serialize.to_builtins(signature_of(load(Path(file), function)))
    except BadPlanError as error:
        found = {"error": str(error)}
    # A file that forks at its import returns here in both processes.
    if os.getpid() == own:
        Path(answer).write_text(json.dumps(found))
    # Threads that the file started are not waited for.
    os._exit(0)


if __name__ == "__main__":
    _main(*sys.argv[1:4])
