"""All errors that a user can meet. One line each: what is wrong, where, and what to do."""

from importlib.util import find_spec
from typing import Any


class JoulecastError(Exception):
    """Base of all errors raised on purpose; its text is one line a user can act on."""

    exit_code = 1


class UsageError(JoulecastError):
    """An option or argument has a value that cannot be used (exit code 2)."""

    exit_code = 2


_WITH_TORCH = ("forecast", "torch", "transformers", "vision")
_CPU_TORCH = "pip install torch torchvision --index-url https://download.pytorch.org/whl/cpu"


class MissingExtraError(JoulecastError):
    """An optional part is not installed; the text names the exact command that installs it.

    Where torch is missing, it also names the command for PyTorch's CPU build, because the default
    build on Linux brings several GB of CUDA libraries.
    """

    def __init__(self, feature: str, extra: str) -> None:
        # Both are `args`, so that the error can be pickled out of a worker process.
        super().__init__(feature, extra)
        self.feature, self.extra = feature, extra

    def __str__(self) -> str:
        text = f'{self.feature} needs an extra: pip install "joulecast[{self.extra}]"'
        if self.extra in _WITH_TORCH and find_spec("torch") is None:
            text += f"; on a machine without a GPU, first: {_CPU_TORCH}"
        return text


class UnknownHardwareError(JoulecastError):
    """A name that is not in the catalog; the text lists the nearest names (exit code 2)."""

    exit_code = 2


class MeterLostError(JoulecastError):
    """A meter stopped answering for good (device gone, permission withdrawn)."""


class LedgerError(JoulecastError):
    """The ledger cannot be opened, read or written."""


class DamagedRunError(LedgerError):
    """What the ledger holds of one run or study makes no sense; the others are readable."""


class LedgerWarning(UserWarning):
    """A run or study that is damaged, or cannot be read now, is left out; the text names it."""


class NotALedgerError(LedgerError):
    """The place named for the ledger has no file, or something else than a ledger (exit code 2)."""

    exit_code = 2


class ServerAwayError(LedgerError):
    """The ledger's server does not answer now, and may again soon: it is being restarted."""


class RunNotFoundError(LedgerError):
    """No run in the ledger matches the name or id given (exit code 2)."""

    exit_code = 2


class BadInputError(JoulecastError):
    """A file is missing or not in the form expected; the text names the place (exit code 2)."""

    exit_code = 2


class BadPlanError(BadInputError):
    """The plan of a study, or the function it names, cannot be used (exit code 2)."""


class StudyNotFoundError(LedgerError):
    """No study in the ledger, or no trial of it, has the name or id given (exit code 2)."""

    exit_code = 2


class BudgetExceeded(JoulecastError):
    """A run has reached its energy budget (exit code 3).

    Attributes:
        budget: the budget as written: "30 g CO2e".
        limit_j: the metered energy it corresponds to, J.
        energy: metered energy of the run so far, J; a `joulecast.Estimate`.
    """

    exit_code = 3

    # `energy` is Any because this module cannot name Estimate: the units raise errors from here.
    def __init__(self, text: str, budget: str, limit_j: float, energy: Any) -> None:
        # All of them are `args`, because a worker process sends them by pickle.
        super().__init__(text, budget, limit_j, energy)
        self.budget, self.limit_j, self.energy = budget, limit_j, energy

    def __str__(self) -> str:
        return str(self.args[0])
