import pytest

from joulecast.cli.runs import fitted

LONGEST = {
    "id": 8,
    "name": 120,  # a whole command line
    "started": 16,
    "duration": 10,
    "energy": 22,
    "provenance": 8,
    "status": 8,
    "tags": 16,
}


def test_a_wide_terminal_shows_all() -> None:
    widths, space = fitted(LONGEST, 160)
    assert list(widths) == list(LONGEST)
    assert (widths["name"], widths["started"], space) == (40, 16, 2)


@pytest.mark.parametrize(("room", "started", "name"), [(104, 16, 24), (100, 10, 24), (80, 10, 8)])
def test_a_long_name_gives_way_before_the_date(room: int, started: int, name: int) -> None:
    widths, space = fitted(LONGEST, room)
    assert (widths["started"], widths["name"]) == (started, name)
    assert "tags" not in widths
    assert sum(widths.values()) + space * (len(widths) - 1) <= room


def test_short_names_leave_room_for_the_hour() -> None:
    widths, _ = fitted(LONGEST | {"name": 6, "duration": 8, "tags": 4}, 84)
    assert widths["started"] == 16


def test_what_never_fits_still_has_its_figures() -> None:
    widths, space = fitted(LONGEST, 20)
    assert space == 1
    assert set(widths) == {"id", "name", "duration", "energy", "provenance", "status"}
