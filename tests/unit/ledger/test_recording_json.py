import copy
import gzip
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.stored_runs import assert_same, recording
from joulecast.errors import BadInputError
from joulecast.ledger.recording_json import export_text, import_json, read_json
from joulecast.ledger.stored_json import dumps, loads
from joulecast.recording.model import Header, Recording, Status


def exported(original: Recording) -> Any:
    return json.loads("".join(export_text(original)))


def empty_columns() -> dict[str, list[float]]:
    return {name: [] for name in ("t_s", "value", "low", "high", "held_s")}


def test_everything_comes_back_exactly() -> None:
    assert_same(import_json(exported(recording())), recording(), within=0)


def test_a_recording_without_samples_comes_back() -> None:
    empty = Recording(recording().header)
    assert_same(import_json(exported(empty)), empty, within=0)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_the_text_holds_no_constant_that_is_not_json(text: str) -> None:
    original = recording(environment={"watts": float(text)})
    json.loads("".join(export_text(original)), parse_constant=pytest.fail)


def test_one_that_has_not_ended() -> None:
    original = recording()
    original.footer, original.status = None, Status.INTERRUPTED
    assert_same(import_json(exported(original)), original, within=0)


def test_values_that_json_cannot_write_are_none() -> None:
    original = recording(environment={"cpu": {"watts": math.nan}, "gpus": [math.inf, 1.5]})
    text = "".join(export_text(original))
    environment = json.loads(text)["header"]["environment"]
    assert environment == {"cpu": {"watts": None}, "gpus": [None, 1.5]}


def at(document: Any, path: str) -> tuple[Any, Any]:
    """The container and key that a path such as `header.sources.0.kind` names."""
    keys: list[Any] = [
        int(k) if k.isdigit() else k for k in path.replace("gpu", "gpu:0").split(".")
    ]
    for key in keys[:-1]:
        document = document[key]
    return document, keys[-1]


def put(path: str, value: Any) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        container, key = at(document, path)
        container[key] = value

    return change


def below(path: str, place: int) -> Callable[[Any], None]:
    """Change a value, and its lower bound, to less than 0."""

    def change(document: Any) -> None:
        container, key = at(document, path)
        container[key]["value"][place] = -1e-3
        container[key]["low"][place] = -2e-3

    return change


def drop(path: str) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        container, key = at(document, path)
        del container[key]

    return change


def nested(depth: int) -> Any:
    value: Any = None
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (put("schema", "joulecast/export/2"), ".schema"),
        (put("schema", 3), ".schema"),
        (drop("header"), ""),
        (drop("header.run_id"), ".header"),
        (put("header.run_id", "../../etc"), ".header.run_id"),
        (put("header.run_id", "a\n"), ".header.run_id"),
        (put("header.started_at", "now"), ".header.started_at"),
        (put("header.started_at", math.nan), ".header.started_at"),
        (put("header.started_at", True), ".header.started_at"),
        (put("header.command", "ls"), ".header.command"),
        (put("header.tags.seed", 1), ".header.tags[...]"),
        (put("header.planned_epochs", 1.5), ".header.planned_epochs"),
        (put("header.interval_s", -0.1), ".header.interval_s"),
        (put("header.idle_power_w", {"gpu:0": -1}), ".header.idle_power_w.gpu:0"),
        (put("header.environment", []), ".header.environment"),
        (put("header.environment.cpu", nested(60)), ".header.environment.cpu" + "[0]" * 57),
        (put("header.environment.cpu", 2**63), ".header.environment.cpu"),
        (put("header.sources.0.kind", "joules"), ".header.sources[0].kind"),
        (put("header.sources.0.domain", "<b>"), ".header.sources[0].domain"),
        (put("header.sources.1.domain", "gpu:0"), ".header.sources"),
        (put("header.sources.0.uncertainty.low", -1), ".header.sources[0].uncertainty.low"),
        (put("header.sources.0.uncertainty.high", -1), ".header.sources[0].uncertainty.high"),
        (put("header.sources.0.update_period_s", -1), ".header.sources[0].update_period_s"),
        (put("header.gauges.0.update_period_s", -1), ".header.gauges[0].update_period_s"),
        (put("status", "running"), ".status"),
        (put("footer", None), ".status"),
        (put("footer.exit_code", "7"), ".footer.exit_code"),
        (put("footer.duration_s", -1), ".footer.duration_s"),
        (put("footer.total.low", 1e9), ".footer.total"),
        (put("footer.status", "running"), ".footer.status"),
        (put("spans.1.id", 1), ".spans[1].id"),
        (put("spans.1.parent", 9), ".spans"),
        (put("spans.0.parent", 2), ".spans"),
        (put("spans.0.id", 2**63), ".spans[0].id"),
        (put("metrics.0.value", "high"), ".metrics[0].value"),
        (put("metrics.0.value", None), ".metrics[0].value"),
        (put("gaps.0.reason", None), ".gaps[0].reason"),
        (put("gaps.0.domain", "a b"), ".gaps[0].domain"),
        (put("samples.gpu.value.17", None), ".samples[...].value[17]"),
        (put("samples.gpu.value.17", math.inf), ".samples.gpu:0.value[17]"),
        (put("samples.gpu.value.17", 10**400), ".samples.gpu:0.value[17]"),
        (put("samples.gpu.value.17", [1]), ".samples[...].value[17]"),
        (put("samples.gpu.value.17", 1e9), ".samples.gpu:0.value[17]"),
        (put("samples.gpu.value.90", 2669.0), ".samples.gpu:0.value[90]"),
        (below("samples.gpu", 0), ".samples.gpu:0.value[0]"),
        (below("samples.cpu:0", 3), ".samples.cpu:0.value[3]"),
        (put("samples.gpu.t_s.17", 0.0), ".samples.gpu:0.t_s[17]"),
        (put("samples.gpu.low", [1.0]), ".samples.gpu:0.low"),
        (put("samples.gpu", []), ".samples[...]"),
        (put("samples.node", empty_columns()), ".samples.node"),
        (put("header.started_at", 1764340000000.0), ".header.started_at"),
        (put("header.started_at", -1.0), ".header.started_at"),
        (put("footer.duration_s", 1e300), ".footer.duration_s"),
        (put("samples.gpu.held_s.3", -1e19), ".samples.gpu:0.held_s[3]"),
        (put("header.sources.0.kind", "gauge"), ".header.sources[0].kind"),
        (put("header.gauges.0.kind", "power"), ".header.gauges[0].kind"),
        (put("header.gauges.0.domain", "../x"), ".header.gauges[0].domain"),
        (put("header.gauges.1.domain", "cpu:0"), ".header.gauges"),
        (put("header.gauges.0.unit", 1), ".header.gauges[0].unit"),
        (drop("header.gauges.0.unit"), ".header.gauges[0]"),
    ],
)
def test_an_error_names_the_place(change: Callable[[Any], None], place: str) -> None:
    document = exported(recording())
    change(document)
    with pytest.raises(BadInputError) as caught:
        import_json(document)
    assert str(caught.value).startswith(f"document{place}: ")
    assert "\n" not in str(caught.value)


