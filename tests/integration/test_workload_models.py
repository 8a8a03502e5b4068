"""Published figures of well-known models, and the largest, by name and without their weights."""

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from joulecast.errors import UsageError
from joulecast.workload import OperatorKind, Phase, analyze
from joulecast.workload.model import MULTIPLYING

# Only searched for, not imported: with a CPU build of torch, torchvision cannot be imported before
# joulecast registers the operators that it needs.
for package in ("torch", "torchvision", "timm", "transformers"):
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed", allow_module_level=True)

# Multiply-adds of one image of 224 x 224 (10^9) and parameters (10^6), as torchvision's and timm's
# model pages print them.
VISION = {
    "torchvision:resnet50": (4.089, 25.557),
    "torchvision:vgg16": (15.470, 138.358),
    "torchvision:mobilenet_v3_large": (0.217, 5.483),
    "torchvision:shufflenet_v2_x1_0": (0.145, 2.279),
    "torchvision:vit_b_16": (17.564, 86.568),
    "torchvision:convnext_tiny": (4.456, 28.589),
    "timm:resnet50": (4.09, 25.557),
    "timm:efficientnet_b0": (0.39, 5.289),
    "timm:mobilenetv2_100": (0.30, 3.505),
}

# Parameters (10^6) as their papers and model pages give them.
LANGUAGE = {
    "bert-base-uncased": 110,
    "gpt2": 124,
    "gpt2-xl": 1558,
    "t5-small": 60.5,
    "t5-base": 223,
    "t5-3b": 2852,
    "bart-base": 139,
    "opt-125m": 125,
    "opt-1.3b": 1316,
    "llama-7b": 6738,
    "llama-13b": 13016,
    "llama-3-8b": 8030,
    "llama-3.2-1b": 1236,
    "mistral-7b": 7242,
    "mixtral-8x7b": 46703,
    "qwen2.5-7b": 7616,
    "qwen3-8b": 8191,
    "gemma-2b": 2506,
    "gemma-7b": 8538,
    "phi-2": 2780,
    "bloom-560m": 559,
    "whisper-tiny": 37.8,
    "vit-base-patch16-224": 86.6,
}


def multiplied(work, phase):
    return sum(work.flops(phase, kind) for kind in MULTIPLYING)


@pytest.mark.parametrize("name", VISION)
def test_vision_models_as_published(name):
    gmacs, parameters = VISION[name]
    work = analyze(name, (3, 224, 224), batch=4)
    assert work.macs / work.batch / 1e9 == pytest.approx(
        gmacs, abs=0.005 if "timm" in name else 0.0006
    )
    assert work.parameters / 1e6 == pytest.approx(parameters, abs=0.001)
    # Backward takes twice the forward, less the gradient of the image.
    total = sum(multiplied(work, phase) for phase in (Phase.FORWARD, Phase.BACKWARD))
    assert 2.93 <= total / multiplied(work, Phase.FORWARD) <= 3.05
    assert not work.notes


@pytest.mark.parametrize("name", LANGUAGE)
def test_language_models_have_their_parameters(name):
    work = analyze(f"transformers:{name}", training=False, precision="bf16")
    assert work.parameters / 1e6 == pytest.approx(LANGUAGE[name], rel=0.01)
    assert work.ops and not any("CPU" in note or "bytes" in note for note in work.notes)


@pytest.mark.parametrize("name", ["gpt2", "llama-7b"])
def test_a_decoder_trains_for_six_flops_a_parameter_and_token(name):
    # Kaplan et al., arXiv 2001.08361: 6 N per token, N without embeddings; the scores of a token
    # take the vocabulary times the width again, attention the context.
    tokens, batch = 256, 2
    work = analyze(f"transformers:{name}", tokens, batch=batch)
    layers, width, vocabulary = {
        "gpt2": (12, 768, 50257),
        "llama-7b": (32, 4096, 32000),
    }[name]
    inner = {"gpt2": 8 * 768**2, "llama-7b": 3 * 4096 * 11008}[name]
    weights = layers * (4 * width**2 + inner) + vocabulary * width
    products = work.flops(kind=OperatorKind.MATMUL)
    assert products == pytest.approx(6 * weights * tokens * batch, rel=1e-6)
    # Causal: half the pairs; two products forward and five backward.
    pairs = batch * tokens * (tokens + 1) / 2
    assert work.flops(kind=OperatorKind.ATTENTION) == pytest.approx(
        layers * 7 * 2 * pairs * width, rel=1e-6
    )


def test_an_encoder_attends_to_all():
    tokens, width, layers = 128, 768, 12
    work = analyze("transformers:bert-base-uncased", tokens, training=False)
    assert work.flops(kind=OperatorKind.ATTENTION) == layers * 4 * tokens**2 * width


def test_written_configurations_and_named_heads():
    small = "LlamaConfig(hidden_size=64, num_hidden_layers=2, intermediate_size=128, vocab_size=99)"
    work = analyze(f"transformers:{small}", 16)
    assert work.parameters == 2 * 99 * 64 + 2 * (4 * 64**2 + 3 * 64 * 128 + 2 * 64) + 64
    named = "transformers:BertForSequenceClassification:bert-base-uncased"
    assert "classifier" in {layer.name for layer in analyze(named, 16).layers}
    with pytest.raises(UsageError, match="LlamaConfig"):
        analyze("transformers:LlamaConfig(__import__('os').getpid())", 16)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("torchvision:resnet55", "resnet50"),
        ("timm:efficientnet_bo", "efficientnet_b"),
        ("transformers:bert-bas-uncased", "bert-base-uncased"),
        ("transformers:LlamConfig()", "LlamaConfig"),
        ("resnet5o", "torchvision:resnet50"),
    ],
)
def test_unknown_names_give_the_nearest(name, near):
    with pytest.raises(UsageError, match=near):
        analyze(name)


