import sys

import pytest

from joulecast.hardware.detect.interpreter import interpreter_of
from joulecast.hardware.environment import Environment


@pytest.fixture
def venv(tmp_path):
    """A virtual environment with one package, as `python -m venv` and pip lay it out."""
    prefix = tmp_path / "venv"
    site = prefix / "lib" / "python3.12" / "site-packages"
    info = site / "torch-2.6.0+cu126.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 2.6.0+cu126\n")
    (prefix / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.12.4\n")
    (prefix / "bin").mkdir()
    (prefix / "bin" / "python").symlink_to(sys.executable)
    return prefix


def test_a_virtual_environments_python(venv):
    interpreter = interpreter_of(str(venv / "bin" / "python"))
    assert interpreter.version == "3.12.4"
    assert interpreter.packages == [str(venv / "lib" / "python3.12" / "site-packages")]


@pytest.mark.parametrize("line", ["#!{python}", "#!{python} -u", "#! {python}"])
def test_a_script_installed_in_it(venv, line):
    script = venv / "bin" / "torchrun"
    script.write_text(line.format(python=venv / "bin" / "python") + "\nimport torch\n")
    script.chmod(0o755)
    assert interpreter_of(str(script)).version == "3.12.4"


def test_a_script_that_asks_env(venv, monkeypatch):
    monkeypatch.setenv("PATH", str(venv / "bin"))
    script = venv / "bin" / "train"
    script.write_text("#!/usr/bin/env -S python -u\n")
    script.chmod(0o755)
    assert interpreter_of("train").version == "3.12.4"


@pytest.mark.parametrize("program", ["sh", "true", "no-such-program"])
def test_other_programs_are_none(program):
    assert interpreter_of(program) is None


def test_the_python_that_runs_the_tests():
    interpreter = interpreter_of(sys.executable)
    assert any(f in sys.path for f in interpreter.packages)


def test_the_environment_of_a_program_has_its_packages(venv):
    here = Environment.detect()
    there = here.of_program(str(venv / "bin" / "python"))
    assert there.software.packages == {"torch": "2.6.0+cu126"}
    assert there.software.cuda_runtime == "12.6"
    assert there.software.nvidia_driver == here.software.nvidia_driver
    unknown = here.of_program("sh")
    assert unknown.software.python is None
    assert unknown.notes[-1].startswith("packages: ")
