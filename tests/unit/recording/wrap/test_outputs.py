"""The command's outputs: which of them get a status line."""

import fcntl
import os
import struct
import termios

import pytest

from joulecast.recording.wrap.outputs import Outputs, _Stream


@pytest.mark.parametrize(("rows", "columns", "has_line"), [(24, 80, True), (0, 0, False)])
def test_a_terminal_of_unknown_size_has_no_line(rows, columns, has_line):
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    outputs = Outputs()
    outputs.add(_Stream((theirs, 2), "terminal"), status_line=True)
    try:
        assert outputs.has_line == has_line
        assert outputs.reads == {theirs, 2}
    finally:
        outputs.close_ends()
        outputs.close()
        os.close(ours)
        os.close(theirs)
