from joulecast.run.page_faults import Fresh, Usage, page_bytes, usage


def test_between_two_usages():
    fresh = Fresh.between(Usage(100, 1.0, 3.0), Usage(150, 2.0, 6.0), 4096)
    assert (fresh.bytes, fresh.system_share) == (50 * 4096.0, 0.25)
    assert Fresh.between(Usage(5, 1.0, 1.0), Usage(5, 1.0, 1.0), 4096) == Fresh(0.0, 0.0)


def test_memory_touched_for_the_first_time_is_seen():
    before = usage()
    if before is None:
        return
    held = bytearray(b"\x01" * (64 * 2**20))
    after = usage()
    assert after is not None
    fresh = Fresh.between(before, after, page_bytes())
    assert len(held) * 0.5 < fresh.bytes
