"""What a language model reads and computes for each token that it generates.

From its published configuration (classes of transformers name the same things alike), without its
weights. A mixture of experts reads only the experts that the tokens of a batch are sent to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..errors import UsageError

# Bytes of an element in memory, by precision; in fp8 the cache stays in bf16.
WEIGHT_BYTES = {"fp8": 1.0, "fp16": 2.0, "bf16": 2.0}
CACHE_BYTES = 2.0
_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts")
_WIDTHS = ("moe_intermediate_size", "expert_ffn_hidden_size", "intermediate_size")


@dataclass(frozen=True, slots=True)
class Decoder:
    """A model that generates text, in elements (a weight, a key or value) and not in bytes.

    Attributes:
        parameters: all of them.
        expert_parameters: those of all experts, of which a token uses some.
        experts: of a layer; 0 without experts.
        experts_per_token: that a token is sent to.
        layers: blocks.
        cache: keys and values of a token in the layers that keep all tokens.
        window_cache: the same in layers that keep only the last `window` tokens.
        window: 0 without such layers.
        attention: multiply-adds of attention for a token and each token before it.
        state: elements that recurrent layers read and write for each sequence.
        context: most tokens of prompt and answer; None where there is no limit.
    """

    parameters: float
    layers: int
    expert_parameters: float = 0.0
    experts: int = 0
    experts_per_token: int = 0
    cache: float = 0.0
    window_cache: float = 0.0
    window: int = 0
    attention: float = 0.0
    state: float = 0.0
    context: int | None = None

    @property
    def active(self) -> float:
        """Parameters that a token uses."""
        share = self.experts_per_token / self.experts if self.experts else 0.0
        return self.parameters - self.expert_parameters * (1 - share)

    def weights_read(self, tokens: float) -> float:
        """Weights that a step over so many tokens reads, each expert by chance."""
        if not self.experts:
            return self.parameters
        unused = math.pow(1 - self.experts_per_token / self.experts, tokens)
        return self.parameters - self.expert_parameters * unused

    def cache_at(self, tokens: float) -> float:
        """Keys and values of a sequence of so many tokens, and its recurrent state."""
        kept = min(tokens, self.window) if self.window else 0.0
        return self.cache * tokens + self.window_cache * kept + self.state


def decoder_of(config: Any, parameters: float) -> Decoder:
    """The decoder of a configuration of transformers, whose model has so many parameters.

    Raises:
        UsageError: it does not generate text.
    """
    text = config.get_text_config()
    heads = getattr(text, "num_attention_heads", None)
    hidden = getattr(text, "hidden_size", None)
    kinds = getattr(text, "layers_block_type", None)
    layers = len(kinds) if kinds else getattr(text, "num_hidden_layers", None)
    if not (heads and hidden and layers) or getattr(config, "is_encoder_decoder", False):
        raise UsageError(f"{type(config).__name__} is of no model that generates text")
    width = getattr(text, "head_dim", None) or hidden // heads
    each = 2.0 * (getattr(text, "num_key_value_heads", None) or heads) * width
    if getattr(text, "kv_lora_rank", None):
        # Multi-head latent attention keeps one compressed vector (arXiv 2405.04434).
        each = float(text.kv_lora_rank + text.qk_rope_head_dim)
    window = _window(text)
    attending = kinds.count("full_attention") if kinds else layers
    short = _short_layers(text, layers) if window else 0
    per_token = getattr(text, "num_experts_per_tok", None) or 0
    experts = _first(text, _EXPERTS) if per_token else 0
    # Each expert has three matrices: gate, up and down.
    in_experts = 3 * hidden * _first(text, _WIDTHS) * experts * _expert_layers(text, kinds, layers)
    return Decoder(
        parameters=float(parameters),
        layers=layers,
        expert_parameters=float(in_experts),
        experts=experts,
        experts_per_token=per_token,
        cache=each * (attending - short),
        window_cache=each * short,
        window=window,
        attention=2.0 * heads * width * attending,
        state=_state(text, kinds),
        context=getattr(text, "max_position_embeddings", None),
    )


def _first(text: Any, names: tuple[str, ...]) -> int:
    """The first setting of these names that is there and not 0."""
    return next((number for name in names if (number := getattr(text, name, None))), 0)


def _window(text: Any) -> int:
    sliding = getattr(text, "sliding_window", None) or getattr(text, "attention_chunk_size", None)
    return int(sliding) if sliding and getattr(text, "layer_types", None) else 0


def _short_layers(text: Any, layers: int) -> int:
    short = ("sliding_attention", "chunked_attention")
    return sum(kind in short for kind in text.layer_types[:layers])


def _expert_layers(text: Any, kinds: list[str] | None, layers: int) -> int:
    """Layers with experts: all, those that the configuration lists, or all after the first few."""
    if kinds:
        return kinds.count("moe")
    listed = getattr(text, "moe_layers", None)
    if listed is not None:
        return len(listed)
    return layers - (getattr(text, "first_k_dense_replace", None) or 0)


def _state(text: Any, kinds: list[str] | None) -> float:
    """Elements of the states of Mamba layers, which are kept in fp32 (two elements each)."""
    if not kinds:
        return 0.0
    size = text.mamba_num_heads * text.mamba_head_dim * text.ssm_state_size
    return float(4 * size * kinds.count("linear_attention"))


def decoder_named(model: Any, tokens: int) -> tuple[str, Decoder]:
    """Name and decoder of a model given as to `analyze`, for so many tokens of prompt and answer.

    Raises:
        UsageError: it does not generate text, or its context is shorter.
        MissingExtraError: torch, or the library that the model comes from, is not installed.
        BadInputError: the file or function that builds the model fails.
    """
    from .resolve import resolve

    recipe = resolve(model)
    # Everything from here on needs torch.
    from .building import on_meta
    from .inputs import check_context

    built = on_meta(recipe, [])
    config: Any = getattr(built, "config", None)
    # Encoders (BERT) have a configuration, too.
    if not hasattr(config, "get_text_config") or not getattr(built, "can_generate", bool)():
        raise UsageError(
            f"{recipe.name} does not generate text: name a language model of transformers, such as "
            "transformers:llama-3-8b"
        )
    check_context(tokens, recipe.name, built, "--prompt-tokens + --generate-tokens")
    return recipe.name, decoder_of(config, sum(p.numel() for p in built.parameters()))
