"""Fits the physical model to measured runs: constants of all, factors of machines and jobs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache

import numpy as np

from joulecast.forecasting.physical.constants import Constants, is_geforce
from joulecast.forecasting.physical.device import Device
from joulecast.forecasting.physical.power_model import relative_density, run
from joulecast.forecasting.physical.roofline import Array, Busy, ResourceDemand, busy, demand
from joulecast.hardware.catalog.gpus import gpus
from least_squares import fit
from static_data import Measured

# The model's constants: start, and standard deviation of the logarithm before any measurement.
PRIORS: dict[str, tuple[float, float]] = {
    "vector_matmul": (0.9, 0.08),
    "vector_conv": (0.9, 0.15),
    "vector_winograd": (1.4, 0.15),
    "vector_depthwise": (0.15, 0.5),
    "tensor_matmul": (0.5, 0.4),
    "tensor_conv": (0.5, 0.4),
    "tensor_attention": (0.4, 0.4),
    "tensor_recurrent": (0.2, 0.5),
    "memory_matmul": (0.7, 0.3),
    "memory_conv": (0.6, 0.3),
    "memory_depthwise": (0.5, 0.4),
    "memory_norm": (0.8, 0.2),
    "memory_recurrent": (0.8, 0.4),
    "memory_elementwise": (0.85, 0.1),
    "memory_other": (0.6, 0.3),
    "narrow": (0.3, 0.7),
    "shallow": (1.0, 0.5),
    # Attained by consumer boards relative to others.
    "geforce": (1.1, 0.1),
    "latency_s": (4e-6, 0.5),
    "latency_recurrent_s": (1e-5, 0.5),
    "exposed": (0.6, 0.3),
    "launch_s": (1.5e-5, 0.5),
    "launch_backward": (0.7, 0.3),
    "launch_optimizer": (0.5, 0.3),
    "step_s": (5e-4, 0.3),
    "awake_hbm": (0.15, 0.3),
    "awake_gddr": (0.25, 0.3),
    # With what is drawn awake, full use reaches the limit.
    "power_vector": (0.85, 0.1),
    "power_tensor": (1.2, 0.08),
    "power_memory": (0.5, 0.3),
    "power_latency": (0.3, 0.5),
    "gamma": (2.0, 0.2),
    "held": (0.975, 0.007),
    "backward_tensor": (0.95, 0.05),
    "backward_conv": (0.85, 0.08),
    "backward_memory": (0.85, 0.15),
    "backward_norm": (0.6, 0.15),
    "power_density": (1.0, 0.1),
}
# How a machine differs from the constants: factors, and their prior standard deviation in
# logarithms.
FACTORS = {
    "compute": 0.08,
    "memory": 0.08,
    "launch": 0.5,
    "step": 1.0,
    # Little, so that it does not absorb what full use draws.
    "power": 0.05,
    "awake": 0.12,
}
# How a job differs from its description: factors on its work, with the same.
JOB = {"compute": 0.25, "memory": 0.25}
# Seconds that an input pipeline takes for a sample, with a wide prior: rows of a table are read,
# pictures are decoded at some thousands a second.
READ_S, DECODE_S, INPUT = 1e-6, 3e-4, 3.0
# Standard deviation of one run about the model, in logarithms.
SCATTER_TIME, SCATTER_POWER = 0.12, 0.08
# The largest weight of a cell (one job on one machine), in rows.
MAX_WEIGHT = 5.0
# The largest weight of a data set of many small cells, in rows.
SHARE = {"EC-NAS": 60.0, "timm": 150.0}
# Not in the model: watts of processors and memory, where the measured energy includes them.
ASIDE = {"host_w": (150.0, 0.5)}


@dataclass(frozen=True, slots=True)
class Row:
    """One measured run, ready to be fitted."""

    data: str
    architecture: str
    machine: str
    device: Device
    needs: tuple[tuple[ResourceDemand, float], ...] = field(repr=False)
    duration_s: float
    energy_j: float | None
    batch: int
    label: str = ""
    # Seconds that a step takes for reasons outside the model, where they are known.
    waits_s: float = 0.0
    # Whether its meter reads a known fraction of its power: not fitted, but scored.
    misread: bool = False

    @property
    def cell(self) -> tuple[str, str, str]:
        """Rows of the same cell differ in batch and power limit alone."""
        return self.data, self.architecture, self.machine

    @property
    def job(self) -> tuple[str, str] | None:
        """The key of a job that ran on several machines; None for a job of one machine."""
        return (self.data, self.architecture) if self.data in ("Zeus", "SEAA") else None

    @property
    def feed(self) -> tuple[str, str] | None:
        """The key of a row's input pipeline; None if its steps never wait for input.

        All networks of SEAA read the same pictures by the same code: one pipeline per machine.
        Jobs of Zeus read different data: one pipeline per job.
        """
        return ("SEAA", self.machine) if self.data == "SEAA" else self.job

    @property
    def with_host(self) -> bool:
        """Whether the energy includes that of processors and memory."""
        return self.data == "EC-NAS"


def row(run_: Measured) -> Row:
    """The row of a measured run, with the work that its steps need from the device."""
    needs = tuple((demand(work, run_.device), count) for work, count in run_.parts)
    if run_.graph:
        # The host launches the whole step at once.
        needs = tuple((replace(need, launches=0 * need.launches), n) for need, n in needs)
    return Row(
        data=run_.data,
        architecture=run_.architecture,
        machine=run_.machine,
        device=run_.device,
        needs=needs,
        duration_s=run_.duration_s,
        energy_j=run_.energy_j,
        batch=run_.batch,
        label=run_.label,
        waits_s=run_.waits_s,
        misread=run_.machine == "750 Ti",
    )


# Generations of NVIDIA's chips by the size of their transistors.
GENERATIONS = (
    ("Kepler", "Maxwell"),
    ("Pascal", "Volta", "Turing"),
    ("Ampere",),
    ("Ada Lovelace", "Hopper", "Blackwell", "Blackwell Ultra"),
)


@cache
def usual_rates() -> dict[str, dict[str, float]]:
    """TFLOP/s in fp32 per watt of TDP, by kind of memory and architecture: of all boards together.

    Boards of one generation are together.
    """
    boards = [Device.of_gpu(gpu) for gpu in gpus()]
    usual: dict[str, dict[str, float]] = {"stacked": {}, "unstacked": {}}
    for names in GENERATIONS:
        for kind, by_name in usual.items():
            own = [
                board
                for board in boards
                if board.architecture in names and board.stacked_memory == (kind == "stacked")
            ]
            if own:
                rate = sum(b.vector["fp32"] for b in own) / sum(b.tdp_w for b in own)
                by_name.update(dict.fromkeys(names, round(rate, 4)))
    return usual


class Stack:
    """Many rows as arrays, forecast at once."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        parts = [(i, need, count) for i, r in enumerate(rows) for need, count in r.needs]
        self.of = np.array([i for i, _, _ in parts])
        self.count = np.array([count for _, _, count in parts])
        self.need = ResourceDemand(
            *(
                np.array([getattr(need, name) for _, need, _ in parts])
                for name in (f.name for f in fields(ResourceDemand))
            )
        )
        devices = [r.device for r in rows]
        self.tdp = np.array([d.tdp_w for d in devices])
        self.limit = np.array([d.limit_w for d in devices])
        self.geforce = np.array([is_geforce(d.name) for d in devices])[self.of]
        self.stacked = np.array([d.stacked_memory for d in devices])
        self.host = np.array([r.with_host for r in rows], float)

        self.batch = np.array([r.batch for r in rows], float)
        self.waits_s = np.array([r.waits_s for r in rows])[self.of]
        usual = usual_rates()
        self.density = np.array([relative_density(d, usual) for d in devices])[self.of]

    def forecast(
        self, constants: Constants, machine: Array, job: Array, feed: Array, host_w: float
    ) -> tuple[Array, Array]:
        """Seconds and mean watts of each row.

        `machine` (rows, `FACTORS`), `job` (rows, `JOB`), `feed` (rows,): seconds a sample.
        """
        e, draw, of = constants.efficiency, constants.draw, self.of
        each, own = machine[of], job[of]
        plain = busy(self.need, e, feed[of] * self.batch[of] + self.waits_s)
        compute = own[:, 0] / each[:, 0] / np.where(self.geforce, constants.geforce, 1.0)
        at_work = Busy(
            compute=plain.compute * compute,
            tensor=plain.tensor * compute,
            memory=plain.memory * own[:, 1] / each[:, 1],
            latency=plain.latency,
            host=(plain.host - e.step_s) * each[:, 2] + e.step_s * each[:, 3],
            input=plain.input * each[:, 2],
        )
        awake = self.tdp * np.where(self.stacked, draw.awake_hbm, draw.awake_gddr) * machine[:, 5]
        limit = np.maximum(self.limit, awake)
        watts = self.tdp[of], limit[of], awake[of]
        done = run(at_work, draw, e.corner, *watts, each[:, 4], self.density)
        rows = len(self.rows)
        seconds = np.bincount(of, done.step_s * self.count, rows)
        joules = np.bincount(of, done.step_s * done.power_w * self.count, rows)
        return seconds, joules / seconds + host_w * self.host


