"""Forecasts of energy and duration, before a run and during it."""
