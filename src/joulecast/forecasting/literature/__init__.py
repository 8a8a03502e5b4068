"""Published forecasting methods, for comparison: STEP, PRE, Green Algorithms and others."""
