"""Text generated token by token, as a server with continuous batching runs it.

A step makes one token for each of the sequences under way. It streams the weights and the keys and
values kept of earlier tokens, computes, and starts kernels for each layer; a part of the prompts
that arrive during it is computed with it. Time and energy of a step are sums over these,

    time   = sum of t_i x_i,   energy = TDP x devices x sum of e_i x_i,

with x_i the seconds at the device's peak rates (bytes / bandwidth, operations / peak), or numbers
of layers, sequences and messages. The constants are fitted to 405 configurations of vLLM on H100
(ML.ENERGY v3, `benchmarks/generation.py`). In a batch of b sequences, this is the law
J per token = a + c / b of arXiv 2505.06371, with a and c from the architecture.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from ...errors import UsageError
from ...estimate import Estimate, Provenance
from ...hardware.catalog.data_file import read_cached
from ...workload.decoder import CACHE_BYTES, WEIGHT_BYTES, Decoder
from ...workload.model import Op, OperatorKind, Phase, Workload
from ..base import Prediction
from ..conformal import Spread
from .device import Device, Shares, StepForecast
from .memory_fit import CONTEXT_BYTES, COUNTS, FRAGMENTED, MemoryNeed

# What a step consists of; the first three are seconds at peak rates.
PARTS = ("weights", "cache", "compute", "layers", "sequences", "messages")
_SERVED = "generated as a server with continuous batching (vLLM) does: a plain loop takes longer"


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests that are answered together.

    Attributes:
        batch: sequences under way at a time, on one copy of the model.
        prompt_tokens: of a request.
        generate_tokens: that answer it.
    """

    batch: int
    prompt_tokens: float
    generate_tokens: float


@dataclass(frozen=True, slots=True)
class GenerationForecast:
    """What generated text costs on the devices.

    Attributes:
        prompt_tokens: of a request.
        generate_tokens: that answer it.
        energy_per_token: J for each generated token, the prompt's share included.
        energy_per_request: J.
        token_duration: s between two tokens of a sequence.
        first_token: s to compute a prompt, without waiting for others.
    """

    prompt_tokens: int
    generate_tokens: int
    energy_per_token: Estimate
    energy_per_request: Estimate
    token_duration: Estimate
    first_token: Estimate


@cache
def constants() -> Mapping[str, Mapping[str, float]]:
    """`[time]` and `[energy]` by part, and `[errors]`: half widths in logarithms."""
    from importlib.resources import as_file, files

    with as_file(files(__package__).joinpath("data", "generation.toml")) as path:
        return read_cached(path)


def parts_of_step(
    decoder: Decoder, requests: Requests, device: Device, devices: int, weight_bytes: float
) -> dict[str, float]:
    """The parts of a step by name (`PARTS`), on `devices` that share each matrix."""
    batch, prompt, answer = requests.batch, requests.prompt_tokens, requests.generate_tokens
    bandwidth = device.memory_bandwidth_gb_s * 1e9 * devices
    # Products with few rows are computed in 16 bits, whatever the type of the weights.
    peak = (device.peak_tflops("bf16") or 1.0) * 1e12 * devices
    # Every sequence needs a prompt once for all its tokens.
    prompts = batch * prompt / answer
    prompt_flops = 2 * prompts * (decoder.active + decoder.attention * prompt / 2)
    # Half of the answer exists on average.
    mean = prompt + answer / 2
    flops = 2 * batch * (decoder.active + decoder.attention * mean) + prompt_flops
    return {
        "weights": decoder.weights_read(batch) * weight_bytes / bandwidth,
        "cache": batch * decoder.cache_at(mean) * CACHE_BYTES / bandwidth,
        "compute": flops / peak,
        "layers": float(decoder.layers),
        "sequences": float(batch),
        "messages": 2.0 * decoder.layers if devices > 1 else 0.0,
    }


