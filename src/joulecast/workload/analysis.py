"""What one step of a model does, found by tracing it on tensors without data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import UsageError
from .model import Workload
from .optimizers import known
from .precision import precision_named
from .resolve import resolve


def analyze(
    model: Any,
    input: Any = None,
    *,
    batch: int = 1,
    training: bool = True,
    optimizer: str | None = "adamw",
    precision: str = "fp32",
    loss: str | Callable[[Any], Any] | None = None,
    device: str = "gpu",
) -> Workload:
    """One step of a model on one batch, counted operator by operator without running it.

    The model is traced on meta tensors, which have shapes and no data; a model whose course
    depends on its data is run on the CPU instead, once and as it is, which the notes then say.
    The model given is left as it was.

    Args:
        model: an `nn.Module`, a function that returns one, or a name: `torchvision:resnet50`,
            `timm:vit_base_patch16_224`, `transformers:bert-base-uncased`,
            `transformers:LlamaConfig(hidden_size=1024)`, `FILE.py:function`, `module:function`.
        input: shape of one sample (`(3, 224, 224)`), several of them, tokens of one sequence
            (`512`), or example tensors, whose first dimension then is the batch. Left out, what
            suits the model according to its library.
        batch: samples of a step.
        training: forward, backward and optimizer; otherwise the forward pass alone.
        optimizer: "sgd", "momentum", "adam", "adamw" or "none", as torch runs them by default.
        precision: "fp32"; "tf32" (fp32 kept, products rounded); "bf16" or "fp16": automatic mixed
            precision in training, weights of that type in inference.
        loss: "cross-entropy", "mse", "sum", or a function of what the model returns; left out, by
            the shape of the output.
        device: "gpu" or "cpu", whose kernels torch would run: on a CPU optimizers go from tensor to
            tensor, and dropout, attention with it and GRUs fall apart into their operators.

    Raises:
        UsageError: unknown model, optimizer, precision or device; an input that does not fit, with
            the layer named; an empty batch; a model that cannot be built or traced.
        MissingExtraError: torch, or the library the model is named of, is not installed.
        BadInputError: the file or function that builds the model fails.
    """
    kind = precision_named(precision)
    chosen = known(optimizer)
    if device not in ("gpu", "cpu"):
        raise UsageError(f"unknown device {device!r}: choose gpu or cpu")
    recipe = resolve(model)
    # Everything from here on needs torch.
    from .tracing import Settings, trace

    return trace(recipe, input, batch, Settings(training, chosen, kind, loss, device == "cpu"))
