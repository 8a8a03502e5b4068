import pytest

from joulecast.errors import BadInputError
from joulecast.forecasting.literature.layerwise import ANY, Layerwise, Measured, Part
from joulecast.forecasting.physical.device import Device
from joulecast.hardware.catalog.gpus import find_gpu
from joulecast.workload.model import Layer, Workload

pytest.importorskip("scipy")
GPU = Device.of_gpu(find_gpu("RTX 3090"))
CONV_J, LINEAR_J, BYTE_J = 3e-11, 7e-11, 2e-9  # each multiply-add, each byte of activations


def layer(kind, gmacs, megabytes, name="x"):
    return Layer(name, kind, 0, 2e9 * gmacs, 0.0, 1e6 * megabytes)


def workload(*layers, training=True):
    return Workload("w", 1, (1,), "fp32", training, None, 0, (), layers, 0.0, 0.0, 0.0, 0.0)


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


def energy_of(fitted, *layers, device=GPU, steps=1.0):
    return fitted.energy_j([Part(workload(*layers), steps)], device)


def test_energies_of_whole_steps_give_the_energy_of_each_layer_type():
    fitted = Layerwise.fit(measured())
    convolution, linear = layer("Conv2d", 20, 1), layer("Linear", 1, 30)
    assert energy_of(fitted, convolution) == pytest.approx(cost([convolution]), rel=1e-6)
    assert energy_of(fitted, linear) == pytest.approx(cost([linear]), rel=1e-6)
    both = energy_of(fitted, convolution, linear, steps=3.0)
    assert both == pytest.approx(3 * cost([convolution, linear]), rel=1e-6)


def test_coefficients_are_never_negative():
    noisy = [
        Measured(m.parts, GPU, m.energy_j * (1 + 0.4 * (-1) ** i)) for i, m in enumerate(measured())
    ]
    coefficients = Layerwise.fit(noisy).coefficients
    assert set(coefficients) == {"Conv2d", "Linear", ANY}
    assert min(row.min() for row in coefficients.values()) >= 0


def test_a_layer_type_without_coefficients_uses_those_of_any_layer():
    fitted = Layerwise.fit(measured())
    pooled = Layerwise({ANY: fitted.coefficients[ANY]})
    energy_j = energy_of(fitted, layer("Mamba", 1, 1))
    assert energy_j == energy_of(pooled, layer("Mamba", 1, 1)) > 0


def test_energy_on_another_device_scales_with_its_ratings():
    other = Device.of_gpu(find_gpu("GTX 750 Ti"))
    fitted = Layerwise.fit(measured())
    new = layer("Conv2d", 5, 0)
    rated = (other.tdp_w / other.vector["fp32"]) / (GPU.tdp_w / GPU.vector["fp32"])
    ratio = energy_of(fitted, new, device=other) / energy_of(fitted, new)
    assert ratio == pytest.approx(rated)


def test_one_fit_spans_several_devices():
    other = Device.of_gpu(find_gpu("GTX 750 Ti"))
    fitted = Layerwise.fit([*measured(), *measured(other, factor=2.0)])
    assert energy_of(fitted, layer("Conv2d", 5, 0), device=other) > 0


def test_unsuitable_runs_are_refused():
    with pytest.raises(BadInputError):
        Layerwise.fit([])
    with pytest.raises(BadInputError):
        Layerwise.fit([Measured((Part(workload(*NETWORKS[0])),), GPU, 0.0)])
    without_rates = Device("x", "gpu", {}, {}, 100.0, None, 100.0, 1)
    with pytest.raises(BadInputError):
        Layerwise.fit(measured(without_rates))
    assert energy_of(Layerwise.fit(measured()), *NETWORKS[0], device=without_rates) is None
