"""A command behind the relay, compared with the command alone: real processes and terminals."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import resource
import select
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import pyte
import pytest

PYTHON = sys.executable
DRIVER = str(Path(__file__).with_name("relay_driver.py"))
PATIENCE_S = 60.0


def behind(*command, **options):
    return [PYTHON, DRIVER, json.dumps(options), *command]


def run(*command, **more):
    return subprocess.run(command, timeout=PATIENCE_S, **{"capture_output": True} | more)


def bash(script, **more):
    return run("bash", "-c", script, **more)


def quoted(command):
    return shlex.join(command)


def wait_until(condition, what="it"):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"no {what} within {PATIENCE_S} s")


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Terminal:
    """A terminal with a program in it, both played on a screen and kept as bytes."""

    def __init__(self, command, rows=24, columns=80, env=None, term="xterm-256color", stdout=None):
        self.screen = pyte.HistoryScreen(columns, rows, history=10_000)
        self.stream = pyte.ByteStream(self.screen)
        self.output = b""
        ready, go = os.pipe()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.read(ready, 1)
            if stdout is not None:
                os.dup2(stdout, 1)
            os.closerange(3, 256)
            os.execvpe(command[0], command, (env or dict(os.environ)) | {"TERM": term})
        self.resize(rows, columns)
        os.write(go, b"x")
        os.close(ready)
        os.close(go)
        self.ended = False

    def resize(self, rows, columns):
        self.screen.resize(rows, columns)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, wait_s=0.1):
        if self.ended or not select.select([self.fd], [], [], wait_s)[0]:
            return
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b""
        self.ended = not data
        self.output += data
        self.stream.feed(data)

    def until(self, condition, what="it"):
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end, f"waited in vain for {what}:\n{self.output[-2000:]!r}"
            if self.ended:
                assert condition(), f"ended without {what}:\n{self.output[-2000:]!r}"
                return
            self.read()

    def until_printed(self, text):
        self.until(lambda: text in self.output, text)

    def until_end(self):
        self.until(lambda: self.ended, "the end")
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)

    def type(self, keys):
        os.write(self.fd, keys)

    def close(self):
        os.close(self.fd)

    @property
    def rows(self):
        return [row.rstrip() for row in self.screen.display]

    @property
    def whole_screen_scrolls(self):
        return self.screen.margins in (None, pyte.screens.Margins(0, self.screen.lines - 1))


@pytest.fixture(autouse=True)
def buffered(monkeypatch):
    """Whoever runs the tests may have set it."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


@pytest.fixture
def terminal():
    opened = []

    def open_terminal(command, **more):
        opened.append(Terminal(command, **more))
        return opened[-1]

    yield open_terminal
    for each in opened:
        with suppress(OSError):
            os.killpg(each.pid, signal.SIGKILL)
        with suppress(OSError):
            each.close()
        with suppress(OSError):
            os.waitpid(each.pid, 0)


@pytest.fixture
def script(tmp_path):
    def write(text):
        path = tmp_path / "script.py"
        path.write_text(text)
        return [PYTHON, str(path)]

    return write


# --- bytes ---------------------------------------------------------------------------------------


def test_every_byte_passes_through_pipes(tmp_path):
    data = os.urandom(50_000_000)
    (source := tmp_path / "source").write_bytes(data)
    done = run(*behind("cat", str(source)))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == data


ODD = b"a\r\nb\rc\n\x00\xff\xfe\xc3(\xe2\x82\x1b[31mpart\x1b]0;title\x07\x04\x03\x1a\x7f no end"


@pytest.mark.parametrize("redirection", ["| cat >/dev/null", ">FILE", ">/dev/null"])
def test_all_output_is_read_before_the_end_is_reported(tmp_path, redirection):
    """The last epoch's line counts, and the recording ends before the summary is written."""
    command = behind("seq", "1000", copy=str(tmp_path / "copy"), words="{copied}")
    done = bash(f"{quoted(command)} {redirection.replace('FILE', str(tmp_path / 'file'))}")
    assert int(done.stderr) == (tmp_path / "copy").stat().st_size == 3893


@pytest.mark.parametrize("stream", [1, 2])
def test_odd_bytes_pass_and_are_read(tmp_path, script, stream):
    copy = tmp_path / "copy"
    command = script(f"import os\nos.write({stream}, {ODD!r})")
    done = run(*behind(*command, copy=str(copy)))
    assert (done.stdout, done.stderr) == ((ODD, b"") if stream == 1 else (b"", ODD))
    assert copy.read_bytes() == ODD


def test_a_terminal_gets_the_same_bytes(terminal, script, tmp_path):
    command = script(f"import os\nfor _ in range(2000): os.write(1, {ODD + os.urandom(100)!r})")
    copy = tmp_path / "copy"
    bare, ours = terminal(command), terminal(behind(*command, copy=str(copy)))
    assert (bare.until_end(), ours.until_end()) == (0, 0)
    assert len(bare.output) > 200_000
    assert ours.output == bare.output


