"""Turns raw energy counters, which wrap or are reset, into joules that never fall."""

# No package, card or module board draws this much: a larger step is not energy.
PLAUSIBLE_POWER_W = 5000.0


class Unwrap:
    """Turns the raw values of one counter into joules since the first of them.

    A counter that falls has either wrapped at `wraps_at` or been reset (driver reloaded, machine
    resumed). It is a wrap only if the power this would imply is plausible. The energy across a
    reset is unknown: none is counted, and `note()` reports it.

    Args:
        joules_per_count: the unit of the raw value (1e-6 for microjoules).
        update_period_s: the counter may deliver this much past energy in one step.
        wraps_at: the raw value after which the counter starts at 0 again; None if it never wraps.
        max_power_w: a mean power above this cannot be.
    """

    def __init__(
        self,
        joules_per_count: float,
        update_period_s: float,
        wraps_at: int | None = None,
        max_power_w: float = PLAUSIBLE_POWER_W,
    ) -> None:
        self._unit = joules_per_count
        self._update_period_s = update_period_s
        self._wraps_at = wraps_at
        self._max_power_w = max_power_w
        self._last: tuple[int, float] | None = None
        self._opened_s = 0.0
        # Whole counts, so that nothing is lost to rounding over a long run.
        self._counts = 0
        self._notes: list[str] = []

    def advance(self, raw: int, t_s: float) -> float:
        """Joules since the first call, given the raw value read at the instant `t_s`."""
        if self._last is None:
            self._opened_s = t_s
        else:
            last, last_s = self._last
            self._counts += self._step(last, raw, last_s, t_s)
        self._last = (raw, t_s)
        return self._counts * self._unit

    def note(self) -> str | None:
        """What went wrong since the last call, returned once, or None."""
        if not self._notes:
            return None
        text = "; ".join(self._notes)
        self._notes.clear()
        return text

    def _step(self, last: int, raw: int, last_s: float, t_s: float) -> int:
        elapsed_s = max(t_s - last_s, 0.0)
        max_step = self._max_power_w * (elapsed_s + self._update_period_s) / self._unit
        step = raw - last
        if step < 0 and self._wraps_at is not None:
            step += self._wraps_at
        if not 0 <= step <= max_step:
            self._notes.append(
                f"the counter was reset (from {last * self._unit:.6g} J to {raw * self._unit:.6g} J"
                f" within {elapsed_s:.3g} s): the energy across it is unknown and not counted"
            )
            return 0
        if self._may_have_wrapped_unseen(last_s, elapsed_s):
            self._notes.append(
                f"the counter was not read for {elapsed_s:.0f} s and may have wrapped unseen:"
                " the energy of that time is a lower bound"
            )
        return step

    def _may_have_wrapped_unseen(self, last_s: float, elapsed_s: float) -> bool:
        """At the mean power so far, the time without a reading is longer than one round."""
        before_s = last_s - self._opened_s
        if self._wraps_at is None or before_s <= 0:
            return False
        return self._counts / before_s * elapsed_s > self._wraps_at
