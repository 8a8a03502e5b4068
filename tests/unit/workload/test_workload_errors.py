"""Misuse: one line each, with the place."""

import re
import subprocess
import sys

import pytest
import torch
from torch import nn

from joulecast.errors import BadInputError, UsageError
from joulecast.workload import OperatorKind, analyze


def message(kind, *args, **kwargs):
    with pytest.raises(kind) as caught:
        analyze(*args, **kwargs)
    text = str(caught.value)
    assert "\n" not in text
    return text


def net():
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(128, 10))


def test_an_input_that_does_not_fit_names_the_layer():
    text = message(UsageError, net(), (3, 8, 8), batch=2)
    assert "3x8x8" in text
    assert "layer 2, " in text and str(net()[2]) in text
    assert "2x288" in text
    text = message(UsageError, net(), (1, 6, 6))
    assert "layer 0, " in text and "Conv2d(3, 8" in text


def test_one_sample_is_too_few_for_batch_statistics():
    wide = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    assert re.search(r"\bbatch\b.*\b2\b", message(UsageError, wide, (4,)))


@pytest.mark.parametrize("batch", [0, -1, 1.5, True])
def test_an_empty_batch(batch):
    assert "batch" in message(UsageError, net(), (3, 6, 6), batch=batch)


@pytest.mark.parametrize("shape", ["3x6x6", (3, 0, 6), (3, -1), (3.0, 6), {}])
def test_an_invalid_shape(shape):
    message(UsageError, net(), shape)


def test_the_input_of_an_own_model_is_unknown():
    assert "3x224x224" in message(UsageError, net())


def test_an_object_that_is_no_model():
    assert "torchvision:resnet50" in message(UsageError, 7, (3,))
    assert re.search(r"\bint\b", message(BadInputError, lambda: 7, (3,)))


def test_a_loss_that_is_unknown_or_does_not_fit():
    assert "cross-entropy" in message(UsageError, net(), (3, 6, 6), loss="hinge")
    text = message(UsageError, net(), (3, 6, 6), loss=lambda out: out + torch.ones(7))
    assert "loss" in text


def test_a_model_that_fails_when_built():
    def broken():
        raise ValueError("no such width")

    assert "ValueError: no such width" in message(UsageError, broken, (3,))


def test_a_model_built_by_a_file(tmp_path):
    file = tmp_path / "nets.py"
    file.write_text(
        "from torch import nn\nimport sizes\n"
        "def build():\n    return nn.Linear(sizes.WIDTH, 2)\n"
        "ready = nn.Linear(4, 3)\nwidth = 3\n"
    )
    (tmp_path / "sizes.py").write_text("WIDTH = 4\n")
    assert analyze(f"{file}:build", (4,)).parameters == 10
    assert analyze(f"{file}:ready", (4,)).parameters == 15
    assert "build" in message(UsageError, f"{file}:bild", (4,))
    assert "width" in message(BadInputError, f"{file}:width", (4,))
    assert f"{file}:build" in message(UsageError, str(file), (4,))
    assert "none.py" in message(BadInputError, f"{tmp_path}/none.py:build", (4,))
    file.write_text("1 / 0\n")
    assert "ZeroDivisionError" in message(BadInputError, f"{file}:build", (4,))
    file.write_text(
        "try:\n    {}['key']\n"
        "except KeyError as error:\n    raise RuntimeError('no such part') from error\n"
    )
    text = message(BadInputError, f"{file}:build", (4,))
    assert "no such part" in text and "KeyError" in text


class Dynamic(nn.Module):
    """Its control flow depends on its data."""

    def __init__(self, width=4):
        super().__init__()
        self.one = nn.Linear(width, width)

    def forward(self, x):
        return self.one(x) if x.sum().item() > -1e9 else x


def test_control_flow_that_depends_on_data_is_run_on_the_cpu():
    plain = analyze(nn.Sequential(nn.Linear(4, 4)), (4,), batch=3)
    for model in (Dynamic(), Dynamic):
        work = analyze(model, (4,), batch=3)
        assert work.flops(kind=OperatorKind.MATMUL) == plain.flops(kind=OperatorKind.MATMUL)
        assert any("CPU" in note and "Dynamic" in note for note in work.notes)


def test_a_model_too_large_to_run_is_an_error():
    def large():
        return Dynamic(40_000)

    with torch.device("meta"):
        model = large()
    on_meta = message(UsageError, Dynamic().to("meta"), (4,))
    assert "meta" in on_meta
    assert "meta" not in message(UsageError, model, (40_000,))


def test_a_model_that_needs_values_is_built_on_the_cpu():
    def build():
        rates = [rate.item() for rate in torch.linspace(0, 0.5, 3)]
        return nn.Sequential(*(nn.Dropout(rate) for rate in rates), nn.Linear(4, 2))

    work = analyze(build, (4,))
    assert work.parameters == 10
    assert any("CPU" in note for note in work.notes)


def test_an_unknown_operator_is_counted_by_its_bytes_with_a_note():
    library = torch.library.Library("joulecast_test", "FRAGMENT")
    library.define("twist(Tensor x) -> Tensor")
    library.impl("twist", lambda x: x.clone(), "CompositeExplicitAutograd")

    class Twist(nn.Module):
        def forward(self, x):
            return torch.ops.joulecast_test.twist(x)

    work = analyze(Twist(), (5,), training=False)
    (note,) = work.notes
    assert "joulecast_test.twist x1" in note
    (op,) = work.ops[:1]
    assert (op.kind, op.flops, op.bytes) == (OperatorKind.MOVE, 0, 40)


def test_the_model_is_not_changed():
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.LazyLinear(3)).eval()
    before = {name: value.clone() for name, value in model[:2].state_dict().items()}
    analyze(model, (4,), batch=3, precision="bf16")
    assert not model.training
    assert all(torch.equal(value, before[name]) for name, value in model[:2].state_dict().items())
    assert all(p.grad is None for p in model[:2].parameters())
    assert isinstance(model[2].weight, nn.UninitializedParameter)
    assert not torch.nn.modules.module._global_forward_hooks


def test_inputs_of_every_form():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Linear(3, 4), nn.Linear(5, 4)

        def forward(self, a, b):
            return self.left(a) + self.right(b)

    shapes = analyze(Two(), ((3,), (5,)), batch=2)
    tensors = analyze(Two(), (torch.zeros(2, 3), torch.zeros(2, 5)))
    named = analyze(Two(), {"b": torch.zeros(2, 5), "a": torch.zeros(2, 3)})
    assert shapes.flops() == tensors.flops() == named.flops()
    assert tensors.batch == 2
    words = nn.Sequential(nn.Embedding(50, 8), nn.Linear(8, 2))
    assert analyze(words, 7, batch=3).flops(kind=OperatorKind.MATMUL) == analyze(
        words, torch.ones(3, 7, dtype=torch.long)
    ).flops(kind=OperatorKind.MATMUL)


def test_wrappers_cost_nothing():
    model = net()
    plain = analyze(model, (3, 6, 6))
    assert analyze(nn.DataParallel(model), (3, 6, 6)).ops == plain.ops


def test_importing_the_room_does_not_import_torch():
    code = "import sys, joulecast.workload; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
