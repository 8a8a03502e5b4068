"""What runs teach: statistics, trade-offs, power behavior, carbon, cost. Pure functions."""
