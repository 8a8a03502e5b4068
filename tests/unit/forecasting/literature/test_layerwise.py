import math

import pytest

from joulecast.errors import BadInputError
from joulecast.forecasting.conformal import Spread
from joulecast.forecasting.literature.flops_tdp import FlopsTdp
from joulecast.forecasting.literature.layerwise import Layerwise, Measured, Part
from joulecast.forecasting.physical.device import Device
from joulecast.hardware.catalog.gpus import find_gpu
from joulecast.workload.model import Layer, Workload

pytest.importorskip("scipy")
GPU = Device.of_gpu(find_gpu("RTX 3090"))
CONV_J, LINEAR_J, BYTE_J = 3e-11, 7e-11, 2e-9  # each multiply-add, each byte of activations


def layer(kind, gmacs, megabytes, name="x"):
    return Layer(name, kind, 0, 2e9 * gmacs, 0.0, 1e6 * megabytes)


def workload(*layers, training=True):
    given = tuple(layers)
    return Workload("w", 1, (1,), "fp32", training, None, 0, (), given, 0.0, 0.0, 0.0, 0.0)


def cost(layers):
    each = {"Conv2d": CONV_J, "Linear": LINEAR_J}
    return sum(each[x.type] * x.forward_flops / 2 + BYTE_J * x.activation_bytes for x in layers)


NETWORKS = [
    [layer("Conv2d", 1 + i, 5 * (1 + i % 3)), layer("Linear", 2 + (i * i) % 7, 3 + i % 4)]
    for i in range(9)
]


def measured(device=GPU, factor=1.0):
    return [
        Measured((Part(workload(*layers), 10.0),), device, 10 * factor * cost(layers))
        for layers in NETWORKS
    ]


def test_totals_of_networks_tell_what_each_type_of_layer_costs():
    found = Layerwise.fit(measured())
    new = [layer("Conv2d", 20, 1, "a"), layer("Linear", 1, 30, "b")]
    step = found.step(workload(*new), GPU)
    assert step.energy.value == pytest.approx(cost(new), rel=1e-6)
    parts = found.of_layers(workload(*new), GPU)
    assert parts["a"] == pytest.approx(cost(new[:1]), rel=1e-6)
    assert sum(parts.values()) == pytest.approx(step.energy.value)


def test_single_layers_teach_it_too():
    rows = [
        (x, workload(x), GPU, cost([x]))
        for i in range(1, 6)
        for x in (layer("Conv2d", i, i * i), layer("Linear", i * i, i))
    ]
    found = Layerwise.fit_layers(rows)
    new = [layer("Conv2d", 20, 1), layer("Linear", 1, 30)]
    assert found.energy_j([Part(workload(*new), 3)], GPU) == pytest.approx(3 * cost(new), rel=1e-6)


def test_coefficients_are_never_negative():
    noisy = [
        Measured(m.parts, GPU, m.energy_j * (1 + 0.4 * (-1) ** i)) for i, m in enumerate(measured())
    ]
    assert min(row.min() for row in Layerwise.fit(noisy).coefficients.values()) >= 0


def test_layers_of_a_type_not_fitted_are_taken_as_any_other_and_said_so():
    step = Layerwise.fit(measured()).step(workload(layer("Mamba", 1, 1)), GPU)
    assert step.energy.value > 0
    assert "Mamba" in step.notes[0]


def test_another_device_costs_what_its_rating_says():
    other = Device.of_gpu(find_gpu("GTX 750 Ti"))
    found = Layerwise.fit([*measured(), *measured(other, factor=2.0)])
    alone = Layerwise.fit(measured())
    new = workload(layer("Conv2d", 5, 0))
    rated = (other.tdp_w / other.vector["fp32"]) / (GPU.tdp_w / GPU.vector["fp32"])
    ratio = alone.step(new, other).energy.value / alone.step(new, GPU).energy.value
    assert ratio == pytest.approx(rated)
    assert found.step(new, other).energy.value > 0


def test_time_is_that_of_another_method_or_of_rated_power():
    found = Layerwise.fit(measured())
    new = workload(layer("Conv2d", 20, 1))
    assert found.step(new, GPU).power.value == GPU.tdp_w
    timed = found.with_clock(FlopsTdp(), Spread(math.log(2))).step(new, GPU)
    assert "flops-tdp" in timed.notes[0]
    assert timed.energy.high == pytest.approx(2 * timed.energy.value)


def test_what_cannot_be_learnt_from():
    with pytest.raises(BadInputError, match="none"):
        Layerwise.fit([])
    with pytest.raises(BadInputError, match="none"):
        Layerwise.fit_layers([])
    with pytest.raises(BadInputError, match="not above 0"):
        Layerwise.fit([Measured((Part(workload(*NETWORKS[0])),), GPU, 0.0)])
    bare = Device("x", "gpu", {}, {}, 100.0, None, 100.0, 1)
    with pytest.raises(BadInputError, match="rates"):
        Layerwise.fit(measured(bare))
    assert Layerwise.fit(measured()).step(workload(*NETWORKS[0]), bare) is None