@pytest.mark.parametrize("streams", ["2>&1 | cat", "2>&1 >FILE; cat FILE", ">FILE 2>&1; cat FILE"])
def test_the_order_of_both_streams_is_kept(tmp_path, streams):
    loop = 'for i in $(seq 500); do echo "out $i"; echo "err $i" >&2; done'
    streams = streams.replace("FILE", str(tmp_path / "file"))
    bare = bash(f"bash -c {quoted([loop])} {streams}")
    (tmp_path / "file").unlink(missing_ok=True)
    ours = bash(f"{quoted(behind('bash', '-c', loop))} {streams}")
    assert bare.stdout.count(b"\n") == 1000
    assert (ours.stdout, ours.stderr) == (bare.stdout, bare.stderr)


def test_the_order_of_both_streams_is_kept_on_a_terminal(terminal):
    loop = 'for i in $(seq 500); do echo "out $i"; echo "err $i" >&2; done'
    bare, ours = terminal(["bash", "-c", loop]), terminal(behind("bash", "-c", loop))
    bare.until_end()
    ours.until_end()
    assert ours.output == bare.output


def test_a_slow_reader_of_the_copy_does_not_slow_the_command(tmp_path):
    """The copy has gaps then, the output has none."""
    data = os.urandom(8_000_000)
    (source := tmp_path / "source").write_bytes(data)
    done = run(*behind("cat", str(source), slow_s=0.01, words="lost {lost}"))
    assert done.stdout == data
    assert int(done.stderr.split()[-1]) >= 1


def test_a_fault_in_the_reading_costs_the_reading_only():
    done = run(*behind("seq", "1000", raises=True, words="{fault}"))
    assert done.stdout == b"".join(b"%d\n" % n for n in range(1, 1001))
    assert done.stderr == b"ValueError: a fault of ours\n"


# --- what the command finds ----------------------------------------------------------------------


def test_pipes_stay_pipes_and_terminals_stay_terminals(terminal, script, tmp_path):
    about = (
        "import os, stat, sys\n"
        "kinds = [(os.isatty(n), stat.S_IFMT(os.fstat(n).st_mode)) for n in (0, 1, 2)]\n"
        "size = os.get_terminal_size(2) if os.isatty(2) else None\n"
        "fds = sorted(int(n) for n in os.listdir('/proc/self/fd'))\n"
        "open(sys.argv[1], 'w').write(repr((kinds, size, fds, os.getpgrp() == os.getpid(),\n"
        "    os.environ.get('PYTHONUNBUFFERED'), sys.stdout.line_buffering)))\n"
    )
    command, target = script(about), tmp_path / "found"
    shown = []
    for whole in ([*command, str(target)], behind(*command, str(target))):
        assert terminal(whole).until_end() == 0
        shown.append(target.read_text())
    # Alone, it is itself the leader of the process group.
    assert shown[1] == shown[0].replace("True, None", "False, None")
    assert "lines=24" in shown[1]


@pytest.mark.parametrize(
    ("redirection", "unbuffered"),
    [("| cat", True), (">/dev/null", True), (">FILE", True), (">&-", False)],
)
def test_a_python_behind_a_pipe_or_a_file_does_not_hold_back(tmp_path, redirection, unbuffered):
    target = tmp_path / "env"
    command = behind(
        PYTHON,
        "-c",
        "import os, sys; open(sys.argv[1], 'w').write(os.environ.get('PYTHONUNBUFFERED', ''))",
        str(target),
    )
    redirection = redirection.replace("FILE", str(tmp_path / "file"))
    assert bash(f"{quoted(command)} {redirection}").returncode == 0
    assert target.read_text() == ("1" if unbuffered else "")
    env = os.environ | {"PYTHONUNBUFFERED": "0"}
    bash(f"{quoted(command)} {redirection}", env=env)
    assert target.read_text() == "0"


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&-", "<&- >&- 2>&-"])
def test_what_is_closed_stays_closed(tmp_path, closed):
    shown = []
    code = (
        "import os, sys\n"
        "def is_open(n):\n"
        "    try: os.fstat(n)\n"
        "    except OSError: return False\n"
        "    return True\n"
        "import pathlib; pathlib.Path(sys.argv[1]).write_text(str([is_open(n) for n in range(9)]))"
    )
    for wrap in (False, True):
        target = tmp_path / f"found{wrap}"
        command = [PYTHON, "-c", code, str(target)]
        bash(f"{quoted(behind(*command) if wrap else command)} {closed}")
        shown.append(target.read_text())
    assert shown[0] == shown[1]
    assert "False" in shown[0]


def test_a_file_stays_the_commands_own(tmp_path, script):
    """Its position, size and errors are those of the file; only the progress is read as well."""
    copy, log = tmp_path / "copy", tmp_path / "log"
    log.write_text("before\n")
    command = script(
        "import os, time\n"
        "os.write(1, b'one\\n'); time.sleep(0.3)\n"
        "print(os.fstat(1).st_ino, flush=True)\n"
        "os.write(1, b'two\\n')\n"
    )
    done = bash(f"{quoted(behind(*command, copy=str(copy)))} >> {log}")
    assert done.returncode == 0
    inode = str(log.stat().st_ino)
    assert log.read_text().split() == ["before", "one", inode, "two"]
    assert copy.read_text().split() == ["one", inode, "two"]


