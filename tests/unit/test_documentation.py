"""README and docs: their commands parse, the paths they name exist, generated parts are fresh."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

from joulecast import cli

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
_COMMAND = re.compile(r"^(?:\s*\$ |\s*[A-Z_]+=\S+ )*\s*joulecast (?!finished)(.*)$")


def commands(page: Path) -> list[str]:
    """The `joulecast` commands in its blocks of code and in backticks, continued lines joined."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = re.findall(r"^```(?:console|sh|)\n(.*?)^```", text, re.S | re.M)
    blocks += re.findall(r"(?:^    .+\n)+", text, re.M)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += re.findall(r"`(joulecast [^`]+)`", text)
    commands = [match[1] for line in lines if (match := _COMMAND.match(line))]
    return [command for command in commands if not re.search(r"[A-Z]{2,}|\.\.\.|\[", command)]


CASES = [(page.relative_to(ROOT), command) for page in PAGES for command in commands(page)]


def test_there_are_commands() -> None:
    assert len(CASES) > 60


@pytest.mark.parametrize(("page", "command"), CASES)
def test_a_command_parses(page: Path, command: str) -> None:
    words = shlex.split(command, comments=True)
    group: click.Command = cli.group
    context = click.Context(group, info_name="joulecast")
    while isinstance(group, click.Group) and words and not words[0].startswith("-"):
        child = group.get_command(context, words[0])
        assert child is not None, f"{page}: no verb {words[0]}"
        group, words = child, words[1:]
    options = {name for p in group.params for name in (*p.opts, *p.secondary_opts)}
    wrapped = words.index("--") if "--" in words else len(words)
    for word in words[:wrapped]:
        if word.startswith("-") and word not in ("-h", "--help", "--version"):
            assert word.partition("=")[0] in options, f"{page}: {command}: no option {word}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    paths = re.findall(r"\b((?:src/joulecast|tests|benchmarks|examples|docs)/[\w./-]*\w)", text)
    missing = [path for path in paths if not (ROOT / path).exists() and "NAME" not in path]
    assert missing == []


def test_generated_parts_are_fresh() -> None:
    check = [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"]
    done = subprocess.run(check, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 150


def test_the_lowest_versions_that_are_claimed_are_those_that_are_tested() -> None:
    claimed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    tested = (ROOT / "tests" / "lowest.txt").read_text().splitlines()[1:]
    pairs = [line.split("==") for line in tested]
    lowest = {name: version.split(".") for name, version in pairs}
    for requirement in claimed:
        name, floor = requirement.split(">=")
        # A floor of 8.1 is the first release of 8.1.
        given = floor.split(".")
        assert lowest[name][: len(given)] == given, requirement
    assert len(claimed) == len(tested)
