"""Write the parts of the documentation that come from the code: options of verbs, JSON Schemas.

python docs/generate.py           # write them
python docs/generate.py --check   # fail where they are not up to date (`make docs`)
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import pkgutil
import sys
from collections.abc import Iterator
from html import escape
from inspect import cleandoc
from pathlib import Path
from typing import Any

import click

import joulecast
from joulecast import cli, serialize
from joulecast.result import Result

DOCS = Path(__file__).parent
BEGIN, END = "<!-- help and options: written by docs/generate.py -->", "<!-- end of options -->"
Generated = Iterator[tuple[Path, str]]


def main() -> int:
    """Write, or check, every generated text; 1 where a check fails."""
    check = "--check" in sys.argv[1:]
    stale = []
    for path, text in (*schemas(), *verbs()):
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(path.relative_to(DOCS))
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for path in stale:
        print(f"{path}: {'not up to date: run python docs/generate.py' if check else 'written'}")
    return int(check and bool(stale))


def schemas() -> Generated:
    """A JSON Schema for each document that a verb prints."""
    for kind in results():
        name = kind.SCHEMA.removeprefix("joulecast/").replace("/", "-")
        schema = serialize.json_schema(kind.document_type(), kind.SCHEMA)
        yield DOCS / "schemas" / f"{name}.json", json.dumps(schema, indent=2) + "\n"


def results() -> list[type[Result]]:
    """Every result of a public function, by the name of its schema."""
    for module in pkgutil.walk_packages(joulecast.__path__, "joulecast."):
        if "migrations" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    # Of two results with one schema, that with more keys: a run is shown with its power, too.
    found = [kind for kind in subclasses(Result) if hasattr(kind, "SCHEMA")]
    found.sort(key=lambda kind: len(dataclasses.fields(kind.document_type())))
    kinds = {kind.SCHEMA: kind for kind in found}
    return [kinds[name] for name in sorted(kinds)]


def subclasses(kind: type) -> Iterator[type]:
    """All classes below one; `slots=True` makes each dataclass twice, the later one counts."""
    for below in kind.__subclasses__():
        yield below
        yield from subclasses(below)


def verbs() -> Generated:
    """The page of each verb, with its options as `--help` shows them."""
    root = click.Context(cli.group)
    for name in cli.group.list_commands(root):
        path = DOCS / "verbs" / f"{name}.md"
        page = (
            path.read_text(encoding="utf-8") if path.exists() else f"# {name}\n\n{BEGIN}\n{END}\n"
        )
        head, _, rest = page.partition(BEGIN)
        _, _, tail = rest.partition(END)
        command = cli.group.get_command(root, name)
        assert command is not None
        yield path, f"{head}{BEGIN}\n\n{options_of(name, command)}\n{END}{tail}"


def options_of(name: str, command: click.Command) -> str:
    """The usage and the options of a command, and of those below it."""
    context = click.Context(command, info_name=f"joulecast {name}", show_default=True)
    if isinstance(command, click.Group):
        below = [(sub, command.get_command(context, sub)) for sub in command.list_commands(context)]
        return "\n".join(
            f"### {name} {sub}\n\n{options_of(f'{name} {sub}', each)}"
            for sub, each in below
            if each
        )
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    lines = [help_of(command), "", "```", usage, "```", "", "| option | meaning |", "|---|---|"]
    records = [p.get_help_record(context) for p in command.get_params(context)]
    lines += [row(*record) for record in records if record]
    return "\n".join(lines) + "\n"


def help_of(command: click.Command) -> str:
    """The command's help as Markdown: what it gives, and its examples as code."""
    lines = cleandoc(command.help or "").replace("\b", "").splitlines()
    return "\n".join(f"    {x}" if x.startswith("joulecast ") else x for x in lines)


def row(option: str, meaning: str) -> str:
    """A row of the table of options."""
    code = escaped(option).replace("[", "&#91;")
    bare = escaped(meaning).replace("[", "\\[")  # no link
    return f"| <code>{code}</code> | {bare} |"


def escaped(text: Any) -> str:
    """Text as a cell of a Markdown table."""
    return escape(" ".join(str(text).split()), quote=False).replace("|", "&#124;")


if __name__ == "__main__":
    sys.exit(main())
