"""`joulecast run` without the recording: a command behind the relay, what was read in a file.

    relay_driver.py OPTIONS-AS-JSON COMMAND...

Options: `copy` (a file for the bytes read), `reads` (a file for the names of the streams read),
`line` (text of the status line; {n} counts its updates), `slow_s` (seconds that each piece of
output takes to process), `raises`, `say` (a message once the command has printed something),
`words` (the last line on stderr), `pid` (a file for the process ids).
"""

import json
import os
import sys
import threading
import time
from pathlib import Path

from joulecast.recording.wrap import relay as relays
from joulecast.recording.wrap.command import Exit, check_command, run_command
from joulecast.recording.wrap.signals import hold_signals


def main():
    options, command = json.loads(sys.argv[1]), sys.argv[2:]
    signals = hold_signals()
    relay = relays.start(status_line="line" in options, env=os.environ)
    check_command(command[0])
    copy = os.open(options.get("copy", os.devnull), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    notified = []

    def on_output(stream, data, t_s):
        assert stream in (1, 2) and abs(time.monotonic() - t_s) < 60
        if "raises" in options:
            raise ValueError("a fault of ours")
        time.sleep(options.get("slow_s", 0))
        os.write(copy, data)
        if "say" in options and not notified:
            notified.append(relay.notify(options["say"]))

    def keep_line():
        for n in range(1, 1_000_000):
            relay.status(options["line"].format(n=n))
            if ended.wait(0.02):
                return

    ended = threading.Event()
    relay.listen(on_output)
    if "line" in options:
        threading.Thread(target=keep_line, daemon=True).start()
    if "reads" in options:
        streams = {"reads": sorted(relay.reads), "line": relay.has_line}
        Path(options["reads"]).write_text(json.dumps(streams))

    def on_start(pid):
        if "pid" in options:
            Path(options["pid"]).write_text(f"{os.getpid()} {pid}")

    def on_end(result: Exit):
        ended.set()
        copied = os.fstat(copy).st_size
        relay.finish()
        if "words" in options:
            words = options["words"].format(lost=relay.lost, fault=relay.fault, copied=copied)
            os.write(2, (words + "\n").encode())

    run_command(command, relay.environment(os.environ), signals, on_start, on_end, relay).leave()


main()
