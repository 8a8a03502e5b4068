"""What a run will cost, told before its end."""
