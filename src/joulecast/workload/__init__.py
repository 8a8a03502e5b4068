"""What a model costs, counted without running it: FLOPs, bytes, activations, memory."""
