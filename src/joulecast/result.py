"""What public functions return: plain data that shows itself as text, HTML and JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

from . import serialize

Medium = Literal["text", "html"]
# Set by the package's `__init__`: results lie on low floors, the reports that draw them on a high
# one, and no floor imports from above.
_render: Callable[[Result, Medium], str] | None = None


class Result:
    """Base of the dataclasses that a verb prints and its function returns.

    A subclass is a `@dataclass(frozen=True, slots=True, repr=False)` whose fields are the keys of
    its JSON document, and names the document's schema in `SCHEMA`.
    """

    __slots__ = ()
    SCHEMA: ClassVar[str]

    @property
    def exit_code(self) -> int:
        """The exit code of the verb that prints it."""
        return 0

    def to_json(self) -> dict[str, Any]:
        """The JSON document that the verb prints with `--json`, as plain types."""
        return serialize.document(self.SCHEMA, self)

    @classmethod
    def document_type(cls) -> type:
        """The dataclass whose fields are the document's keys; another where `to_json` differs."""
        return cls

    def __repr__(self) -> str:
        return _render(self, "text") if _render else object.__repr__(self)

    def _repr_html_(self) -> str | None:
        return _render(self, "html") if _render else None


def render_with(render: Callable[[Result, Medium], str]) -> None:
    """Let `render` draw every result from now on."""
    global _render
    _render = render