def test_a_gauge_may_fall_and_be_negative() -> None:
    document = exported(recording())
    names = ("gpu:0/utilization_pct", "cpu/utilization_pct")
    for name in names:
        document["samples"][name] |= {"value": [3, -1] * 5 + [3], "low": [-1] * 11}
        document["samples"][name] |= {"high": [3] * 11}
    samples = import_json(document).samples
    assert all(list(samples[name].value[:3]) == [3, -1, 3] for name in names)


def test_energy_may_stand_still() -> None:
    document = exported(recording())
    for column in ("value", "low", "high"):
        document["samples"]["gpu:0"][column][5:] = [150.0] * 95
    assert import_json(document).samples["gpu:0"].value[-1] == 150.0


def test_keys_of_a_newer_minor_version_are_ignored() -> None:
    document = exported(recording())
    document["more"] = document["header"]["more"] = document["spans"][0]["more"] = [1]
    assert_same(import_json(document), recording(), within=0)


def test_a_chain_of_many_spans_is_checked_in_time_that_grows_with_its_length() -> None:
    document = exported(recording())
    span = document["spans"][0]
    document["spans"] = [span | {"id": i, "parent": i - 1 or None} for i in range(1, 20_001)]
    assert len(import_json(document).spans) == 20_000


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def places(document: Any, parents: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document[:3])
        if isinstance(document, list)
        else ()
    )
    return [p for key, value in items for p in [(*parents, key), *places(value, (*parents, key))]]


DOCUMENT = exported(recording())
PLACES = places(DOCUMENT)


@given(st.sampled_from(PLACES), json_values)
def test_any_value_at_any_key_is_read_or_refused(place: tuple[Any, ...], value: Any) -> None:
    document = copy.deepcopy(DOCUMENT)
    container = document
    for key in place[:-1]:
        container = container[key]
    container[place[-1]] = value
    try:
        import_json(document)
    except BadInputError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("document", [None, [], "x", 3, {}, {"schema": None}])
def test_other_documents(document: Any) -> None:
    with pytest.raises(BadInputError):
        import_json(document)


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (b"", "JSON"),
        (b'{"schema": NaN}', "NaN"),
        (b"\xff\xfe{", "JSON"),
        (b'{"a":' * 100_000, "deep"),
    ],
    ids=["empty", "NaN", "no text", "deep"],
)
def test_a_file_that_is_no_json(tmp_path: Path, content: bytes, names: str) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match=rf"run\.json: .*\b{names}\b"):
        read_json(path)


def test_a_packed_file(tmp_path: Path) -> None:
    original = recording()
    path = tmp_path / "run.json.gz"
    path.write_bytes(gzip.compress("".join(export_text(original)).encode()))
    assert_same(read_json(path), original, within=0)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BadInputError, match=r"run\.json\.gz"):
        read_json(path)
    with pytest.raises(BadInputError, match=r"none\.json"):
        read_json(tmp_path / "none.json")


def test_exports_without_gauges_are_read() -> None:
    document = exported(recording())
    del document["header"]["gauges"]
    for name in [name for name in document["samples"] if "/" in name]:
        del document["samples"][name]
    document["gaps"] = [gap for gap in document["gaps"] if "/" not in gap["domain"]]
    back = import_json(document)
    assert back.header.gauges == []
    assert set(back.samples) == {"gpu:0", "cpu:0"}
    assert loads(json.dumps(document["header"]), Header) == back.header


def test_a_stored_header_is_read_and_invalid_numbers_are_none() -> None:
    header = recording(environment={"cpu": {"cores": 8}}).header
    assert loads(dumps(header), Header) == header
    text = dumps(header).replace('"cores":8', '"cores":NaN')
    assert loads(text, Header).environment == {"cpu": {"cores": None}}
