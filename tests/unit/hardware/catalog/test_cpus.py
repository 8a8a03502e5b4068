"""The CPU catalog: enough models, every row sourced, names matched as systems write them."""

import math

import pytest

from joulecast.errors import UnknownHardwareError
from joulecast.hardware.catalog.cpus import (
    cpus,
    families,
    family_of,
    find_cpu,
    find_family,
    segment_of,
    typical_family,
)


def test_enough_models_each_with_a_source_and_a_family():
    names = {f.name for f in families()}
    assert len(cpus()) >= 250
    for cpu in cpus():
        assert cpu.source
        assert cpu.family in names, cpu.name
        assert 1 <= cpu.tdp_w <= 500, cpu.name
        assert cpu.cores <= cpu.threads <= 2 * cpu.cores, cpu.name
        assert cpu.base_ghz is None or 0.9 <= cpu.base_ghz <= 4.8, cpu.name
    assert len({c.name for c in cpus()}) == len(cpus())
    kinds = {find_family(c.family).segment for c in cpus()}
    assert {"server", "workstation", "desktop", "laptop"} <= kinds


def test_families_are_sane_and_sourced():
    for family in families():
        assert family.source
        assert 0 < family.idle_w_per_core < family.full_w_per_core < 40, family.name
        assert 0.4 <= family.full_of_tdp <= 1.5, family.name
        assert 0.5 <= family.exponent <= 2.5, family.name
        assert family.clock in {"top", "hardware", "load"}
        assert not math.isnan(family.wake_w)
    assert sum(f.results > 0 for f in families()) >= 20
    assert len({f.name for f in families()}) == len(families())


@pytest.mark.parametrize(
    ("written", "name", "tdp_w"),
    [
        ("Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz", "Xeon Gold 6248", 150),
        ("Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz", "Xeon E5-2680 v4", 120),
        ("Intel(R) Xeon(R) CPU E3-1240 V2 @ 3.40GHz", "Xeon E3-1240 v2", 69),
        ("AMD EPYC 7742 64-Core Processor", "EPYC 7742", 225),
        ("AMD Ryzen 7 5800H with Radeon Graphics", "Ryzen 7 5800H", 45),
        ("AMD Ryzen Threadripper 3970X 32-Core Processor", "Ryzen Threadripper 3970X", 280),
        ("12th Gen Intel(R) Core(TM) i9-12900K", "Core i9-12900K", 125),
        ("i7-8550U", "Core i7-8550U", 15),
        ("Apple M1 Pro", "M1 Pro", 30),
    ],
)
def test_names_as_systems_write_them(written, name, tdp_w):
    assert (find_cpu(written).name, find_cpu(written).tdp_w) == (name, tdp_w)


def test_versions_are_different_products():
    assert find_cpu("Xeon E3-1240").tdp_w == 80
    assert find_cpu("Xeon E3-1240 v2").tdp_w == 69


def test_a_miss_lists_the_nearest():
    with pytest.raises(UnknownHardwareError, match="EPYC 77"):
        find_cpu("AMD EPYC 7749")
    with pytest.raises(UnknownHardwareError):
        find_family("Zen 9")


@pytest.mark.parametrize(
    ("name", "segment"),
    [
        ("AMD EPYC 7742 64-Core Processor", "server"),
        ("Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz", "server"),
        ("Intel(R) Xeon(R) CPU E3-1240 V2 @ 3.40GHz", "desktop"),
        ("Intel(R) Xeon(R) E-2288G CPU @ 3.70GHz", "desktop"),
        ("AMD Ryzen Threadripper 1950X 16-Core Processor", "workstation"),
        ("Intel(R) Xeon(R) W-2145 CPU @ 3.70GHz", "workstation"),
        ("Intel(R) Core(TM) i7-7600U CPU @ 2.80GHz", "laptop"),
        ("11th Gen Intel(R) Core(TM) i5-1135G7 @ 2.40GHz", "laptop"),
        ("AMD Ryzen 7 5800H with Radeon Graphics", "laptop"),
        ("Intel(R) Core(TM) i7-7700K CPU @ 4.20GHz", "desktop"),
        ("AMD Ryzen 9 5950X 16-Core Processor", "desktop"),
    ],
)
def test_the_kind_of_product_is_in_the_name(name, segment):
    assert segment_of(name) == segment


@pytest.mark.parametrize(
    ("microarchitecture", "name", "codename", "family"),
    [
        ("Zen 4", "AMD EPYC 9R99", "Genoa", "Zen 4 server"),
        ("Zen 5", "AMD EPYC", "Turin", "Zen 5 server"),
        ("Zen 2", "AMD Ryzen 5 3999G", None, "Zen 2 desktop"),
        ("Zen", "AMD Ryzen Threadripper 1999X", None, "Zen workstation"),
        ("Skylake", "Intel(R) Core(TM) i7-6999U", None, "Skylake laptop"),
        ("Skylake", "Intel(R) Xeon(R) Processor", "Skylake-SP", "Skylake server"),
        ("Raptor Lake", "13th Gen Intel(R) Core(TM) i5-13999H", None, "Alder Lake laptop"),
        ("Neoverse N1", "", "AWS Graviton2", "Neoverse N1"),
    ],
)
def test_family_by_microarchitecture_and_kind(microarchitecture, name, codename, family):
    assert family_of(microarchitecture, name, codename).name == family


def test_no_family_is_none_and_the_typical_ones_exist():
    assert family_of(None) is None
    assert family_of("Zen 9") is None
    assert typical_family(server=True).segment == "server"
    assert typical_family(server=False).segment == "desktop"
