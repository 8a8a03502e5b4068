"""Configurations of common models of the transformers library, so that none is downloaded.

Each is the configuration class and what differs from its defaults, as in the `config.json` of the
model's page on https://huggingface.co (or, for the first Llamas, table 2 of arXiv 2302.13971).
"""

from __future__ import annotations

from typing import Any

Configuration = tuple[str, dict[str, Any]]


def _gpt2(width: int, layers: int, heads: int) -> Configuration:
    return "GPT2Config", {"n_embd": width, "n_layer": layers, "n_head": heads}


def _bert(kind: str, width: int, layers: int, heads: int, **more: Any) -> Configuration:
    return kind, {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": 4 * width,
        **more,
    }


def _opt(width: int, layers: int, heads: int, **more: Any) -> Configuration:
    return "OPTConfig", {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "ffn_dim": 4 * width,
        "word_embed_proj_dim": width,
        **more,
    }


def _llama(
    width: int, inner: int, layers: int, heads: int, kv: int, kind: str = "Llama", **more: Any
) -> Configuration:
    return f"{kind}Config", {
        "hidden_size": width,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv,
        **more,
    }


def _qwen(width: int, inner: int, layers: int, heads: int, kv: int, **more: Any) -> Configuration:
    return _llama(width, inner, layers, heads, kv, "Qwen2", **{"vocab_size": 151936, **more})


def _t5(width: int, inner: int, layers: int, heads: int, d_kv: int = 64) -> Configuration:
    return "T5Config", {
        "d_model": width,
        "d_ff": inner,
        "num_layers": layers,
        "num_heads": heads,
        "d_kv": d_kv,
    }


def _whisper(width: int, layers: int, heads: int) -> Configuration:
    return "WhisperConfig", {
        "d_model": width,
        "encoder_layers": layers,
        "decoder_layers": layers,
        "encoder_attention_heads": heads,
        "decoder_attention_heads": heads,
        "encoder_ffn_dim": 4 * width,
        "decoder_ffn_dim": 4 * width,
    }


_LLAMA3: dict[str, Any] = {"vocab_size": 128256, "rope_theta": 500000.0}
_ROBERTA: dict[str, Any] = {
    "vocab_size": 50265,
    "max_position_embeddings": 514,
    "type_vocab_size": 1,
}
_ALBERT: dict[str, Any] = {"embedding_size": 128, "vocab_size": 30000}
_VIT: dict[str, Any] = {"num_labels": 1000}