def launch_share(r: Row, constants: Constants) -> float:
    """Share of a row's time in which the device waits for launches, by the constants alone."""
    whole, waiting = 0.0, 0.0
    for need, count in r.needs:
        at_work = busy(need, constants.efficiency)
        device_s = float(at_work.compute + at_work.memory)
        launch_s = max(float(at_work.latency), float(at_work.host) - device_s)
        waiting += count * launch_s
        whole += count * (device_s + launch_s)
    return waiting / whole


@dataclass(frozen=True, slots=True)
class Fit:
    """Constants, factors of each machine and job, seconds a sample of each feed, and `ASIDE`."""

    values: dict[str, float]
    machines: dict[str, Array]
    jobs: dict[tuple[str, str], Array]
    feeds: dict[tuple[str, str], float]
    aside: tuple[float, ...]

    def forecast(self, rows: Sequence[Row], jobs: bool = True) -> tuple[Array, Array]:
        """Seconds and watts; a machine or job that was not fitted has factors of 1.

        Without `jobs`, all jobs do.
        """
        feeds = {k: f for k, f in self.feeds.items() if jobs or k not in self.jobs}
        machine = np.ones(len(FACTORS)), self.machines
        job = np.ones(len(JOB)), self.jobs if jobs else {}
        by_machine = np.array([machine[1].get(r.machine, machine[0]) for r in rows])
        by_job = np.array([job[1].get(r.job, job[0]) if r.job else job[0] for r in rows])
        by_feed = np.array([feeds.get(r.feed, 0.0) if r.feed else 0.0 for r in rows])
        constants = Constants.of(self.values)
        return Stack(rows).forecast(constants, by_machine, by_job, by_feed, *self.aside)


