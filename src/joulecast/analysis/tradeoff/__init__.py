"""Cost against quality: Pareto front, savings, labels, training plus inference."""
