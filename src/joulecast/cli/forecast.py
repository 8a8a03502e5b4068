"""`joulecast forecast MODEL`: what a training or inference will cost, before it runs."""

from typing import Any

import click

from ..errors import UsageError
from ..result import Result
from . import options
from .verb import verb

PRECISIONS = ("default", "fp32", "tf32", "bf16", "fp16", "fp8")
OPTIMIZERS = ("sgd", "momentum", "adam", "adamw", "none")


def parse_shape(text: str) -> tuple[int, ...]:
    """`3x224x224` as a shape. Raises `UsageError`."""
    try:
        shape = tuple(int(part) for part in text.lower().split("x"))
    except ValueError:
        shape = (0,)
    if min(shape) < 1:
        raise UsageError(f"--input {text}: write the sizes of one sample, as in 3x224x224 or 512")
    return shape


@verb("forecast")
@click.argument("model")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="SHAPE",
    help="Shape of one sample without the batch: 3x224x224, or 512 tokens; repeat it for each "
    "input. [default: what the model's library uses]",
)
@options.count("--batch", default=32, help="Samples in one step, over all devices.")
@options.count("--samples", help="Training samples in an epoch. This or --steps is needed.")
@options.count(
    "--val-samples",
    type=click.IntRange(min=0),
    default=0,
    help="Validation samples after each epoch.",
)
@options.count("--epochs", default=1, help="Planned epochs of --samples.")
@options.count("--steps", help="Total number of steps, instead of --samples.")
@click.option("--training/--inference", default=True, help="Forecast training, or inference.")
@click.option(
    "--gpu",
    metavar="NAME[,NAME]",
    help="GPU of the catalog, a node of several (8xH100), or more than one to compare: "
    "A100,RTX 3090.",
)
@options.count("--nodes", default=1, help="Nodes of --gpu: --gpu 8xH100 --nodes 4 is 32 GPUs.")
@click.option(
    "--parallel",
    metavar="WAYS",
    help="How the GPUs divide the job: data (copies of the model), fsdp (sharded copies), "
    "tensor:8, pipeline:4, or a product: fsdp,tensor:8. [default: data]",
)
@options.count(
    "--accumulate",
    help="Micro-batches of one step, whose gradients are added. [default: 1; up to 4 for each "
    "stage of a pipeline]",
)
@options.count(
    "--prompt-tokens",
    help="Tokens of a request, for --inference of a language model that generates text: --batch "
    "sequences are under way at a time, and --samples are requests.",
)
@options.count("--generate-tokens", help="Tokens that answer a request.")
@options.flag(
    "--gradient-checkpointing",
    help="Keep only what goes from block to block of the model, and compute each block again in "
    "the backward pass: less memory, more time.",
)
@click.option(
    "--lora",
    metavar="r=RANK",
    help="Train only low-rank adapters of this rank on the layers of the blocks: r=16.",
)
@options.count(
    "--mean-length",
    help="Mean tokens of a sequence that are not padding, where padding is not computed. "
    "[default: all of --input]",
)
@options.flag(
    "--compile",
    help="As torch.compile runs the model: chains of elementwise operators in one kernel each.",
)
@click.option(
    "--mfu",
    type=float,
    metavar="SHARE",
    help="Known model FLOPs utilization: operations of the model / peak rate of the GPUs, such as "
    "0.4. [default: forecast]",
)
@click.option(
    "--cpu",
    is_flag=False,
    flag_value="",
    metavar="[NAME]",
    help="CPU of the catalog by its name; without a name, this machine's CPU.",
)
@options.flag(
    "--here",
    help="Forecast for this machine's GPU, or its CPU if it has none. [default without --gpu and "
    "--cpu]",
)
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default="default",
    help="Number format of the computation. default is PyTorch's: fp32, with convolutions in TF32 "
    "on Ampere and later; fp32 rounds nothing; bf16 and fp16 are automatic mixed precision; fp8 "
    "is bf16 with linear layers in fp8.",
)
@click.option(
    "--optimizer",
    type=click.Choice(OPTIMIZERS),
    default="adamw",
    help="Optimizer of the training.",
)
@options.flag(
    "--probe",
    help="Run real steps on this machine for 8 seconds, for the most accurate forecast.",
)
@options.grid
@options.ledger
def command(model: str, inputs: tuple[str, ...], **options_: Any) -> Result:
    """Forecast energy, duration and carbon of MODEL before it runs.

        joulecast forecast torchvision:resnet50 --steps 1000 --gpu "RTX 3090"

    MODEL is torchvision:NAME, timm:NAME, transformers:NAME, or FILE.py:FUNCTION for your own.
    """
    from ..run.forecast import forecast

    shapes = [parse_shape(text) for text in inputs]
    return forecast(model, shapes[0] if len(shapes) == 1 else shapes or None, **options_)
