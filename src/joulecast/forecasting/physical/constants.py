"""The constants of the physical model: read from `data/physical.toml`, or made by a fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from .power_model import Draw
from .roofline import CLASSES, COLUMN, FORWARD, Efficiency

# Which fitted constant holds for which class of operators. Classes that compute next to nothing
# (none of their time is computing) share one.
VECTOR = {"matmul": "matmul", "attention": "matmul", "recurrent": "matmul", "conv": "conv"}
VECTOR |= {"winograd": "winograd", "depthwise": "depthwise"}
TENSOR = {"matmul": "matmul", "attention": "attention", "recurrent": "recurrent", "conv": "conv"}
MEMORY = {"matmul": "matmul", "attention": "matmul", "conv": "conv", "winograd": "conv"}
MEMORY |= {"depthwise": "depthwise", "norm": "norm", "recurrent": "recurrent"}
MEMORY |= {"elementwise": "elementwise", "optimizer": "elementwise"}
# Attained share of the peak rate by the rest.
OTHER = 0.5

# Exponent of the soft maximum of device, host and input.
CORNER = 4.0


@dataclass(frozen=True, slots=True)
class Constants:
    """All constants of the model, of any device."""

    efficiency: Efficiency
    draw: Draw
    geforce: float

    @classmethod
    def of(cls, values: Mapping[str, float]) -> Constants:
        """From the values by name, as in the table `[constants]` of the data file."""
        compute = np.full((2, len(CLASSES)), OTHER)
        memory = np.full(len(CLASSES), values["memory_other"])
        latency = np.full(len(CLASSES), values["latency_s"])
        for engine, table in enumerate((VECTOR, TENSOR)):
            prefix = ("vector", "tensor")[engine]
            for name, constant in table.items():
                compute[engine, COLUMN[name]] = values[f"{prefix}_{constant}"]
        for name, constant in MEMORY.items():
            memory[COLUMN[name]] = values[f"memory_{constant}"]
        latency[COLUMN["recurrent"]] = values["latency_recurrent_s"]
        of = len(FORWARD)
        compute[:, of:] = compute[:, :of]
        compute[1, of:] *= values["backward_tensor"]
        compute[1, of + COLUMN["conv"]] = compute[1, COLUMN["conv"]] * values["backward_conv"]
        memory[of:] = memory[:of] * values["backward_memory"]
        memory[of + COLUMN["norm"]] = memory[COLUMN["norm"]] * values["backward_norm"]
        latency[of:] = latency[:of]
        launches = np.array([1.0, values["launch_backward"], values["launch_optimizer"]])
        efficiency = Efficiency(
            compute=compute,
            memory=memory,
            narrow=values["narrow"],
            shallow=values["shallow"],
            latency_s=latency,
            exposed=min(1.0, values["exposed"]),
            launch_s=values["launch_s"] * launches,
            step_s=values["step_s"],
            corner=CORNER,
        )
        draw = Draw(
            awake_hbm=values["awake_hbm"],
            awake_gddr=values["awake_gddr"],
            compute_vector=values["power_vector"],
            compute_tensor=values["power_tensor"],
            memory=values["power_memory"],
            latency=values["power_latency"],
            gamma=values["gamma"],
            sustained=values["held"],
            density=values["power_density"],
        )
        return cls(efficiency, draw, values["geforce"])


def is_geforce(name: str) -> bool:
    """Whether it is a consumer board: tensor cores at half rate, clocks above the rated one.

    Both bring such a board nearer to the peak rate in its data sheet.
    """
    return "GeForce" in name


@cache
def shipped() -> dict[str, Any]:
    """The whole data file: `[constants]`, and the errors that remained after the fit."""
    # Imported here: it is needed only for a forecast.
    import tomllib
    from importlib.resources import files

    text = files(__package__).joinpath("data", "physical.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
