"""Results as text or HTML, for `repr` and notebooks."""

from ..result import Medium, Result
from .documents import document_of


def render(result: Result, medium: Medium) -> str:
    """A result as text (100 columns) or as an HTML fragment."""
    if medium == "html":
        from .documents.html import to_html

        return to_html(document_of(result))
    from .terminal.render import to_text

    return to_text(document_of(result))