def test_a_log_that_is_emptied_meanwhile_is_read_on(tmp_path, script):
    copy, log = tmp_path / "copy", tmp_path / "log"
    command = script(
        "import os, time\n"
        "def wait_for(text):\n"
        f"    while text not in open({str(copy)!r}, 'rb').read(): time.sleep(0.02)\n"
        "os.write(1, b'a long first line\\n'); wait_for(b'first')\n"
        "os.truncate(1, 0); os.write(1, b'two\\n'); wait_for(b'two')\n"
        "os.write(1, b'three\\n')\n"
    )
    copy.touch()
    assert bash(f"{quoted(behind(*command, copy=str(copy)))} >> {log}").returncode == 0
    assert log.read_text() == "two\nthree\n"
    assert copy.read_text() == "a long first line\ntwo\nthree\n"


@pytest.mark.parametrize("command", ["yes | head -c 1000000", "python3 -c 'print(1)'"])
def test_a_full_disk_is_the_commands_to_notice(command):
    bare = bash(f"sh -c {quoted([command])} > /dev/full")
    ours = bash(f"{quoted(behind('sh', '-c', command))} > /dev/full")
    assert bare.returncode != 0
    assert (ours.returncode, ours.stderr) == (bare.returncode, bare.stderr)


def test_a_limit_on_the_size_of_a_file_is_met_by_the_command(tmp_path):
    command = [PYTHON, "-c", "import os; os.write(1, b'x' * 5000); os.write(1, b'x' * 5000)"]
    limited = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))}
    outcomes = []
    for wrapped in (command, behind(*command)):
        with (tmp_path / "log").open("wb") as log:
            done = subprocess.run(wrapped, stdout=log, stderr=subprocess.PIPE, **limited)
        outcomes.append((done.returncode, done.stderr, (tmp_path / "log").stat().st_size))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][2] == 4096


def test_file_descriptors_of_the_shell_arrive_and_ours_do_not(tmp_path):
    code = "import os; print(sorted(int(n) for n in os.listdir('/proc/self/fd')))"
    done = bash(f"{quoted(behind(PYTHON, '-c', code))} 7>{tmp_path / 'seven'} | cat")
    assert done.stdout == b"[0, 1, 2, 3, 7]\n", "3 is the folder that it lists"


FAULTY = """
import os, sys
from joulecast.recording.wrap import relay, outputs
from joulecast.recording.wrap.command import run_command
from joulecast.recording.wrap.signals import hold_signals
fails = 3
def fail(self):
    global fails
    fails -= 1
    if not fails: raise ValueError('a fault of ours')
relay.process.RelayLoop._write_messages = fail
held = hold_signals()
ours = relay.start(status_line=True, env=os.environ)
ours.listen(lambda *_: None)
run_command(sys.argv[1:], os.environ, held, lambda pid: None, lambda e: None, ours).leave()
"""


def test_a_fault_in_the_relay_costs_no_output():
    done = run(PYTHON, "-c", FAULTY, "sh", "-c", "seq 100000; sleep 0.2; echo err >&2; exit 7")
    assert done.returncode == 7
    assert done.stdout == b"".join(b"%d\n" % n for n in range(1, 100001))
    assert done.stderr == b"err\n"


CANCELLED = """
import os
from joulecast.recording.wrap import relay
before = os.listdir('/proc/self/fd')
relay.start(status_line=True, env=os.environ).cancel()
assert os.listdir('/proc/self/fd') == before
assert open(f'/proc/self/task/{os.getpid()}/children').read() == ''
print('nothing is left')
"""


def test_a_relay_that_is_not_needed_leaves_nothing(terminal):
    assert run(PYTHON, "-c", CANCELLED).stdout == b"nothing is left\n"
    shown = terminal([PYTHON, "-c", CANCELLED])
    assert shown.until_end() == 0
    assert shown.output == b"nothing is left\r\n"


# --- how it ends ---------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["pipes", "terminal"])
@pytest.mark.parametrize(
    ("shell", "code"), [("exit 7", 7), ("kill -TERM $$", -15), ("kill -KILL $$", -9)]
)
def test_the_command_ends_as_it_does_alone(terminal, where, shell, code):
    command = behind("sh", "-c", f"echo last words; {shell}", words="summary")
    if where == "pipes":
        done = run(*command)
        assert (done.returncode, done.stdout) == (code, b"last words\n")
    else:
        shown = terminal(command)
        assert shown.until_end() == code
        assert shown.output == b"last words\r\nsummary\r\n"