CONFIGURATIONS: dict[str, Configuration] = {
    "bert-base-uncased": _bert("BertConfig", 768, 12, 12),
    "bert-large-uncased": _bert("BertConfig", 1024, 24, 16),
    "roberta-base": _bert("RobertaConfig", 768, 12, 12, **_ROBERTA),
    "roberta-large": _bert("RobertaConfig", 1024, 24, 16, **_ROBERTA),
    "distilbert-base-uncased": ("DistilBertConfig", {}),
    "albert-base-v2": _bert("AlbertConfig", 768, 12, 12, **_ALBERT),
    "electra-base": _bert("ElectraConfig", 768, 12, 12, embedding_size=768),
    "distilgpt2": _gpt2(768, 6, 12),
    "gpt2": _gpt2(768, 12, 12),
    "gpt2-medium": _gpt2(1024, 24, 16),
    "gpt2-large": _gpt2(1280, 36, 20),
    "gpt2-xl": _gpt2(1600, 48, 25),
    "gpt-j-6b": ("GPTJConfig", {}),
    "gpt-neox-20b": ("GPTNeoXConfig", {}),
    "opt-125m": _opt(768, 12, 12),
    "opt-350m": _opt(1024, 24, 16, word_embed_proj_dim=512, do_layer_norm_before=False),
    "opt-1.3b": _opt(2048, 24, 32),
    "opt-2.7b": _opt(2560, 32, 32),
    "opt-6.7b": _opt(4096, 32, 32),
    "opt-13b": _opt(5120, 40, 40),
    "opt-30b": _opt(7168, 48, 56),
    "opt-66b": _opt(9216, 64, 72),
    "llama-7b": _llama(4096, 11008, 32, 32, 32),
    "llama-13b": _llama(5120, 13824, 40, 40, 40),
    "llama-30b": _llama(6656, 17920, 60, 52, 52),
    "llama-65b": _llama(8192, 22016, 80, 64, 64),
    "llama-2-7b": _llama(4096, 11008, 32, 32, 32),
    "llama-2-13b": _llama(5120, 13824, 40, 40, 40),
    "llama-2-70b": _llama(8192, 28672, 80, 64, 8),
    "llama-70b": _llama(8192, 28672, 80, 64, 8),
    "llama-3-8b": _llama(4096, 14336, 32, 32, 8, **_LLAMA3),
    "llama-3-70b": _llama(8192, 28672, 80, 64, 8, **_LLAMA3),
    "llama-3.2-1b": _llama(2048, 8192, 16, 32, 8, head_dim=64, tie_word_embeddings=True, **_LLAMA3),
    "llama-3.2-3b": _llama(
        3072, 8192, 28, 24, 8, head_dim=128, tie_word_embeddings=True, **_LLAMA3
    ),
    "mistral-7b": _llama(4096, 14336, 32, 32, 8, "Mistral"),
    "mixtral-8x7b": ("MixtralConfig", {}),
    "qwen2.5-0.5b": _qwen(896, 4864, 24, 14, 2, tie_word_embeddings=True),
    "qwen2.5-1.5b": _qwen(1536, 8960, 28, 12, 2, tie_word_embeddings=True),
    "qwen2.5-7b": _qwen(3584, 18944, 28, 28, 4, vocab_size=152064),
    "qwen2.5-32b": _qwen(5120, 27648, 64, 40, 8, vocab_size=152064),
    "qwen2.5-72b": _qwen(8192, 29568, 80, 64, 8, vocab_size=152064),
    "qwen3-8b": _llama(4096, 12288, 36, 32, 8, "Qwen3", head_dim=128, vocab_size=151936),
    "gemma-2b": _llama(2048, 16384, 18, 8, 1, "Gemma", head_dim=256, vocab_size=256000),
    "gemma-7b": _llama(3072, 24576, 28, 16, 16, "Gemma", head_dim=256, vocab_size=256000),
    "phi-2": _llama(2560, 10240, 32, 32, 32, "Phi", vocab_size=51200),
    "bloom-560m": ("BloomConfig", {"hidden_size": 1024, "n_layer": 24, "n_head": 16}),
    "bloom-7b1": ("BloomConfig", {"hidden_size": 4096, "n_layer": 30, "n_head": 32}),
    "t5-small": _t5(512, 2048, 6, 8),
    "t5-base": _t5(768, 3072, 12, 12),
    "t5-large": _t5(1024, 4096, 24, 16),
    "t5-3b": _t5(1024, 16384, 24, 32, 128),
    "t5-11b": _t5(1024, 65536, 24, 128, 128),
    "bart-base": (
        "BartConfig",
        {
            "d_model": 768,
            "encoder_layers": 6,
            "decoder_layers": 6,
            "encoder_attention_heads": 12,
            "decoder_attention_heads": 12,
            "encoder_ffn_dim": 3072,
            "decoder_ffn_dim": 3072,
        },
    ),
    "bart-large": ("BartConfig", {}),
    "whisper-tiny": _whisper(384, 4, 6),
    "whisper-base": _whisper(512, 6, 8),
    "whisper-small": _whisper(768, 12, 12),
    "whisper-medium": _whisper(1024, 24, 16),
    "whisper-large": _whisper(1280, 32, 20),
    "vit-base-patch16-224": _bert("ViTConfig", 768, 12, 12, **_VIT),
    "vit-large-patch16-224": _bert("ViTConfig", 1024, 24, 16, **_VIT),
    "swin-tiny": ("SwinConfig", _VIT),
    "clip-vit-base-patch32": ("CLIPConfig", {}),
    "wav2vec2-base": ("Wav2Vec2Config", {}),
}
