"""What a language model reads and computes for a token, from its configuration."""

import pytest

from joulecast.errors import UsageError
from joulecast.workload.decoder import Decoder, decoder_named

pytest.importorskip("torch", reason="models are built with torch")
pytest.importorskip("transformers", reason="configurations are transformers'")

# Parameters and active parameters (10^9) as on the models' pages, keys and values of a token.
MODELS = {
    "llama-3.1-8b": (8.03, 8.03, 32 * 2 * 8 * 128),
    "qwen3-14b": (14.77, 14.77, 40 * 2 * 8 * 128),
    "qwen3-30b-a3b": (30.5, 3.3, 48 * 2 * 4 * 128),
    # The page counts 3.6 without the embedding.
    "gpt-oss-20b": (20.9, 3.6 + 0.58, 24 * 2 * 8 * 64),
    "gemma-3-12b": (11.8, 11.8, 48 * 2 * 8 * 256),
    "gpt2": (0.124, 0.124, 12 * 2 * 12 * 64),
}


@pytest.mark.parametrize("name", MODELS)
def test_published_architectures(name):
    parameters, active, cache = MODELS[name]
    _, decoder = decoder_named(f"transformers:{name}", 100)
    assert decoder.parameters / 1e9 == pytest.approx(parameters, rel=0.02)
    assert decoder.active / 1e9 == pytest.approx(active, rel=0.05)
    assert decoder.cache_at(1) == cache


def test_a_window_keeps_the_last_tokens():
    _, decoder = decoder_named("transformers:gpt-oss-20b", 100)
    each = 2 * 8 * 64
    assert decoder.cache_at(1000) == 12 * each * 1000 + 12 * each * 128
    assert decoder.window == 128


def test_experts_are_read_by_chance():
    decoder = Decoder(100.0, 2, expert_parameters=80.0, experts=8, experts_per_token=2)
    assert decoder.active == 20 + 80 / 4
    assert decoder.weights_read(1) == pytest.approx(20 + 80 / 4)
    assert decoder.weights_read(2) == pytest.approx(20 + 80 * (1 - 0.75**2))
    assert decoder.weights_read(1000) == pytest.approx(100)
    assert Decoder(100.0, 2).weights_read(1) == 100


def test_compressed_keys_and_states():
    small = "num_hidden_layers=2, hidden_size=64, intermediate_size=64, vocab_size=100"
    deep = f"transformers:DeepseekV3Config({small}, num_attention_heads=4, first_k_dense_replace=1)"
    _, decoder = decoder_named(deep, 10)
    assert decoder.cache_at(1) == 2 * (512 + 64)
    # One of the two layers has experts, each with three matrices.
    assert decoder.expert_parameters == 256 * 3 * 64 * 2048


def test_names_on_pages_are_found_without_a_download(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in ("openai-community/gpt2", "gpt2-chat"):
        assert decoder_named(f"transformers:{name}", 10)[1].layers == 12
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "gpt2", "n_layer": 3, "vocab_size": 50}')
    assert decoder_named(f"transformers:{folder}", 10)[1].layers == 3


def test_what_generates_no_text(tmp_path):
    from torch import nn

    encoder = "transformers:BertConfig(num_hidden_layers=1, hidden_size=64, num_attention_heads=2)"
    for model in (nn.Linear(2, 2), "transformers:t5-small", encoder):
        with pytest.raises(UsageError, match="text"):
            decoder_named(model, 10)
    with pytest.raises(UsageError, match="1024 tokens"):
        decoder_named("transformers:gpt2", 1025)
    assert decoder_named("transformers:gpt2", 1024)[1].context == 1024
