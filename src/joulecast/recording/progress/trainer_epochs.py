"""The epochs of the Hugging Face Trainer's bar, which counts the steps of the whole run."""

from math import ceil, floor

from .epoch_count import TINY

# Relative error of a number of epochs that is computed from steps, where lines come late.
_NEAR_WHOLE = 0.05


class TrainerEpochs:
    """Computes their number from the epochs that are printed between two steps of the bar."""

    def __init__(self) -> None:
        self.number: float | None = None
        # Whether a second line, or the caller, confirmed it.
        self.confirmed = False
        # The epoch that was printed last, and the fraction of the bar before it.
        self._printed: tuple[float, float] | None = None
        self._other: float | None = None

    def see(self, epoch: float, fraction: float) -> None:
        """An epoch is printed after a fraction of the bar."""
        self._printed = epoch, fraction

    def agree(self, planned: float, fraction: float, steps: float) -> bool | None:
        """Whether a bar has the planned epochs by the last printed one; None without one."""
        if self._printed is None:
            return None
        return _epochs_of(*self._printed, fraction or 1.0, steps) == planned

    def compute(
        self, at: float, fraction: float, steps: float, planned: float | None
    ) -> float | None:
        """The number by the last printed epoch and the next fraction of the bar.

        None without one, and while the run is `at` its beginning. It becomes `number` where it
        was not given and is no guess.
        """
        (epoch, low), self._printed = self._printed or (0.0, 0.0), None
        if epoch < TINY or at <= 0:
            return None
        computed = _epochs_of(epoch, low, fraction, steps, self.number)
        self.confirmed = computed == self.number
        other, self._other = self._other, computed
        # Lines that are printed late, by a program that buffers them, show too few epochs.
        fewer = self.number is not None and computed < self.number and computed != other
        if planned is None and not self.confirmed and not fewer:
            self.number = computed
        return computed


def _epochs_of(
    epoch: float, low: float, high: float, steps: float, computed: float | None = None
) -> float:
    """The epochs of a bar where `epoch` was printed between two of its fractions.

    As before where that is possible, else a whole number that is possible, else a fraction.
    """
    most, least = epoch / max(low, 1e-3), epoch / max(low, high, 1e-3)
    if computed is not None and least - 0.01 <= computed <= most + 0.01:
        return computed
    for whole in range(max(ceil(least - 0.01), 1), floor(most + 0.01) + 1):
        step = epoch * steps / whole
        if abs(step - round(step)) <= 0.005 * step / epoch:
            return float(whole)
    return float(round(least)) if abs(least - round(least)) < _NEAR_WHOLE * least else least
