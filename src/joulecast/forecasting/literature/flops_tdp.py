"""FLOPs / peak x TDP: the device computes at its peak rate and draws its rated power throughout.

The baseline of arXiv 2307.05520 and others; it needs no meter and no fit. A training sample costs
three forward passes (the backward pass is about two of them), a validation sample one.
"""

# Forward passes that a training step of a sample costs: forward 1, backward 2.
TRAINING_PASSES = 3.0


def training_flops(gflops: float, samples: float, validated: float = 0.0) -> float:
    """FLOPs of a run, from the GFLOPs of the forward pass of one sample.

    Args:
        gflops: 10^9 floating-point operations of one forward pass of one sample.
        samples: samples trained on, in all epochs.
        validated: samples validated on, in all epochs.
    """
    return 1e9 * gflops * (TRAINING_PASSES * samples + validated)


def rated_duration_s(flops: float, peak_tflops: float) -> float:
    """Duration at the peak rate (10^12 FLOP/s), s."""
    return flops / (1e12 * peak_tflops)
