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
from joulecast.ledger.header_json import header_from_json
from joulecast.ledger.transfer import export_json, export_text, import_json, read_json
from joulecast.recording.model import Recording, Status


def test_everything_comes_back_exactly() -> None:
    made = recording()
    text = json.dumps(export_json(made), allow_nan=False)
    assert_same(import_json(json.loads(text)), made, within=0)


def test_one_that_has_not_ended() -> None:
    made = recording()
    made.footer, made.status = None, Status.INTERRUPTED
    assert_same(import_json(export_json(made)), made, within=0)


def test_the_text_in_pieces_is_the_same_document() -> None:
    made = recording()
    assert json.loads("".join(export_text(made))) == export_json(made)
    empty = Recording(made.header)
    assert json.loads("".join(export_text(empty))) == export_json(empty)


def test_what_json_cannot_write_of_a_machine_is_unknown() -> None:
    made = recording(environment={"cpu": {"watts": math.nan}, "gpus": [math.inf, 1.5]})
    text = "".join(export_text(made))
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
    ("change", "said"),
    [
        (put("schema", "joulecast/export/2"), "document.schema: 'joulecast/export/2' is not"),
        (put("schema", 3), "document.schema: a text is expected, not 3"),
        (drop("header"), "document: the key 'header' is missing"),
        (drop("header.run_id"), "document.header: the key 'run_id' is missing"),
        (put("header.run_id", "../../etc"), r"document.header.run_id: a text of the form"),
        (put("header.run_id", "a\n"), r"document.header.run_id: a text of the form"),
        (put("header.started_at", "now"), "document.header.started_at: a number is expected"),
        (put("header.started_at", math.nan), "document.header.started_at: a finite number"),
        (put("header.started_at", True), "document.header.started_at: a number is expected"),
        (put("header.command", "ls"), "document.header.command: a list is expected"),
        (put("header.tags.seed", 1), "document.header.tags.seed: a text is expected"),
        (put("header.planned_epochs", 1.5), "document.header.planned_epochs: a whole number"),
        (put("header.idle_power_w", {"gpu:0": -1}), "idle_power_w.gpu:0: a number of at least 0"),
        (put("header.environment", []), "document.header.environment: an object is expected"),
        (put("header.environment.cpu", nested(60)), "environment: it is nested deeper than 50"),
        (put("header.sources.0.kind", "joules"), "sources[0].kind: one of counter, power"),
        (put("header.sources.0.domain", "<b>"), "sources[0].domain: a text of the form"),
        (put("header.sources.1.domain", "gpu:0"), "document.header.sources: a domain comes twice"),
        (put("header.sources.0.uncertainty.low", -1), "uncertainty.low: a number of at least 0"),
        (put("status", "running"), "document.status: it does not agree with the footer"),
        (put("footer", None), "document.status: it does not agree with the footer"),
        (put("footer.exit_code", "7"), "document.footer.exit_code: a whole number"),
        (put("footer.total.low", 1e9), "document.footer.total: the value 2990.5 is not within"),
        (put("footer.status", "running"), "document.footer.status: one of finished, failed"),
        (put("spans.1.id", 1), "document.spans[1].id: span 1 comes twice"),
        (put("spans.1.parent", 9), "document.spans: span 2 has no parent 9"),
        (put("spans.0.parent", 2), "document.spans: span 1 has no parent 2"),
        (put("spans.0.id", 2**63), "document.spans[0].id: a whole number"),
        (put("metrics.0.value", "high"), "document.metrics[0].value: a number is expected"),
        (put("metrics.0.value", None), "document.metrics[0].value: a number is expected"),
        (put("gaps.0.reason", None), "document.gaps[0].reason: a text is expected"),
        (put("samples.gpu.value.17", None), "document.samples.gpu:0.value[17]: a number is"),
        (put("samples.gpu.value.17", math.inf), "document.samples.gpu:0.value[17]: a finite"),
        (put("samples.gpu.value.17", 10**400), "document.samples.gpu:0.value[17]: a number that"),
        (put("samples.gpu.value.17", [1]), "document.samples.gpu:0.value[17]: a number"),
        (put("samples.gpu.value.17", 1e9), "document.samples.gpu:0.value[17]: it is not within"),
        (put("samples.gpu.t_s.17", 0.0), "document.samples.gpu:0.t_s[17]: it is earlier"),
        (put("samples.gpu.low", [1.0]), "document.samples.gpu:0.low: 1 figures for 100 times"),
        (put("samples.gpu", []), "document.samples.gpu:0: an object is expected"),
        (put("samples.node", {}), "document.samples.node: header.sources does not name"),
        (put("header.sources.0.kind", "gauge"), "sources[0].kind: one of counter, power"),
        (put("header.gauges.0.kind", "power"), "gauges[0].kind: one of gauge, counter"),
        (put("header.gauges.0.domain", "../x"), "gauges[0].domain: a text of the form"),
        (put("header.gauges.1.domain", "cpu:0"), "header.gauges: a name comes twice, or is that"),
        (put("header.gauges.0.unit", 1), "gauges[0].unit: a text is expected"),
        (drop("header.gauges.0.reason"), "gauges[0]: the key 'reason' is missing"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(change: Callable[[Any], None], said: str) -> None:
    document = export_json(recording())
    change(document)
    with pytest.raises(BadInputError) as caught:
        import_json(document)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def places(document: Any, found: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document[:3])
        if isinstance(document, list)
        else ()
    )
    return [p for key, value in items for p in [(*found, key), *places(value, (*found, key))]]


DOCUMENT = export_json(recording())
PLACES = places(DOCUMENT)


@given(st.sampled_from(PLACES), json_values)
def test_no_value_anywhere_brings_it_down(place: tuple[Any, ...], value: Any) -> None:
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
    ("content", "said"),
    [
        (b"", "this is not JSON"),
        (b'{"schema": NaN}', "it holds NaN"),
        (b"\xff\xfe{", "this is not JSON"),
        (b'{"a":' * 100_000, "nested too deep"),
    ],
)
def test_files(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match=rf"run\.json: .*{said}"):
        read_json(path)


def test_a_packed_file(tmp_path: Path) -> None:
    made = recording()
    path = tmp_path / "run.json.gz"
    path.write_bytes(gzip.compress("".join(export_text(made)).encode()))
    assert_same(read_json(path), made, within=0)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BadInputError, match=r"run\.json\.gz"):
        read_json(path)
    with pytest.raises(BadInputError, match="No such file"):
        read_json(tmp_path / "none.json")


def test_what_was_exported_before_there_were_gauges_still_comes_back() -> None:
    document = export_json(recording())
    del document["header"]["gauges"]
    for name in [name for name in document["samples"] if "/" in name]:
        del document["samples"][name]
    document["gaps"] = [gap for gap in document["gaps"] if "/" not in gap["domain"]]
    back = import_json(document)
    assert back.header.gauges == []
    assert set(back.samples) == {"gpu:0", "cpu:0"}
    assert header_from_json(document["header"]) == back.header
