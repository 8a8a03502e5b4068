"""How the power of a run behaves over time."""
