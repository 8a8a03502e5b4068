"""Models of torchvision, timm and transformers, by name and without their weights."""

from __future__ import annotations

import ast
import importlib
import importlib.util
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from .architectures import CONFIGURATIONS
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
    if family == "detection":
        raise UsageError(
            f"torchvision:{name} detects: its cost depends on what it finds in an image, "
            "and is not counted; count its backbone"
        )

    def build() -> nn.Module:
        # GoogLeNet and Inception would warn that their weights are to be set.
        quiet = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
        model: nn.Module = models.get_model(
            name.lower(), weights=None, **_no_backbone(name), **quiet
        )
        return model

    def inputs(model: nn.Module) -> tuple[Shape, ...]:
        size = getattr(model, "image_size", None)  # of vision transformers
        if name.startswith("inception"):
            size = 299
        image = (3, size, size) if isinstance(size, int) else (3, 224, 224)
        if family == "video":  # sixteen frames
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
    library = package("timm", f"timm:{name}", "vision")
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

    `bert-base-uncased` (see `architectures`), a type of model with its default configuration
    (`mistral`), or a configuration written out: `LlamaConfig(hidden_size=1024)`. The model is the
    one with the head it is pre-trained with. A class of model may follow the configuration:
    `BertForSequenceClassification:bert-base-uncased`.
    """
    mend_torchvision()
    library = package("transformers", f"transformers:{name}", "transformers")
    head, colon, rest = name.partition(":")
    cls = None
    if colon:
        cls = getattr(library, head, None)
        if not isinstance(cls, type):
            raise UsageError(f"transformers has no class {head!r} (in transformers:{name})")
    config = _configuration(library, rest if colon else name)

    def build() -> nn.Module:
        model: nn.Module = (cls or _head(library, config))(config)
        return model

    return Recipe(f"transformers:{name}", build, _transformers_inputs)


def _configuration(library: Any, name: str) -> Any:
    text = name.strip()
    short = text.rsplit("/", 1)[-1].lower()  # "google-bert/bert-base-uncased"
    if short in CONFIGURATIONS:
        cls, settings = CONFIGURATIONS[short]
        return getattr(library, cls)(**settings)
    if "(" in text or text.endswith("Config"):
        return _written_out(library, text)
    types: dict[str, str] = _auto("configuration_auto").CONFIG_MAPPING_NAMES
    if text in types:
        return getattr(library, types[text])()
    raise _unknown("transformers", name, [*CONFIGURATIONS, *types])


def _written_out(library: Any, text: str) -> Any:
    """A configuration as Python would write it, of constants only: it is read, not run."""
    wrong = UsageError(f"cannot read {text!r}: write it as LlamaConfig(hidden_size=1024)")
    try:
        tree = ast.parse(text, mode="eval").body
        if isinstance(tree, ast.Name):
            tree = ast.Call(tree, [], [])
        if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name) or tree.args:
            raise wrong
        settings = {word.arg or "": ast.literal_eval(word.value) for word in tree.keywords}
    except (SyntaxError, ValueError):
        raise wrong from None
    cls = getattr(library, tree.func.id, None)
    if not tree.func.id.endswith("Config") or cls is None:
        raise _unknown("transformers", tree.func.id, [c for c, _ in CONFIGURATIONS.values()])
    try:
        return cls(**settings)
    except Exception as error:
        raise UsageError(f"{text!r}: {first_line(error)}") from error


def _head(library: Any, config: Any) -> Any:
    """The class a configuration is pre-trained as."""
    auto = _auto("modeling_auto")
    order = [
        "MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES",
        "MODEL_FOR_MASKED_LM_MAPPING_NAMES",
        "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES",
        "MODEL_FOR_ZERO_SHOT_IMAGE_CLASSIFICATION_MAPPING_NAMES",
        "MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES",
        "MODEL_MAPPING_NAMES",
    ]
    if getattr(config, "is_encoder_decoder", False):
        order.insert(1, "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES")
    for mapping in order:
        found = getattr(auto, mapping, {}).get(config.model_type)
        if found is not None:
            return getattr(library, found[0] if isinstance(found, (list, tuple)) else found)
    raise UsageError(f"transformers has no model for {type(config).__name__}")


def _auto(module: str) -> Any:
    return importlib.import_module(f"transformers.models.auto.{module}")


def _transformers_inputs(model: nn.Module) -> tuple[Shape, ...] | None:
    config: Any = model.config
    name = getattr(model, "main_input_name", "input_ids")
    if name == "input_features":  # a spectrogram of 30 s
        return ((config.num_mel_bins, 2 * config.max_source_positions),)
    if name == "input_values":  # a second of sound
        return ((16_000,),)
    if name == "pixel_values":
        size = getattr(config, "image_size", 224)
        height, width = size if isinstance(size, (list, tuple)) else (size, size)
        return ((getattr(config, "num_channels", 3), height, width),)
    longest = getattr(config, "max_position_embeddings", None) or 512
    return ((min(512, longest),),)


def names() -> dict[str, list[str]]:
    """The names each installed library knows."""
    known: dict[str, list[str]] = {"transformers": list(CONFIGURATIONS)}
    for source, listing in (("torchvision", _torchvision_names), ("timm", _timm_names)):
        if importlib.util.find_spec(source) is not None:
            known[source] = listing()
    return known


def _torchvision_names() -> list[str]:
    return list(import_torchvision("torchvision").models.list_models())


def _timm_names() -> list[str]:
    mend_torchvision()
    return list(package("timm", "timm", "vision").list_models())


def _unknown(source: str, name: str, known: list[str]) -> UsageError:
    near = get_close_matches(name.lower(), known, n=3, cutoff=0.5)
    text = (
        f": did you mean {' or '.join(near)}?"
        if near
        else f"; known are {', '.join(known[:5])}, .."
    )
    return UsageError(f"{source} has no model {name!r}{text}")
