"""Where joules come from: one file per source, discovery, models for machines without sensors."""

from .base import Meter, Reading, ReadingKind, Source, Unavailable, Uncertainty

__all__ = ["Meter", "Reading", "ReadingKind", "Source", "Unavailable", "Uncertainty"]