def weighed(parts: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """The sum of the parts of a step, each with its constant."""
    return math.fsum(weights[name] * parts[name] for name in PARTS)


def generation_step(
    decoder: Decoder,
    requests: Requests,
    device: Device,
    tensor: int = 1,
    copies: int = 1,
    precision: str = "bf16",
) -> tuple[StepForecast, GenerationForecast]:
    """All requests of a batch on each of `copies` of the model, each on `tensor` devices."""
    width = WEIGHT_BYTES.get(precision, 4.0)
    parts = parts_of_step(decoder, requests, device, tensor, width)
    fitted = constants()
    each_s = weighed(parts, fitted["time"])
    joules = device.tdp_w * tensor * weighed(parts, fitted["energy"])
    watts = min(joules / each_s, device.limit_w * tensor)
    wider = 1.0 if device.architecture == "Hopper" else 1 + fitted["errors"]["other_devices"]
    spread = {
        name: Spread(fitted["errors"][name]).widened(wider) for name in ("time", "energy", "power")
    }
    tokens = requests.generate_tokens
    duration = spread["time"].around(each_s * tokens)
    energy = spread["energy"].around(each_s * watts * tokens * copies)
    power = spread["power"].around(watts * copies)
    limit = device.limit_w * tensor * copies
    power = Prediction(power.value, power.low, min(limit, power.high or limit))
    alone = Requests(1, requests.prompt_tokens, 1)
    prompt = parts_of_step(decoder, alone, device, tensor, width)
    answered = requests.batch * copies
    generation = GenerationForecast(
        prompt_tokens=int(requests.prompt_tokens),
        generate_tokens=int(tokens),
        energy_per_token=_each(energy, answered * tokens, "J"),
        energy_per_request=_each(energy, answered, "J"),
        token_duration=_each(duration, tokens, "s"),
        first_token=_each(spread["time"].around(weighed(prompt, fitted["time"])), 1.0, "s"),
    )
    why = () if wider == 1 else ("generation was measured on H100 only",)
    step = StepForecast(
        duration, energy, power, _shares(parts), "generation", "catalog", (_SERVED, *why)
    )
    return step, generation


def generation_workload(
    name: str, decoder: Decoder, requests: Requests, precision: str, notes: tuple[str, ...] = ()
) -> Workload:
    """What all tokens of a batch of requests compute and read, as two operators."""
    width = WEIGHT_BYTES.get(precision, 4.0)
    batch, prompt, steps = requests.batch, requests.prompt_tokens, requests.generate_tokens
    mean = prompt + steps / 2
    flops = 2 * batch * (prompt + steps) * decoder.active
    streamed = decoder.weights_read(batch) * width * steps
    products = Op(OperatorKind.MATMUL, Phase.FORWARD, flops, streamed, "bf16")
    pairs = prompt * prompt / 2 + steps * mean
    kept = batch * decoder.cache_at(mean) * CACHE_BYTES * steps
    attention = Op(
        OperatorKind.ATTENTION, Phase.FORWARD, 2 * batch * decoder.attention * pairs, kept, "bf16"
    )
    return Workload(
        name=name,
        batch=batch,
        input_shape=(int(prompt),),
        precision=precision,
        training=False,
        optimizer=None,
        parameters=int(decoder.parameters),
        ops=(products, attention),
        layers=(),
        weight_bytes=decoder.parameters * width,
        gradient_bytes=0.0,
        optimizer_bytes=0.0,
        activation_bytes=0.0,
        notes=notes,
        blocks=decoder.layers,
    )


def memory_of(
    decoder: Decoder, requests: Requests, device: Device, tensor: int, precision: str
) -> MemoryNeed:
    """Weights, and the keys and values of whole sequences, on each device."""
    weights = decoder.parameters * WEIGHT_BYTES.get(precision, 4.0)
    tokens = requests.prompt_tokens + requests.generate_tokens
    kept = decoder.cache_at(tokens) * CACHE_BYTES

    def needed(sequences: int, devices: int) -> float:
        return FRAGMENTED * (weights + sequences * kept) / devices + CONTEXT_BYTES

    batch = requests.batch
    available = math.inf if device.memory_gb is None else device.memory_gb * 1e9
    fits_on = None
    if needed(batch, tensor) > available:
        fits_on = next((n for n in COUNTS if needed(batch, n) <= available), None)
    return MemoryNeed(
        needed_bytes=needed(batch, tensor),
        available_bytes=None if device.memory_gb is None else available,
        min_bytes=needed(1, tensor),
        fixed_bytes=needed(0, tensor),
        fits_on=fits_on,
        way="tensor",
    )


def check_generation(prompt_tokens: int | None, generate_tokens: int | None) -> tuple[int, int]:
    """Both numbers. Raises `UsageError` where one is missing or below 1."""
    numbers = {"--prompt-tokens": prompt_tokens, "--generate-tokens": generate_tokens}
    for option, number in numbers.items():
        if number is None or number < 1:
            raise UsageError(
                f"{option} {'is missing' if number is None else number}: generation needs at least "
                "one token of prompt and of answer: --prompt-tokens 1024 --generate-tokens 512"
            )
    assert prompt_tokens is not None and generate_tokens is not None
    return prompt_tokens, generate_tokens


def _shares(parts: Mapping[str, float]) -> Shares:
    fitted = constants()["time"]
    whole = weighed(parts, fitted)
    compute = fitted["compute"] * parts["compute"] / whole
    memory = sum(fitted[name] * parts[name] for name in ("weights", "cache")) / whole
    return Shares(compute, memory, 1 - compute - memory)


def _each(p: Prediction, number: float, unit: str) -> Estimate:
    low, high = p.low or p.value, p.high or p.value
    return Estimate(p.value / number, low / number, high / number, unit, Provenance.MODELLED)
