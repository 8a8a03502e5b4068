"""Groups of values, as the tests of statistics take them."""

import numpy as np

from joulecast.analysis.statistics.groups import Group


def groups_of(*parts: object) -> list[Group]:
    """Groups named g0, g1, ..."""
    return [Group(f"g{i}", np.array(part, dtype=float)) for i, part in enumerate(parts)]


def normal_groups(seed: int, *means: float, n: int = 12) -> list[Group]:
    """Normal values; each group is larger, and varies more, than the one before."""
    rng = np.random.default_rng(seed)
    return groups_of(*(rng.normal(mean, 1 + i, n + 3 * i) for i, mean in enumerate(means)))
