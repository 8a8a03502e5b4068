"""The command line: `joulecast VERB`. Each verb lives in its own file and is loaded when called."""

import os
import sys
import warnings
from typing import Any, NoReturn

import click

from .._version import __version__
from ..errors import JoulecastError, LedgerWarning
from . import former_names
from .lazy_group import LazyGroup

# The lines of `joulecast --help` are here, so that it does not load the verbs.
SECTIONS = {
    "Measure": {
        "run": ("run", "Record the energy of a command."),
        "doctor": ("doctor", "Show what can be measured on this machine."),
    },
    "Inspect": {
        "runs": ("runs", "List the recorded runs."),
        "show": ("show", "Show one run in the terminal."),
        "report": ("report", "Write one run as a self-contained HTML page."),
        "carbon": ("carbon", "Show the emissions and the cost of runs, or of an energy."),
        "export": ("export", "Write one run as JSON or CSV."),
        "import": ("import_", "Add runs, or a power trace, to the ledger."),
    },
    "Forecast": {
        "forecast": ("forecast", "Forecast the energy of a training or of inference."),
        "calibrate": (
            "calibrate",
            "Measure this machine's constants, for more accurate forecasts.",
        ),
        "evaluate": ("evaluate", "Score the forecasters on finished runs."),
    },
    "Compare": {
        "study": ("study.group", "Run many trainings over factors, and report their results."),
        "compare": ("compare", "Show whether groups of runs differ, and by how much."),
        "tradeoff": ("tradeoff", "Weigh models by energy and quality, or training and inference."),
    },
}


@click.group(
    cls=LazyGroup,
    sections=SECTIONS,
    package=__name__,
    former=former_names.VERBS,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
@click.version_option(__version__, prog_name="joulecast")
@click.option("--debug", is_flag=True, help="Show the whole traceback of an error.")
@click.pass_context
def group(context: click.Context, debug: bool) -> None:
    """Measure and forecast the energy of training and serving neural networks."""
    context.obj = {"debug": debug}


def main() -> NoReturn:
    """Entry point. Exit codes: 0 done, 1 failed, 2 misuse; a wrapped command's own otherwise."""
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    try:
        group.main(prog_name="joulecast", standalone_mode=False)
        sys.exit(0)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        if _debugged():
            raise
        # This error exists from click 8.2 on.
        if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):
            error.show()
            sys.exit(error.exit_code)
        message = former_names.replaced(error) or error.format_message()
        text = " ".join(message.split()).removesuffix(".")
        context = getattr(error, "ctx", None)
        see = f" (see: {context.command_path} --help)" if context else ""
        _complain(f"{text}{see}")
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except JoulecastError as error:
        if _debugged():
            raise
        _complain(str(error))
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of the output has ended: `joulecast runs | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _complain(text: str) -> None:
    """Print one line for people on stderr."""
    from ..units import printable

    click.echo(f"joulecast: {printable(' '.join(text.splitlines()))}", err=True)


def _show_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: Any
) -> None:
    ours = issubclass(category, LedgerWarning)
    _complain(str(message) if ours else f"{filename}, line {lineno}: {message}")


def _debugged() -> bool:
    return "--debug" in sys.argv[1:2]
