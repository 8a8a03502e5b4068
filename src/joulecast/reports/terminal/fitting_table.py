"""Tables that fit the terminal: one column gives way, no figure is cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .run import plain_table

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

LEAST = 10  # columns that names keep


def fitting_table(
    width: int,
    titles: Sequence[str],
    rows: Sequence[Sequence[str | Text]],
    names: int = 0,
    left: Sequence[int] = (),
) -> Table:
    """A table no wider than `width`, in which column `names` is shortened where it must be.

    Args:
        width: of the terminal.
        titles: of the columns.
        rows: their cells, which are shown as they are (markup is not read).
        names: the column of names, at the left margin of its cells.
        left: other columns at the left margin; figures are at the right one.
    """
    from rich.text import Text

    texts = [[c if isinstance(c, Text) else Text(c) for c in row] for row in rows]
    longest = [max([len(t), *(r[i].cell_len for r in texts)]) for i, t in enumerate(titles)]
    space = 2 if sum(longest) + 2 * (len(titles) - 1) <= width else 1
    room = width - sum(longest) + longest[names] - space * (len(titles) - 1)
    table = plain_table()
    table.padding = (0, space - 1, 0, 0)  # the box itself parts columns by one space
    table.pad_edge = False
    for i, title in enumerate(titles):
        table.add_column(
            Text(title),
            justify="left" if i == names or i in left else "right",
            width=max(min(LEAST, longest[i]), min(longest[i], room)) if i == names else longest[i],
            overflow="ellipsis",
            no_wrap=True,
        )
    for row in texts:
        table.add_row(*row)
    return table
