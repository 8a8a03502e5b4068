"""The Python interface: `joulecast.analyze`."""

from collections.abc import Callable
from typing import Any

from ..errors import UsageError
from .model import Workload
from .optimizers import optimizer_named
from .precision import DEFAULT, precision_named
from .resolve import resolve


def analyze(
    model: Any,
    input: Any = None,
    *,
    batch: int = 1,
    training: bool = True,
    optimizer: str | None = "adamw",
    precision: str = DEFAULT,
    loss: str | Callable[[Any], Any] | None = None,
    device: str = "gpu",
    gradient_checkpointing: bool = False,
    lora: str | int | None = None,
    mean_length: int | None = None,
    compile: bool = False,
) -> Workload:
    """What one step of a model costs: FLOPs, bytes and memory, counted without running it.

    The model is traced on meta tensors, which have shapes and no data. A model whose control flow
    depends on its data runs once on the CPU instead, with a note. The model itself is not changed.

    Args:
        model: an `nn.Module`, a function that returns one, or a name: `torchvision:resnet50`,
            `timm:vit_base_patch16_224`, `transformers:bert-base-uncased`,
            `transformers:LlamaConfig(hidden_size=1024)`, `FILE.py:function`, `module:function`.
        input: shape of one sample (`(3, 224, 224)`), several shapes, the tokens of one sequence
            (`512`), or example tensors, whose first dimension is then the batch. The usual input
            of the model by default, where its library defines one.
        batch: samples per step.
        training: count forward pass, backward pass and optimizer; otherwise only the forward pass.
        optimizer: "sgd", "momentum", "adam", "adamw" or "none", with the defaults of torch.
        precision: "default", as PyTorch runs fp32: convolutions and recurrent layers rounded to
            TF32, matrix products not; "fp32": nothing rounded; "tf32": products too; "bf16" or
            "fp16": automatic mixed precision in training, weights of that type in inference; "fp8":
            bf16, with linear layers whose sizes are multiples of 16 in fp8. On a CPU, "default" and
            "tf32" are fp32.
        loss: "cross-entropy", "mse", "sum", or a function of the model's output; by default chosen
            by the shape of the output.
        device: "gpu" or "cpu": whose kernels are counted. On a CPU an optimizer updates one tensor
            at a time, and dropout, attention with dropout, and GRUs run as several kernels.
        gradient_checkpointing: keep only what goes from block to block, and compute each block
            again in the backward pass.
        lora: rank of low-rank adapters (16, or "r=16") on the layers of the blocks, which alone are
            trained; the frozen weights have the 16-bit type, if any.
        mean_length: mean tokens of sequences that are not padding, where padding is not computed.
        compile: as `torch.compile` runs it, with chains of elementwise operators fused.

    Returns:
        Every operator and every layer of the step, with FLOPs (a multiply-add is two) and bytes.

    Raises:
        UsageError: the model, optimizer, precision or device is unknown; the input does not fit
            (the text names the layer); the batch is empty; the model cannot be built or traced.
        MissingExtraError: torch, or the library that the model comes from, is not installed.
        BadInputError: the file or function that builds the model fails.

    Examples:
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
        >>> work = joulecast.analyze(model, (784,), batch=32)
        >>> work.parameters, int(work.macs)
        (101770, 3252224)
    """
    wanted_precision = precision_named(precision)
    wanted_optimizer = optimizer_named(optimizer)
    if device not in ("gpu", "cpu"):
        raise UsageError(f"unknown device {device!r}: choose gpu or cpu")
    recipe = resolve(model)
    # Everything from here on needs torch.
    from .fusion import compiled
    from .lora import rank_of
    from .tracing import Settings, trace

    settings = Settings(
        *(training, wanted_optimizer, wanted_precision, loss, device == "cpu"),
        *(gradient_checkpointing, rank_of(lora), mean_length),
    )
    workload = trace(recipe, input, batch, settings)
    return compiled(workload) if compile else workload