def fit_rows(rows: Sequence[Row], after: Fit | None = None) -> Fit:
    """The constants and factors that fit the rows best, robust to outliers.

    The search begins where a fit of more rows ended, if it is given.
    """
    stack = Stack(rows)
    machines = sorted({r.machine for r in rows})
    jobs = sorted({r.job for r in rows if r.job})
    machine_of = np.array([machines.index(r.machine) for r in rows])
    job_of = np.array([jobs.index(r.job) if r.job else len(jobs) for r in rows])
    feeds = sorted({r.feed for r in rows if r.feed})
    feed_of = np.array([feeds.index(r.feed) if r.feed else len(feeds) for r in rows])
    names = list(PRIORS)
    measured_s = np.log([r.duration_s for r in rows])
    has_power = np.array([r.energy_j is not None and not r.misread for r in rows])
    measured_w = np.log([(r.energy_j or 1.0) / r.duration_s for r in rows])
    weight = _weights(rows)
    own = len(machines) * len(FACTORS) + len(jobs) * len(JOB) + len(feeds)
    prior = np.log([v for v, _ in (*PRIORS.values(), *ASIDE.values())])
    prior = np.concatenate([prior, np.zeros(own - len(feeds))])
    decoded = [DECODE_S if f[0] == "SEAA" else READ_S for f in feeds]
    prior = np.append(prior, np.log(decoded))
    deviation = np.array([d for _, d in (*PRIORS.values(), *ASIDE.values())])
    of_machines = np.tile(list(FACTORS.values()), len(machines))
    of_jobs = np.tile(list(JOB.values()), len(jobs))
    of_feeds = np.full(len(feeds), INPUT)
    deviation = np.concatenate([deviation, of_machines, of_jobs, of_feeds])

    def unpack(at: Array) -> tuple[dict[str, float], Array, Array, Array, tuple[float, ...]]:
        plain = np.exp(at)
        first = len(names) + len(ASIDE)
        second = first + len(machines) * len(FACTORS)
        by_machine = plain[first:second].reshape(len(machines), len(FACTORS))
        third = second + len(jobs) * len(JOB)
        by_job = plain[second:third].reshape(len(jobs), len(JOB))
        by_job = np.vstack([by_job, np.ones(len(JOB))])  # of rows without a job
        by_feed = np.append(plain[third:], 0.0)
        values = dict(zip(names, plain[: len(names)].tolist(), strict=True))
        return values, by_machine, by_job, by_feed, tuple(plain[len(names) : first].tolist())

    def residuals(at: Array) -> Array:
        values, by_machine, by_job, by_feed, aside = unpack(at)
        constants = Constants.of(values)
        own = by_machine[machine_of], by_job[job_of], by_feed[feed_of]
        seconds, watts = stack.forecast(constants, *own, *aside)
        time = (np.log(seconds) - measured_s) * weight / SCATTER_TIME
        power = ((np.log(watts) - measured_w) * weight / SCATTER_POWER)[has_power]
        return np.concatenate([time, power])

    first = len(names) + len(ASIDE)
    second = first + len(machines) * len(FACTORS)
    third = second + len(jobs) * len(JOB)
    owners = [first + machine_of * len(FACTORS) + k for k in range(len(FACTORS))]
    owners += [
        np.where(job_of < len(jobs), second + job_of * len(JOB) + k, -1) for k in range(len(JOB))
    ]
    owners.append(np.where(feed_of < len(feeds), third + feed_of, -1))
    # A row has a residual of time, and one of power where that was measured.
    apart = [np.concatenate([owner, owner[has_power]]) for owner in owners]
    start = None if after is None else prior + 0.0
    if start is not None and after is not None:
        start[:first] = np.log([*after.values.values(), *after.aside])
        start[first:second] = np.log([after.machines[m] for m in machines]).ravel()
        start[second:third] = np.log([after.jobs[j] for j in jobs]).ravel()
        start[third:] = np.log([after.feeds[f] for f in feeds])
    at = fit(residuals, prior, deviation, apart=apart, start=start)
    values, by_machine, by_job, by_feed, aside = unpack(at)
    return Fit(
        values,
        dict(zip(machines, by_machine, strict=True)),
        dict(zip(jobs, by_job[:-1], strict=True)),
        dict(zip(feeds, by_feed[:-1].tolist(), strict=True)),
        aside,
    )


def _weights(rows: Iterable[Row]) -> Array:
    """Square roots of the rows' weights: limited per cell and per data set of many cells."""
    rows = list(rows)
    cells = Counter(r.cell for r in rows)
    each = np.array([min(MAX_WEIGHT, cells[r.cell]) / cells[r.cell] for r in rows])
    for data, share in SHARE.items():
        own = np.array([r.data == data for r in rows])
        if own.any():
            each[own] *= min(1.0, share / each[own].sum())
    return np.sqrt(each)
