"""Whether the tests of the central files notice a changed constant, bound, operator, or call.

`make mutants` runs it. The files, the tests of each, and the limit are `[tool.mutants]` in
pyproject.toml. cosmic-ray makes the mutants of a file; each is written into a copy of the source,
and the unit tests of that file run in a forked process that imports the copy. A mutant whose tests
fail, or take too long, is noticed. Mutants that change no behavior are listed, with the reason, in
`equivalent_mutants.toml`, and are not counted.

Of each file a seeded sample is tried, which takes about 10 minutes; all mutants of all files take
over an hour. `--all` tries all of them, and names of files try those alone:

    python benchmarks/mutants.py --all units
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# ruff: noqa: F401  What the tests need is imported here once, not in each forked process.
import _hypothesis_pytestplugin
import hypothesis.extra.numpy
import hypothesis.strategies
import msgspec
import numpy
import parso
import pytest
import pytest_timeout
import scipy.stats
from cosmic_ray.ast import Visitor, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator
from hypothesis import Phase, settings

ROOT = Path(__file__).parents[1]
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.toml")
SEED = 11

# cosmic-ray replaces each operator by every other: most of those end in a TypeError at once, and
# would make the share of noticed mutants look better than it is.
REPLACED = (
    *("BinaryOperator_Add_Sub", "BinaryOperator_Sub_Add", "BinaryOperator_Mul_Div"),
    *("BinaryOperator_Div_Mul", "BinaryOperator_Pow_Mul", "BinaryOperator_FloorDiv_Mul"),
    *("ComparisonOperator_Lt_LtE", "ComparisonOperator_LtE_Lt", "ComparisonOperator_Gt_GtE"),
    *("ComparisonOperator_GtE_Gt", "ComparisonOperator_Eq_NotEq", "ComparisonOperator_NotEq_Eq"),
    *("ComparisonOperator_Is_IsNot", "ComparisonOperator_IsNot_Is"),
    *("UnaryOperator_USub_UAdd", "UnaryOperator_Delete_Not"),
    *("TrueWithFalse", "FalseWithTrue", "AndWithOr", "OrWithAnd"),
    *("BreakWithContinue", "ContinueWithBreak"),
)
OTHERS = ("AddNot", "ExceptionReplacer", "ZeroIterationForLoop")


class NumberChanged(Operator):
    """A small integer one more and one less; any other number a tenth more and a tenth less."""

    def mutation_positions(self, node: Any) -> Any:
        """Two places for each number."""
        if node.type == "number":
            yield from [(node.start_pos, node.end_pos)] * 2

    def mutate(self, node: Any, index: int) -> Any:
        """The number with the change of that index."""
        value = eval(node.value)
        small = isinstance(value, int) and abs(value) <= 100
        changed = value + (1, -1)[index] if small else value * (1.1, 0.9)[index]
        return parso.python.tree.Number(repr(changed), node.start_pos, node.prefix)

    @classmethod
    def examples(cls) -> tuple[()]:
        """None: cosmic-ray's own tests use them."""
        return ()


class CallDropped(Operator):
    """A call replaced by its first argument: `max(0.0, x)` by `0.0`, `holm(p)` by `p`."""

    def mutation_positions(self, node: Any) -> Any:
        """One place for each call that has a positional first argument."""
        if _first_argument(node) is not None:
            yield (node.start_pos, node.end_pos)

    def mutate(self, node: Any, index: int) -> Any:
        """The argument, in brackets."""
        argument = parso.parse(f"({_first_argument(node).get_code().strip()})").children[0]
        argument.get_first_leaf().prefix = node.get_first_leaf().prefix
        return argument

    @classmethod
    def examples(cls) -> tuple[()]:
        """None: cosmic-ray's own tests use them."""
        return ()


def _first_argument(node: Any) -> Any:
    """The first argument of a call that ends the expression `node`; None where there is none."""
    if node.type != "atom_expr" or node.children[-1].type != "trailer":
        return None
    trailer = node.children[-1]
    if trailer.children[0].value != "(" or len(trailer.children) != 3:
        return None
    first = trailer.children[1]
    if first.type == "arglist":
        first = first.children[0]
    return None if first.type in ("argument", "comp_for") else first


OPERATORS: list[Operator] = [
    *(get_operator(f"core/Replace{name}")() for name in REPLACED),
    *(get_operator(f"core/{name}")() for name in OTHERS),
    NumberChanged(),
    CallDropped(),
]


@dataclass(frozen=True)
class Mutant:
    """One change of a file: its new text, and the first line that differs, before and after."""

    text: str
    line: int
    before: str
    after: str


class _Places(Visitor):  # type: ignore[misc]
    """Which occurrences of an operator are worth trying."""

    def __init__(self, operator: Operator) -> None:
        self.operator = operator
        self.tried: list[bool] = []

    def visit(self, node: Any) -> Any:
        for _ in self.operator.mutation_positions(node):
            self.tried.append(not _never_tried(node))
        return node


def _never_tried(node: Any) -> bool:
    """Decorators (frozen, slots), `strict=` of zip, errors' texts, types: no test asserts them."""
    while node is not None:
        if node.type in ("decorator", "raise_stmt", "tfpdef"):
            return True
        if node.type == "argument" and node.children[0].get_code().strip() == "strict":
            return True
        node = node.parent
    return False


