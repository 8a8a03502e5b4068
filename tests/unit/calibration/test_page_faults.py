"""Memory that is handed out anew, and what the system takes for it."""

import mmap

import pytest

from joulecast.calibration.page_faults import Fresh, PageFaultUsage, usage


def test_pages_are_bytes_and_the_system_has_its_share_of_the_time():
    found = Fresh.between(PageFaultUsage(10, 1.0, 4.0), PageFaultUsage(13, 1.5, 5.5), 4096)
    assert found == Fresh(3 * 4096.0, 0.25)


def test_where_no_time_has_passed_nobody_has_a_share():
    assert Fresh.between(PageFaultUsage(10, 1.0, 4.0), PageFaultUsage(10, 1.0, 4.0), 4096) == Fresh(
        0.0, 0.0
    )


def test_where_the_system_does_not_tell_there_is_nothing():
    assert Fresh.since(None) == Fresh(0.0, 0.0)


def test_memory_that_is_written_to_for_the_first_time_is_counted():
    before = usage()
    if before is None:
        pytest.skip("this system does not tell of page faults")
    size = 16 * 2**20
    with mmap.mmap(-1, size) as memory:
        if hasattr(mmap, "MADV_NOHUGEPAGE"):  # of which one fault hands out many pages
            memory.madvise(mmap.MADV_NOHUGEPAGE)
        for at in range(0, size, mmap.PAGESIZE):
            memory[at] = 1
        assert size <= Fresh.since(before).bytes < 2 * size
