"""Studies: many runs over factors, with repetitions, under controlled conditions."""