def test_a_bare_name_is_searched_in_every_library():
    assert analyze("resnet18").name == "torchvision:resnet18"
    assert analyze("gpt2", 8).name == "transformers:gpt2"
    assert analyze("resnet18d").name == "timm:resnet18d"


def test_files_use_the_libraries_as_names_do(tmp_path):
    file = tmp_path / "net.py"
    file.write_text(
        "import torchvision\n"
        "from transformers import LlamaConfig, LlamaForCausalLM\n"
        "SIZES = dict(hidden_size=64, intermediate_size=128, num_hidden_layers=2, vocab_size=256)\n"
        "def resnet():\n    return torchvision.models.resnet18()\n"
        "def llama():\n    return LlamaForCausalLM(LlamaConfig(**SIZES, num_attention_heads=4))\n"
        "def again():\n    model = llama()\n    model.gradient_checkpointing_enable()\n"
        "    return model\n"
    )
    code = (
        "import json, joulecast\n"
        f"resnet = joulecast.analyze('{file}:resnet', (3, 224, 224), batch=4)\n"
        f"count = lambda name: joulecast.analyze('{file}:' + name, 16, batch=2)\n"
        "llama, again = count('llama'), count('again')\n"
        "print(json.dumps([resnet.parameters, resnet.flops(), llama.flops(), again.flops()]))\n"
    )
    # In a process of its own: here the libraries are imported already.
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    parameters, flops, llama, again = json.loads(done.stdout)
    assert parameters == pytest.approx(11.7e6, rel=0.01)
    assert flops == pytest.approx(42.94e9, rel=0.01)
    assert 1.1 < again / llama < 4 / 3


# Multiply-adds of one image (10^9), as torchvision's model pages print them.
DETECTORS = {
    "retinanet_resnet50_fpn": 151.540,
    "fasterrcnn_resnet50_fpn": 134.380,
    "fcos_resnet50_fpn": 128.207,
    "ssd300_vgg16": 34.858,
    "ssdlite320_mobilenet_v3_large": 0.583,
}


@pytest.mark.parametrize("name", DETECTORS)
def test_detectors_as_published(name):
    work = analyze(f"torchvision:{name}", batch=2, training=False)
    assert work.macs / work.batch / 1e9 == pytest.approx(DETECTORS[name], rel=0.001)
    assert any("made up" in note for note in work.notes)
    trained = analyze(f"torchvision:{name}", batch=2)
    # The second stage is trained on 512 regions of an image, and finds objects in 1,000.
    assert 2.7 <= trained.flops() / work.flops() <= 3.1


def test_masks_are_of_the_objects_and_images_are_resized(tmp_path):
    boxes, masks = (
        analyze(f"torchvision:{kind}_resnet50_fpn", batch=1, training=False)
        for kind in ("fasterrcnn", "maskrcnn")
    )
    assert masks.macs > 1.2 * boxes.macs
    small = analyze("torchvision:fasterrcnn_resnet50_fpn", (3, 400, 400), training=False)
    assert small.macs == boxes.macs
    file = tmp_path / "own.py"
    file.write_text(
        "from torchvision.models import detection\n"
        "def own():\n    return detection.retinanet_resnet50_fpn(weights_backbone=None)\n"
    )
    own = analyze(f"{file}:own", (3, 800, 800), training=False)
    assert own.macs == pytest.approx(DETECTORS["retinanet_resnet50_fpn"] * 1e9, rel=0.001)


def test_videos_have_frames():
    assert analyze("torchvision:r3d_18", training=False).input_shape == (3, 16, 224, 224)


def test_models_of_every_family_leave_nothing_uncounted():
    names = [
        "torchvision:densenet121",
        "torchvision:googlenet",
        "torchvision:swin_v2_t",
        "torchvision:maxvit_t",
        "torchvision:regnet_y_400mf",
        "torchvision:deeplabv3_resnet50",
        "torchvision:squeezenet1_0",
        "timm:mixer_b16_224",
        "timm:xcit_tiny_12_p8_224",
        "timm:nfnet_f0",
        "transformers:t5-small",
        "transformers:albert-base-v2",
        "transformers:bloom-560m",
        "transformers:clip-vit-base-patch32",
    ]
    for name in names:
        shapes = ((77,), (3, 224, 224)) if "clip" in name else None
        work = analyze(name, shapes, batch=2, precision="bf16")
        assert not any("moved bytes" in note for note in work.notes), (name, work.notes)
        assert work.flops(Phase.BACKWARD) > work.flops(Phase.FORWARD), name


def test_seventy_billion_parameters_fit_in_four_gigabytes():
    # The largest memory of this process begins anew, see proc_pid_clear_refs(5).
    Path("/proc/self/clear_refs").write_text("5")
    work = analyze("transformers:llama-2-70b", 4096, precision="bf16")
    (peak,) = re.findall(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert work.parameters == pytest.approx(69e9, rel=0.005)
    assert work.flops() == pytest.approx(6 * work.parameters * 4096, rel=0.1)
    assert int(peak) * 1024 < 4e9
