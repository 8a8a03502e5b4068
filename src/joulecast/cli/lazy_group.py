"""A group of verbs of which each is loaded only when it is called."""

import importlib
from collections.abc import Mapping
from typing import Any

import click

Sections = Mapping[str, Mapping[str, tuple[str, str]]]
"""By title and verb: the verb's module, `MODULE` or `MODULE:NAME`, and its line in the help."""


class LazyGroup(click.Group):
    """Its help is written from `sections`, so that it need not load the verbs.

    `former` is what replaces verbs of an older version; the error for one of them names it.
    """

    def __init__(
        self,
        *args: Any,
        sections: Sections,
        package: str,
        former: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self._former = former or {}
        self._sections, self._package = sections, package
        self._verbs = {verb: home for verbs in sections.values() for verb, home in verbs.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the sections."""
        return list(self._verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb, or None."""
        if cmd_name not in self._verbs:
            if cmd_name in self._former:
                ctx.fail(f"No such command {cmd_name!r}: use {self._former[cmd_name]} instead")
            return None
        module, _, name = self._verbs[cmd_name][0].partition(":")
        loaded = importlib.import_module(f"{self._package}.{module}")
        command: click.Command = getattr(loaded, name or "command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs with one line each, by section."""
        width = max(map(len, self._verbs))
        for title, verbs in self._sections.items():
            with formatter.section(title):
                formatter.write_dl([(verb.ljust(width), line) for verb, (_, line) in verbs.items()])
