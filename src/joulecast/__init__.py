"""joulecast: what training and serving neural networks costs in energy, and how sure that is."""

from ._version import __version__

__all__ = ["__version__"]
