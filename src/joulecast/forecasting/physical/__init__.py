"""Forecasts before a run: a roofline of the device and a model of its power."""
