"""What a model costs, counted without running it: FLOPs, bytes, activations, memory.

    from joulecast.workload import analyze

    work = analyze("torchvision:resnet50", (3, 224, 224), batch=64, precision="bf16")
    work.macs / work.batch  # 4.09e9

Nothing here imports torch before it is asked to count.
"""

from .analysis import analyze
from .model import Layer, Op, OperatorKind, Phase, Workload

__all__ = ["Layer", "Op", "OperatorKind", "Phase", "Workload", "analyze"]
