"""What runs teach: statistics, trade-offs, power behaviour, carbon, cost. Pure functions."""
