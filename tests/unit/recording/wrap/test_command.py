"""How a command ended."""

import pytest

from joulecast.recording.wrap.command import Exit


@pytest.mark.parametrize(
    ("code", "number", "canceled"),
    [
        (None, 2, True),
        (None, 15, True),
        (130, None, True),
        (143, None, True),
        (None, 9, False),
        (None, 11, False),
        (0, None, False),
        (1, None, False),
        # Usage errors of git, not a closed terminal.
        (129, None, False),
    ],
)
def test_ctrl_c_and_sigterm_cancel_a_command(code, number, canceled):
    assert Exit(code, number).is_canceled is canceled
