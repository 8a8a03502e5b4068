"""A probe of steps that do not fit the memory is refused before it takes any."""

import pytest

from joulecast.forecast.memory_fit import MemoryNeed
from joulecast.run.probe import ProbeError, check_memory


def need(needed: float, available: float | None, least: float = 0.0) -> MemoryNeed:
    return MemoryNeed(needed, available, least, 0.0)


def test_what_fits_may_run() -> None:
    check_memory([need(20e9, 25e9), need(24e9, 25e9)])
    check_memory([need(500e9, None)])


def test_what_does_not_fit_is_refused_with_its_cure() -> None:
    with pytest.raises(ProbeError) as told:
        check_memory([need(473.9e9, 25.3e9, 1e9), need(2e9, 25.3e9)])
    assert str(told.value) == (
        "--probe: a step needs about 473.9 GB of memory and there are 25.3 GB: "
        "give a smaller --batch, or leave out --probe"
    )
    with pytest.raises(ProbeError) as told:
        check_memory([need(40e9, 25e9, 40e9)])
    assert str(told.value).endswith("there are 25.0 GB: leave out --probe")
