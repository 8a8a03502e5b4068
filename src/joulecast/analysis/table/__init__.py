"""Tables of runs: columns, units, configurations."""
