"""Forecasts from the first spans of a run under way."""
