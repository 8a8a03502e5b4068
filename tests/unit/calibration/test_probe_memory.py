"""A probe of steps that do not fit the memory is refused before it takes any."""

from joulecast.calibration.probe import ProbeError, check_memory
from joulecast.forecasting.physical.memory_fit import MemoryNeed


def need(needed: float, available: float | None, least: float = 0.0) -> MemoryNeed:
    return MemoryNeed(needed, available, least, 0.0)


def refusal(*needs: MemoryNeed) -> str | None:
    try:
        check_memory(needs)
    except ProbeError as error:
        return str(error)
    return None


def test_what_fits_may_run() -> None:
    assert refusal(need(20e9, 25e9), need(24e9, 25e9)) is None
    assert refusal(need(500e9, None)) is None


def test_what_does_not_fit_is_refused_with_its_cure() -> None:
    assert refusal(need(473.9e9, 25.3e9, 1e9), need(2e9, 25.3e9)) == (
        "--probe: a step needs about 473.9 GB of memory and there are 25.3 GB: "
        "give a smaller --batch, or leave out --probe"
    )
    told = refusal(need(40e9, 25e9, 40e9))
    assert told is not None and told.endswith("there are 25.0 GB: leave out --probe")