def places_of(text: str) -> list[tuple[Operator, int]]:
    """Operators, and which of their occurrences in a file to try, in an order of the seed."""
    places = []
    for operator in OPERATORS:
        visitor = _Places(operator)
        visitor.walk(get_ast(text))
        places += [(operator, i) for i, tried in enumerate(visitor.tried) if tried]
    random.Random(SEED).shuffle(places)
    return places


def mutant_of(text: str, operator: Operator, occurrence: int) -> Mutant | None:
    """The file with one change; None where it stays as it is, or is no Python any more."""
    changed = mutate_code(text, operator, occurrence)
    try:
        compile(changed or text, "mutant", "exec")
    except SyntaxError:
        return None
    lines, new = text.splitlines(), (changed or text).splitlines()
    for i, (before, after) in enumerate(zip(lines, new, strict=False)):
        if before != after:
            return Mutant(changed, i + 1, before.strip(), after.strip())
    return None


def chosen_mutants(text: str, size: int, equivalent: set[tuple[str, str]]) -> list[Mutant]:
    """At most `size` mutants that are not listed as equivalent, in the order of their lines."""
    chosen: dict[str, Mutant] = {}
    for place in places_of(text):
        mutant = mutant_of(text, *place)
        if mutant and (mutant.before, mutant.after) not in equivalent:
            chosen[mutant.text] = mutant
        if len(chosen) == size:
            break
    return sorted(chosen.values(), key=lambda m: m.line)


def passes(source: Path, tests: list[str], limit_s: float) -> bool:
    """Whether the tests pass within the limit with the package below `source`."""
    child = os.fork()
    if not child:
        _run_tests(source, tests)
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return False


def _run_tests(source: Path, tests: list[str]) -> None:
    """Run pytest in this forked process, which ends with its exit code."""
    code = 1
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        sys.path.insert(0, str(source))
        os.environ["PYTHONPATH"] = str(source)
        # Two mutants of one size within a second have one stamp: bytecode would be stale.
        sys.dont_write_bytecode = True
        # A counterexample need not be small, and what fails once need not be stored.
        settings.register_profile(
            "mutants", phases=[Phase.explicit, Phase.generate], database=None, derandomize=True
        )
        settings.load_profile("mutants")
        options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not data"]
        # These are about time and memory, and most of what the others take.
        options += ["-k", "not hundred_thousand"]
        code = int(pytest.main([*options, "--rootdir", str(ROOT), *tests]))
    finally:
        os._exit(code)


def try_file(
    source: Path, file: str, tests: list[str], chosen: list[Mutant], limit_s: float
) -> list[Mutant]:
    """The mutants of one file that its tests do not notice."""
    target = source / "joulecast" / file
    original = target.read_text(encoding="utf-8")
    survivors = []
    try:
        for mutant in chosen:
            target.write_text(mutant.text, encoding="utf-8")
            if passes(source, tests, limit_s):
                survivors.append(mutant)
    finally:
        target.write_text(original, encoding="utf-8")
    return survivors


def main() -> int:
    """Print what each file's tests notice; 1 where it is too little."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", help="parts of file names (default: all files)")
    parser.add_argument("--all", action="store_true", help="try all mutants, not a sample")
    arguments = parser.parse_args()
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutants"]
    listed = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))
    failed = []
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder)
        shutil.copytree(ROOT / "src", source, dirs_exist_ok=True)
        for file, tests in config["files"].items():
            if arguments.files and not any(part in file for part in arguments.files):
                continue
            size = None if arguments.all else config["sample"]
            if not report_file(source, file, tests, listed.get(file, []), size, config):
                failed.append(file)
    if failed:
        print(f"less than {config['noticed_pct']} % noticed: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


def report_file(
    source: Path,
    file: str,
    tests: list[str],
    listed: list[dict[str, str]],
    size: int | None,
    config: dict[str, Any],
) -> bool:
    """Try the mutants of one file and print the result; whether enough were noticed."""
    target = source / "joulecast" / file
    start = time.monotonic()
    if not passes(source, tests, 300):
        print(f"{file}: its tests fail without any change: {' '.join(tests)}")
        return False
    limit_s = max(config["min_limit_s"], 5 * (time.monotonic() - start))
    equivalent = {(m["before"], m["after"]) for m in listed}
    text = target.read_text(encoding="utf-8")
    stale = {m["before"] for m in listed} - {line.strip() for line in text.splitlines()}
    places = len(places_of(text))
    chosen = chosen_mutants(text, size or places, equivalent)
    survivors = try_file(source, file, tests, chosen, limit_s)
    noticed = len(chosen) - len(survivors)
    share = 100 * noticed / len(chosen) if chosen else 100.0
    print(
        f"{file}: {len(chosen)} mutants of {places} possible ones, {noticed} noticed, {share:.0f} %"
        f" ({len(equivalent)} listed as equivalent; {time.monotonic() - start:.0f} s)",
        flush=True,
    )
    for mutant in survivors:
        print(f"  {mutant.line}: {mutant.before}\n  {' ' * len(str(mutant.line))}> {mutant.after}")
    for before in sorted(stale):
        print(f"  listed as equivalent, and no line of the file any more: {before}")
    return share >= config["noticed_pct"] and not stale


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
