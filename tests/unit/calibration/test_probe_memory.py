"""A probe of steps that do not fit the memory is refused before it takes any."""

from joulecast.calibration.probe import ProbeError, check_memory
from joulecast.forecasting.physical.memory_fit import MemoryNeed


def need(needed: float, available: float | None, least: float = 0.0) -> MemoryNeed:
    return MemoryNeed(needed, available, least, 0.0)


def refused(*needs: MemoryNeed) -> str | None:
    try:
        check_memory(needs)
    except ProbeError as error:
        return str(error)
    return None


def test_steps_that_fit_may_run() -> None:
    assert refused(need(20e9, 25e9), need(24e9, 25e9)) is None
    assert refused(need(500e9, None)) is None


def test_a_smaller_batch_is_proposed_where_it_would_fit() -> None:
    smaller = refused(need(473.9e9, 25.3e9, 1e9), need(2e9, 25.3e9))
    assert smaller is not None and "473.9 GB" in smaller and "25.3 GB" in smaller
    assert "--batch" in smaller
    none_smaller = refused(need(40e9, 25e9, 40e9))
    assert none_smaller is not None and "--batch" not in none_smaller
