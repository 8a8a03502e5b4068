"""When a stopping rule is expected to end a training."""
