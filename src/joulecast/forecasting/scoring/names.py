"""Names of the forecasters that can be scored, joulecast's own first; imports nothing."""

ONLINE = (
    *("online", "carbontracker", "step-energy", "step-power"),
    *("step-energy-fluss", "step-power-fluss", "green-algorithms", "mlco2"),
)
STATIC = (
    *("physical", "layerwise", "pre-power", "pre-energy"),
    *("green-algorithms", "mlco2", "flops-tdp"),
)