def test_the_summary_comes_after_all_output(terminal):
    """Also where the terminal is slow to take it."""
    shown = terminal(behind("seq", "1", "20000", words="summary"))
    time.sleep(0.3)  # nothing is read during this time
    assert shown.until_end() == 0
    lines = shown.output.split(b"\r\n")
    assert lines[:-2] == [b"%d" % n for n in range(1, 20001)]
    assert lines[-2:] == [b"summary", b""]


def test_a_command_that_cannot_be_started_leaves_nothing(tmp_path):
    (broken := tmp_path / "broken").write_text("#!/no/such/interpreter\n")
    broken.chmod(0o755)
    done = run(*behind(str(broken)))
    assert done.returncode == 1, "the driver's own traceback"
    assert b"CommandNotFoundError" in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["yes"],
        ["sh", "-c", "trap '' PIPE; while echo y 2>/dev/null; do :; done; exit 9"],
        [PYTHON, "-c", "while True: print('y')"],
    ],
)
def test_a_reader_that_leaves_ends_the_command_as_it_does_alone(command):
    bare = bash(f"{quoted(command)} | head -1; echo ${{PIPESTATUS[0]}}")
    ours = bash(f"{quoted(behind(*command))} | head -1; echo ${{PIPESTATUS[0]}}")
    assert bare.stdout.split()[1] in (b"141", b"9", b"1", b"120")
    assert ours.stdout == bare.stdout


def test_the_very_next_write_after_the_reader_left_fails(script):
    """Not the one after it: the relay sees that nobody reads before it has anything to write."""
    command = behind(*script("import time\nprint(1, flush=True)\ntime.sleep(1.5)\nprint(2)\n"))
    done = bash(f"{quoted(command)} | head -1; exit ${{PIPESTATUS[0]}}")
    assert done.returncode != 0
    assert b"BrokenPipeError" in done.stderr


def test_the_readers_of_a_named_pipe_may_come_and_go(tmp_path, script):
    os.mkfifo(tmp_path / "fifo")
    go = tmp_path / "go"
    command = script(
        "import os, sys, time\n"
        "print('one', flush=True)\n"
        "while not os.path.exists(sys.argv[1]): time.sleep(0.02)\n"
        "print('two', flush=True)\n"
    )
    inner = f"{quoted(behind(*command, str(go)))} > fifo & head -1 fifo; sleep 0.5; "
    done = bash(f"{inner} exec 3<fifo; touch {go}; cat <&3; wait $!; echo $?", cwd=tmp_path)
    assert done.stdout == b"one\ntwo\n0\n"


def test_a_slow_reader_holds_the_command_back(tmp_path, script):
    counted = tmp_path / "counted"
    command = script(
        "import os, sys\n"
        "total = 0\n"
        "while total < 50_000_000:\n"
        "    total += os.write(1, b'x' * 4096)\n"
        "    if total % (1 << 16) == 0: open(sys.argv[1], 'w').write(str(total))\n"
    )
    process = subprocess.Popen(behind(*command, str(counted)), stdout=subprocess.PIPE)
    seen = []

    def settled():
        seen.append(counted.read_text() if counted.exists() else "")
        return len(seen) > 40 and len(set(seen[-40:])) == 1

    wait_until(settled, "the writer to stand still")
    assert int(seen[-1]) < 1_000_000, "what the pipes hold, and no more"
    assert len(process.stdout.read()) >= 50_000_000
    assert process.wait(timeout=PATIENCE_S) == 0
    process.stdout.close()


