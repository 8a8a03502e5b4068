"""Errors: their exit codes, and what a missing extra asks for."""

from __future__ import annotations

import pickle
import sys

import pytest

from joulecast.errors import MissingExtraError

CPU_BUILD = "https://download.pytorch.org/whl/cpu"


def test_missing_extra_names_its_command() -> None:
    error = MissingExtraError("the HTML report", "report")
    assert 'pip install "joulecast[report]"' in str(error)
    assert CPU_BUILD not in str(error)
    assert (error.extra, error.exit_code) == ("report", 1)


@pytest.mark.parametrize("extra", ["forecast", "torch", "transformers", "vision"])
def test_missing_torch_adds_the_command_of_its_cpu_build(
    extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    text = str(MissingExtraError("a forecast", extra))
    assert f'pip install "joulecast[{extra}]"' in text
    assert f"pip install torch torchvision --index-url {CPU_BUILD}" in text


def test_missing_extra_with_torch_installed_asks_for_the_extra_only() -> None:
    pytest.importorskip("torch")
    assert CPU_BUILD not in str(MissingExtraError("timm models", "forecast"))


def test_missing_extra_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(MissingExtraError("plots", "report")))
    assert (error.feature, error.extra) == ("plots", "report")
