"""Tests, effect sizes and intervals, as pure functions over groups of values."""