def test_a_grandchild_in_the_background_prints_on_after_joulecast_has_gone(tmp_path):
    go = tmp_path / "go"
    inner = f"(while [ ! -e {go} ]; do sleep 0.05; done; echo late; echo later >&2) & echo early"
    process = subprocess.Popen(
        behind("sh", "-c", inner, words="summary"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    )
    assert process.wait(timeout=PATIENCE_S) == 0, "it does not wait for the grandchild"
    assert process.stdout.read(6) == b"early\n"
    assert process.stderr.read(8) == b"summary\n"
    go.touch()
    assert process.stdout.read() == b"late\n", "and then the end of the file: nobody holds it"
    assert process.stderr.read() == b"later\n"
    process.stdout.close()
    process.stderr.close()


def test_a_chatty_grandchild_does_not_keep_joulecast(tmp_path):
    process = subprocess.Popen(
        behind("sh", "-c", "yes & echo $! >&2", words="summary"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    pid = int(process.stderr.readline())
    try:
        end = time.monotonic() + PATIENCE_S
        while process.poll() is None and time.monotonic() < end:
            os.read(process.stdout.fileno(), 65536)
        assert process.wait(timeout=1) == 0
    finally:
        os.kill(pid, signal.SIGKILL)
    process.stdout.close()
    process.stderr.close()


@pytest.mark.parametrize("whom", ["joulecast", "its whole group"])
def test_a_kill_of_joulecast_costs_no_output(tmp_path, whom):
    go, pids = tmp_path / "go", tmp_path / "pids"
    inner = f"trap '' TERM; echo early; until [ -e {go} ]; do sleep 0.05; done; seq 100000"
    process = subprocess.Popen(
        behind("setsid" if whom != "joulecast" else "env", "sh", "-c", inner, pid=str(pids)),
        stdout=subprocess.PIPE,
        process_group=0,
    )
    assert process.stdout.readline() == b"early\n"
    if whom == "joulecast":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
    assert process.wait(timeout=PATIENCE_S) == -9
    go.touch()
    assert process.stdout.read() == b"".join(b"%d\n" % n for n in range(1, 100001))
    process.stdout.close()


def relay_of(pid):
    """The relay, among joulecast's children: it has a process group of its own."""
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if os.getpgid(int(child)) == int(child):
            return int(child)
    raise AssertionError("there is no relay")


def test_a_kill_of_the_relay_costs_neither_the_command_nor_its_output(tmp_path):
    go, pids, copy = tmp_path / "go", tmp_path / "pids", tmp_path / "copy"
    inner = f"echo early; until [ -e {go} ]; do sleep 0.05; done; seq 100000; echo err >&2; exit 7"
    process = subprocess.Popen(
        behind("sh", "-c", inner, pid=str(pids), copy=str(copy)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"early\n"
    os.kill(relay_of(process.pid), signal.SIGKILL)
    go.touch()
    rest = b"".join(b"%d\n" % n for n in range(1, 100001))
    assert process.stdout.read() == rest
    assert process.stderr.read() == b"err\n"
    assert process.wait(timeout=PATIENCE_S) == 7
    # It is read on, for its progress.
    assert b"\n100\n" in copy.read_bytes()
    process.stdout.close()
    process.stderr.close()


def test_after_a_kill_of_the_relay_a_reader_that_leaves_ends_the_command(tmp_path):
    process = subprocess.Popen(behind("yes"), stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"y\n"
    os.kill(relay_of(process.pid), signal.SIGKILL)
    assert process.stdout.readline() == b"y\n"
    process.stdout.close()
    assert process.wait(timeout=PATIENCE_S) == -signal.SIGPIPE


def test_a_kill_of_the_relay_leaves_the_terminal_to_the_command(terminal, script):
    command = script("import sys\nprint('ready')\nprint(sys.stdin.readline(), end='')\nsys.exit(7)")
    opened = terminal(behind(*command, line="line {n}"))
    opened.until_printed(b"ready")
    os.kill(relay_of(opened.pid), signal.SIGKILL)
    # Drawn by what replaces it.
    drawn = len(opened.output)
    opened.until(lambda: b"line" in opened.output[drawn:], "the line")
    opened.type(b"typed\n")
    assert opened.until_end() == 7
    assert opened.output.count(b"typed") == 2
    assert opened.whole_screen_scrolls


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGTSTP", "SIGUSR1"])
def test_the_relay_outlives_every_signal_and_ends_with_its_writers(tmp_path, name):
    go = tmp_path / "go"
    process = subprocess.Popen(
        behind("sh", "-c", f"echo early; until [ -e {go} ]; do sleep 0.05; done; echo late"),
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"early\n"
    relay = relay_of(process.pid)
    os.kill(relay, getattr(signal, name))
    go.touch()
    assert process.stdout.read() == b"late\n"
    assert process.wait(timeout=PATIENCE_S) == 0
    wait_until(lambda: not alive(relay), "the relay's end")
    process.stdout.close()


def test_the_relay_keeps_only_its_pipes_open(tmp_path):
    go, extra = tmp_path / "go", tmp_path / "extra"
    process = subprocess.Popen(
        behind("sh", "-c", f"echo early; until [ -e {go} ]; do sleep 0.05; done"),
        stdin=extra.open("w+"),
        stdout=subprocess.PIPE,
        stderr=extra.open("w"),
    )
    assert process.stdout.readline() == b"early\n"
    open_files = Path(f"/proc/{relay_of(process.pid)}/fd")
    targets = [str(fd.readlink()) for fd in open_files.iterdir()]
    assert all(target.startswith("pipe:") for target in targets), targets
    assert len(targets) == 4
    go.touch()
    assert process.wait(timeout=PATIENCE_S) == 0
    process.stdout.close()


# --- the terminal --------------------------------------------------------------------------------

COUNTS = (
    "import signal, sys, time\n"
    "count = 0\n"
    "def stop(*_):\n"
    "    global count; count += 1\n"
    "signal.signal(signal.SIGINT, stop)\n"
    "print('ready', flush=True)\n"
    "while not count: time.sleep(0.05)\n"
    "time.sleep(0.3)\n"
    "print('interrupted', count, flush=True)\n"
    "sys.exit(9)\n"
)


@pytest.mark.parametrize("options", [{}, {"line": "status {n}"}])
def test_ctrl_c_reaches_the_command_once_and_its_answer_counts(terminal, script, options):
    shown = terminal(behind(*script(COUNTS), **options))
    shown.until_printed(b"ready")
    shown.type(b"\x03")
    assert shown.until_end() == 9
    assert b"interrupted 1" in shown.output


def test_ctrl_c_on_a_command_that_dies_of_it(terminal, script):
    command = script("import time; print('ready', flush=True); time.sleep(60)")
    bare, ours = terminal(command), terminal(behind(*command, words="summary", line="status"))
    for shown in (bare, ours):
        shown.until_printed(b"ready")
        shown.type(b"\x03")
    assert bare.until_end() == ours.until_end() == -signal.SIGINT
    assert b"KeyboardInterrupt" in ours.output
    assert ours.rows[-1] == ""
    assert "summary" in ours.rows


def test_input_and_echo_are_as_alone(terminal, script):
    command = script("print('got', input('name? '), flush=True)\nprint(repr(input()))")
    bare, ours = terminal(command), terminal(behind(*command))
    for shown in (bare, ours):
        shown.until_printed(b"name? ")
        shown.type(b"ada\n")
        shown.until_printed(b"got")
        shown.type(b"b\x7fc\n")
        assert shown.until_end() == 0
    assert b"got ada" in ours.output
    assert ours.output == bare.output


MODES = """
import os, sys, termios, tty
fd = int(sys.argv[1])
before = termios.tcgetattr(fd)
tty.setcbreak(fd)
print('press', flush=True)
print('got', os.read(0, 1), flush=True)
termios.tcsetattr(fd, termios.TCSADRAIN, before)
print('type', flush=True)
print('got', os.read(0, 100), flush=True)
"""


@pytest.mark.parametrize("fd", ["0", "1"])
def test_modes_that_the_command_sets_on_its_terminal_take_effect(terminal, script, fd):
    """Full-screen programs (curses) set them on stdout, for the keys that they read from stdin."""
    bare, ours = (terminal(c) for c in ([*script(MODES), fd], behind(*script(MODES), fd)))
    for shown in (bare, ours):
        shown.until_printed(b"press")
        shown.until(partial(takes_keys, shown.fd), "single keys")
        shown.type(b"k")
        shown.until_printed(b"type")
        shown.until(partial(takes_lines, shown.fd), "lines")
        shown.type(b"lx\x7fine\n")
        shown.until_end()
    assert b"got b'k'\r\n" in ours.output
    assert b"got b'line\\n'" in ours.output
    assert ours.output == bare.output


def takes_lines(fd):
    modes = termios.tcgetattr(fd)
    return bool(modes[3] & termios.ICANON and modes[3] & termios.ECHO)


def takes_keys(fd):
    modes = termios.tcgetattr(fd)
    return not modes[3] & termios.ICANON and not modes[3] & termios.ECHO


def in_shell(terminal, **more):
    shell = ["bash", "--norc", "--noprofile", "-i"]
    return terminal(shell, env=dict(os.environ) | {"PS1": "$ "}, **more)


PAGER = (
    "import os, sys, tty\n"
    "keys = os.open(os.ttyname(2), os.O_RDONLY)\n"
    "tty.setcbreak(keys)\n"
    "print('ready', flush=True)\n"
    "pressed = os.read(keys, 1) + os.read(keys, 1)\n"
    "print('keys', pressed.decode(), flush=True)\n"
    "sys.exit(7)\n"
)


def test_a_pager_that_opens_the_terminal_of_its_output_gets_keys(terminal, script):
    opened = terminal(behind(*script(PAGER)))
    opened.until_printed(b"ready")
    opened.type(b"q")
    opened.type(b"x")
    opened.until_printed(b"keys qx")
    assert opened.until_end() == 7


@pytest.mark.skipif(shutil.which("more") is None, reason="more is not installed")
def test_more_reads_keys_from_its_stderr(terminal, tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("".join(f"line {n} of many\n" for n in range(500)))
    opened = terminal(behind("more", str(path)))
    opened.until_printed(b"More")
    opened.type(b" ")
    # The second page.
    opened.until_printed(b"line 40 of many")
    opened.type(b"q")
    assert opened.until_end() == 0


def test_ctrl_z_and_fg(terminal, script):
    command = script(
        "import sys, time\n"
        "print('ready', flush=True)\n"
        "for n in range(600):\n"
        "    time.sleep(0.05)\n"
        "    if n >= 20 and sys.argv[1:] == []: break\n"
        "print('done', flush=True); sys.exit(5)\n"
    )
    shown = in_shell(terminal)
    shown.type(quoted(behind(*command, line="status {n}")).encode() + b"\n")
    shown.until_printed(b"ready")
    shown.until(lambda: shown.rows[-1].startswith("status"), "the line")
    shown.type(b"\x1a")
    shown.until_printed(b"Stopped")
    shown.until(lambda: shown.rows[-1] == "" and shown.whole_screen_scrolls, "a clean screen")
    stopped_at = len(shown.output)
    shown.type(b"seq 30; echo x\n")
    shown.until_printed(b"30\r\nx\r\n")
    assert b"status" not in shown.output[stopped_at:], "nothing is drawn while it is stopped"
    shown.type(b"fg; echo code=$?\n")
    shown.until(lambda: shown.rows[-1].startswith("status"), "the line again")
    shown.until_printed(b"code=5")
    assert shown.whole_screen_scrolls
    assert "status" not in "".join(shown.rows).replace(DRIVER, "").replace("status {n}", "")


def test_nothing_is_drawn_in_the_background(terminal, script):
    command = script("import time\ntime.sleep(1.5)\nprint('printed', flush=True)\n")
    shown = in_shell(terminal)
    shown.type(quoted(behind(*command, line="sta{n}tus")).encode() + b" & wait\n")
    shown.until_printed(b"printed")
    shown.type(b"exit\n")
    shown.until_end()
    assert not re.search(rb"sta\d+tus", shown.output)
    assert b"\x1b[1;23r" not in shown.output


def test_a_stop_of_joulecast_alone_gives_the_terminal_back(terminal, script, tmp_path):
    command = script("import time\nprint('ready', flush=True)\ntime.sleep(100)\n")
    pids = tmp_path / "pids"
    shown = in_shell(terminal)
    shown.type(quoted(behind(*command, line="status {n}", pid=str(pids))).encode() + b"\n")
    shown.until_printed(b"ready")
    shown.until(lambda: shown.rows[-1].startswith("status"), "the line")
    os.kill(int(pids.read_text().split()[0]), signal.SIGSTOP)
    shown.until_printed(b"Stopped")
    shown.until(lambda: shown.rows[-1] == "" and shown.whole_screen_scrolls, "a clean screen")
    for pid in pids.read_text().split():
        os.kill(int(pid), signal.SIGKILL)


def test_a_kill_of_joulecast_gives_the_terminal_back(terminal, script, tmp_path):
    go = tmp_path / "go"
    command = script(
        "import os, sys, time\n"
        "print('ready', flush=True)\n"
        f"while not os.path.exists({str(go)!r}): time.sleep(0.05)\n"
        "for n in range(50): print('late', n, flush=True)\n"
    )
    pids = tmp_path / "pids"
    shown = in_shell(terminal)
    shown.type(quoted(behind(*command, line="status {n}", pid=str(pids))).encode() + b"\n")
    shown.until(lambda: shown.rows[-1].startswith("status"), "the line")
    os.kill(int(pids.read_text().split()[0]), signal.SIGKILL)
    shown.until_printed(b"Killed")
    shown.until(lambda: shown.rows[-1] == "" and shown.whole_screen_scrolls, "a clean screen")
    go.touch()
    shown.until_printed(b"late 49\r\n")


def test_a_window_that_is_closed(terminal, script, tmp_path):
    """The relay goes with the last who writes, and the command hears of it."""
    pids = tmp_path / "pids"
    command = script("import time\nwhile True: print('tick', flush=True); time.sleep(0.05)\n")
    shown = terminal(behind(*command, line="status {n}", pid=str(pids)))
    shown.until_printed(b"tick")
    joulecast, command_pid = (int(n) for n in pids.read_text().split())
    relay = relay_of(joulecast)
    shown.close()
    wait_until(lambda: not alive(command_pid), "the command's end")
    wait_until(lambda: not alive(relay), "the relay's end")
    _, status = os.waitpid(joulecast, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGHUP


SIZES = (
    "import os, signal, time\n"
    "def report(*_): os.write(1, b'size %d %d\\n' % os.get_terminal_size(2))\n"
    "signal.signal(signal.SIGWINCH, report)\n"
    "report()\n"
    "while True: time.sleep(0.05)\n"
)


@pytest.mark.parametrize(("options", "less"), [({}, 0), ({"line": "status {n}"}, 1)])
def test_the_size_is_kept_in_step(terminal, script, options, less):
    shown = terminal(behind(*script(SIZES), **options))
    shown.until_printed(b"size 80 %d\r\n" % (24 - less))
    for rows, columns in ((40, 120), (10, 50), (24, 80)):
        shown.output = b""
        shown.resize(rows, columns)
        shown.until_printed(b"size %d %d\r\n" % (columns, rows - less))
        if options:
            shown.until(lambda: shown.rows[-1].startswith("status"), "the line")
            shown.until(lambda: sum("status" in row for row in shown.rows) == 1, "only one")
    shown.resize(4, 80)
    shown.until_printed(b"size 80 4\r\n")
    shown.type(b"\x03")
    shown.until_end()
    assert shown.whole_screen_scrolls


@pytest.mark.parametrize(
    ("options", "shows"), [({}, True), ({"term": "dumb"}, False), ({"columns": 39}, False)]
)
def test_where_there_is_a_line(terminal, script, tmp_path, options, shows):
    reads = tmp_path / "reads"
    command = script("import time\nfor _ in range(30): time.sleep(0.05)\nprint('end')")
    shown = terminal(behind(*command, line="status {n}", reads=str(reads)), **options)
    shown.until_printed(b"end")
    assert shown.until_end() == 0
    assert (b"status" in shown.output) == shows
    if not shows:
        assert shown.output == b"end\r\n"
    assert json.loads(reads.read_text())["reads"] == [1, 2]


def test_stdout_may_be_a_file_and_stderr_the_terminal(terminal, script, tmp_path):
    reads, log, copy = tmp_path / "reads", tmp_path / "log", tmp_path / "copy"
    command = script(
        "import sys, time\n"
        "print('to the file', flush=True)\n"
        "for _ in range(20): time.sleep(0.05)\n"
        "print('to the terminal', file=sys.stderr)\n"
    )
    options = {"line": "status {n}", "reads": str(reads), "copy": str(copy)}
    with log.open("wb") as stdout:
        shown = terminal(behind(*command, **options), stdout=stdout.fileno())
        assert shown.until_end() == 0
    assert log.read_text() == "to the file\n"
    assert b"status" in shown.output
    assert shown.rows[0] == "to the terminal"
    assert sorted(copy.read_text().splitlines()) == ["to the file", "to the terminal"]
    assert json.loads(reads.read_text()) == {"reads": [1, 2], "line": True}


def test_words_of_joulecast_stand_on_a_line_of_their_own(terminal, script):
    command = script(
        "import sys, time\n"
        "sys.stderr.write('bar 10%'); sys.stderr.flush()\n"
        "time.sleep(1)\n"
        "sys.stderr.write('\\rbar 20%\\n')\n"
    )
    shown = terminal(behind(*command, say="joulecast: a message", line="status {n}"))
    assert shown.until_end() == 0
    assert shown.rows[:3] == ["bar 10%", "joulecast: a message", "bar 20%"]


def test_messages_go_to_stderr_if_it_is_a_pipe():
    command = behind("sh", "-c", "printf part >&2; sleep 0.5; echo end >&2", say="joulecast: so")
    assert run(*command).stderr == b"part\njoulecast: so\nend\n"


BARS = """
import sys, time
from tqdm import tqdm
for epoch in range(1, 4):
    for _ in tqdm(range(20), desc=f"Epoch {epoch}/3", dynamic_ncols=True, mininterval=0.01):
        time.sleep(0.02)
    print(f"epoch {epoch}: loss \\x1b[31m0.{9 - epoch}\\x1b[0m \\u00e9\\u6f22\\u5b57", flush=True)
for n in range(60):
    print("line", n, flush=True)
sys.stderr.write("half a line"); sys.stderr.flush()
time.sleep(0.7)
"""


def test_bars_and_prints_above_the_line(terminal, script, tmp_path):
    """Output of tqdm and of print is the same as without the line, which is below it."""
    pytest.importorskip("tqdm")
    command = script(BARS)
    text = "joulecast: {n} J so far, 40.0 kJ (36 to 44) in all, 250 W"
    shown = terminal(behind(*command, line=text, copy=str(tmp_path / "copy"), words="summary"))
    seen = []

    def half():
        if shown.rows[-1] and shown.rows[-1] not in seen[-1:]:
            seen.append(shown.rows[-1])
        return b"half a line" in shown.output and shown.rows[-1]

    shown.until(half, "the middle of a line")
    assert all(re.fullmatch(r"joulecast: \d+ J so far, 40.0 kJ.*, 250 W", row) for row in seen)
    assert len(seen) > 3
    assert shown.rows[-2] == "half a line"
    assert shown.rows[-3] == "line 59"
    assert shown.until_end() == 0
    assert shown.rows[-1] == ""
    alone = terminal(command, rows=23)
    assert alone.until_end() == 0
    painted = [history(each) for each in (alone, shown)]
    assert painted[1][:-1] == painted[0][:-1]
    assert (painted[0][-1], painted[1][-1]) == ("half a line", "half a linesummary")
    assert b"Epoch 3/3: 100%" in (tmp_path / "copy").read_bytes()


def history(shown):
    """All rows of the screen and its scrollback, without the times of bars."""
    kept = [
        "".join(row[x].data for x in range(shown.screen.columns)).rstrip()
        for row in shown.screen.history.top
    ]
    rows = [re.sub(r"\[\d\d:.*", "", row) for row in (*kept, *shown.rows)]
    return [row for row in rows if row]


def test_the_line_costs_the_commands_bytes_nothing(terminal, script):
    """Without the line's own bytes, the output is that of the command alone."""
    command = script(
        "import os, time\n"
        f"for _ in range(300): os.write(1, {ODD + 'é漢🔥'.encode() * 5!r}); time.sleep(0.005)\n"
    )
    bare, ours = terminal(command), terminal(behind(*command, line="status {n}"))
    assert (bare.until_end(), ours.until_end()) == (0, 0)
    added = re.compile(
        rb"\x1bD\x1b\[A\x1b7\x1b\[1;23r\x1b8|\x1b7\x1b\[24;1H\x1b\[0m\x1b\[2Kstatus \d+\x1b8"
        rb"|\x1b7\x1b\[r\x1b\[24;1H\x1b\[0m\x1b\[2K\x1b8"
    )
    assert len(added.findall(ours.output)) > 3
    assert added.sub(b"", ours.output) == bare.output
