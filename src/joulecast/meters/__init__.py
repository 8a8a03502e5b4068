"""Where joules come from: one file per source, discovery, models for machines without sensors."""

from .base import Kind, Meter, Reading, Source, Unavailable, Uncertainty

__all__ = ["Kind", "Meter", "Reading", "Source", "Unavailable", "Uncertainty"]
