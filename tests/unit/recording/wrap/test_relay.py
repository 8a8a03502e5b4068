"""The reading of a command's output, without a relay process."""

import os

from joulecast.recording.wrap.outputs import Channel, Outputs, OutputSink
from joulecast.recording.wrap.relay import Relay


class EndsAtOnce(Outputs):
    """Of a command that has ended: the thread that reads reports is just closing the source."""

    def close_ends(self):
        if self.ends:
            os.close(self.channels[0].source)
        super().close_ends()


def test_a_command_may_end_before_its_keys_are_passed_on():
    ours, theirs = os.openpty()
    out, into = os.pipe()
    outputs = EndsAtOnce()
    outputs.channels = [Channel(ours, (1, 2), OutputSink(into), name=os.ttyname(theirs))]
    outputs.ends = [(theirs, (1, 2))]
    relay = Relay(outputs, None)
    try:
        relay.started(os.getpid())
        assert outputs.ends == []
    finally:
        outputs.channels = []
        relay.cancel()
        os.close(out)
        os.close(into)
