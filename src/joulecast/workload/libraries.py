"""Models of torchvision, timm and transformers, by name and without their weights."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import tomllib
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from .mending import import_torchvision, mend_torchvision
from .recipe import Recipe, Shape, first_line, package

if TYPE_CHECKING:
    from torch import nn


def torchvision(name: str) -> Recipe:
    """A model of torchvision, as `torchvision.models.get_model` names them."""
    models = import_torchvision(f"torchvision:{name}").models
    if name.lower() not in models.list_models():
        raise _unknown("torchvision", name, models.list_models())

    family = models.get_model_builder(name.lower()).__module__.split(".")[2]
    detects = family == "detection"
    from .detection import Detector

    def build() -> nn.Module:
        # GoogLeNet and Inception would warn that their weights take long to initialize.
        quiet = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
        backbone = {"weights_backbone": None} if detects else _no_backbone(name)
        model: nn.Module = models.get_model(name.lower(), weights=None, **backbone, **quiet)
        return Detector(model) if detects else model

    def inputs(model: nn.Module) -> tuple[Shape, ...]:
        # Vision transformers have a fixed size, and detectors resize their images to one.
        size = getattr(model, "image_size", None)
        if detects:
            sizes: Any = model.sizes
            return ((3, sizes[0], sizes[0]),)
        if name.startswith("inception"):
            size = 299
        image = (3, size, size) if isinstance(size, int) else (3, 224, 224)
        # Sixteen frames.
        if family == "video":
            return ((image[0], 16, *image[1:]),)
        return (image, image) if family == "optical_flow" else (image,)

    return Recipe(f"torchvision:{name}", build, inputs)


def _no_backbone(name: str) -> dict[str, None]:
    # Segmentation would download the weights of its backbone.
    parts = ("fcn_", "deeplabv3", "lraspp")
    return {"weights_backbone": None} if any(part in name for part in parts) else {}


def timm(name: str) -> Recipe:
    """A model of timm, as `timm.create_model` names them."""
    mend_torchvision()
    library = package("timm", f"timm:{name}", "forecast")
    if not library.is_model(name.split(".")[0]):
        raise _unknown("timm", name, library.list_models())

    def build() -> nn.Module:
        model: nn.Module = library.create_model(name, pretrained=False)
        return model

    def inputs(model: nn.Module) -> tuple[Shape, ...] | None:
        config = getattr(model, "pretrained_cfg", None) or getattr(model, "default_cfg", {})
        size = config.get("input_size")
        return (tuple(size),) if size else None

    return Recipe(f"timm:{name}", build, inputs)


def transformers(name: str) -> Recipe:
    """A model of transformers, from a configuration and never from the network.

    `bert-base-uncased` (see `transformers.toml`), a type of model with its default configuration
    (`mistral`), or a configuration written out: `LlamaConfig(hidden_size=1024)`. The model has the
    head of its pre-training, unless a class comes before the configuration:
    `BertForSequenceClassification:bert-base-uncased`.
    """
    mend_torchvision()
    library = package("transformers", f"transformers:{name}", "transformers")
    head, colon, rest = name.partition(":")
    cls = getattr(library, head, None) if colon else None
    if colon and not isinstance(cls, type):
        raise UsageError(f"transformers has no class {head!r} (in transformers:{name})")
    config = _configuration(library, (rest if colon else name).strip())

    def build() -> nn.Module:
        model: nn.Module = (cls or _pretraining_class(library, config))(config)
        return model

    return Recipe(f"transformers:{name}", build, _transformers_inputs)


@cache
def configurations() -> dict[str, dict[str, Any]]:
    """Class and settings of common configurations, by the name of the model."""
    file = Path(__file__).with_name("transformers.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))


def _configuration(library: Any, name: str) -> Any:
    local = _local_configuration(library, name)
    if local is not None:
        return local
    short = _catalog_name(name)
    if short is not None:
        settings = dict(configurations()[short])
        return getattr(library, settings.pop("class"))(**settings)
    if "(" in name or name.endswith("Config"):
        return _written_out(library, name)
    types: dict[str, str] = _auto("configuration_auto").CONFIG_MAPPING_NAMES
    if name in types:
        return getattr(library, types[name])()
    raise _unknown("transformers", name, [*configurations(), *types])


def _local_configuration(library: Any, name: str) -> Any | None:
    """The configuration in a folder, or of a model that was downloaded; nothing is fetched."""
    if not (Path(name) / "config.json").is_file() and name.count("/") != 1:
        return None
    try:
        return library.AutoConfig.from_pretrained(name, local_files_only=True)
    except (OSError, ValueError):
        return None


def _catalog_name(name: str) -> str | None:
    """The name in the catalog of a name on the model's page: `meta-llama/Meta-Llama-3-8B-Instruct`.

    Variants that were trained further have the same architecture.
    """
    short = name.rsplit("/", 1)[-1].lower().removeprefix("meta-")
    while short not in configurations():
        rest = re.sub(r"-(hf|it|instruct|chat|base|thinking|fp8|\d{4}|v0\.\d)$", "", short)
        if rest == short:
            return None
        short = rest
    return short


def _written_out(library: Any, text: str) -> Any:
    """A configuration written as a call in Python, with constants only: parsed, not executed."""
    name, settings = _parsed(text)
    cls = getattr(library, name, None)
    if not name.endswith("Config") or cls is None:
        classes = [settings["class"] for settings in configurations().values()]
        raise _unknown("transformers", name, classes)
    try:
        return cls(**settings)
    except Exception as error:
        raise UsageError(f"{text!r}: {first_line(error)}") from error


def _parsed(text: str) -> tuple[str, dict[str, Any]]:
    """Name and keyword arguments of a call: `LlamaConfig(hidden_size=1024)`, `LlamaConfig`."""
    try:
        match ast.parse(text, mode="eval").body:
            case ast.Name(id=name):
                return name, {}
            case ast.Call(func=ast.Name(id=name), args=[], keywords=words):
                return name, {word.arg or "": ast.literal_eval(word.value) for word in words}
    except (SyntaxError, ValueError):
        pass
    raise UsageError(f"cannot read {text!r}: write it as LlamaConfig(hidden_size=1024)")


_PRETRAINING = (
    "MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES",
    "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES",
    "MODEL_FOR_MASKED_LM_MAPPING_NAMES",
    "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES",
    "MODEL_FOR_ZERO_SHOT_IMAGE_CLASSIFICATION_MAPPING_NAMES",
    "MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES",
    "MODEL_MAPPING_NAMES",
)


def _pretraining_class(library: Any, config: Any) -> Any:
    auto = _auto("modeling_auto")
    for mapping in _PRETRAINING:
        if "SEQ_TO_SEQ" in mapping and not getattr(config, "is_encoder_decoder", False):
            continue
        names = getattr(auto, mapping, {}).get(config.model_type)
        if names is not None:
            return getattr(library, names[0] if isinstance(names, (list, tuple)) else names)
    raise UsageError(f"transformers has no model for {type(config).__name__}")


def _auto(module: str) -> Any:
    return importlib.import_module(f"transformers.models.auto.{module}")


def _transformers_inputs(model: nn.Module) -> tuple[Shape, ...]:
    config: Any = model.config
    match getattr(model, "main_input_name", "input_ids"):
        case "input_features":
            # A spectrogram of 30 s.
            return ((config.num_mel_bins, 2 * config.max_source_positions),)
        case "input_values":
            # A second of sound.
            return ((16_000,),)
        case "pixel_values":
            size = getattr(config, "image_size", 224)
            height, width = size if isinstance(size, (list, tuple)) else (size, size)
            return ((getattr(config, "num_channels", 3), height, width),)
    longest = getattr(config, "max_position_embeddings", None) or 512
    return ((min(512, longest),),)


def names() -> dict[str, list[str]]:
    """The names of models in each installed library."""
    names = {"transformers": list(configurations())}
    if importlib.util.find_spec("torchvision") is not None:
        names["torchvision"] = list(import_torchvision("torchvision").models.list_models())
    if importlib.util.find_spec("timm") is not None:
        mend_torchvision()
        names["timm"] = list(package("timm", "timm", "forecast").list_models())
    return names


def _unknown(source: str, name: str, names: list[str]) -> UsageError:
    near = get_close_matches(name.lower(), names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"some are {', '.join(names[:5])}"
    return UsageError(f"{source} has no model {name!r}: {hint}")
