"""The clients of grid intensity against a real HTTP server that speaks the providers' formats."""

from __future__ import annotations

import base64
import json
import shutil
import ssl
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from joulecast.analysis.carbon.grid_live.base import LiveGridError, UnknownZoneError
from joulecast.analysis.carbon.grid_live.providers import live_grid
from joulecast.errors import UsageError
from joulecast.http_client import HttpClient

KEY = "s3cret-key-of-the-user"
PASSWORD = "s3cret-password"
TOKEN = "t0ken-of-half-an-hour"
NOW = datetime(2026, 3, 10, 12, 20, tzinfo=UTC).timestamp()
HOUR = 3600.0


def iso(t_s: float) -> str:
    return datetime.fromtimestamp(t_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


class Server:
    """A server whose answers a test sets by path; it remembers what it was asked."""

    def __init__(self) -> None:
        self.routes: dict[str, Callable[[BaseHTTPRequestHandler, dict], None]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                outer.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                route = outer.routes.get(parts.path)
                if route is None:
                    answer(self, {"error": "no such path"}, 404)
                else:
                    route(self, query)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def json(self, path: str, document: object, status: int = 200) -> None:
        self.routes[path] = lambda handler, _: answer(handler, document, status)

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def answer(handler, document, status=200, headers=()) -> None:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    handler.send_response(status)
    for name, value in headers:
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def other() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


class Waits:
    """Stands for sleeping: remembers how long, and takes no time."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def ask(server, tmp_path, waits):
    """A provider that talks to the server; keyword arguments are those of its `HttpClient`."""

    def make(name: str, now: float = NOW, **http):
        env = {
            "HOME": str(tmp_path),
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
            "ELECTRICITYMAPS_API_KEY": KEY,
            "ELECTRICITYMAPS_API_URL": server.url,
            "WATTTIME_USER": "me",
            "WATTTIME_PASSWORD": PASSWORD,
            "WATTTIME_API_URL": server.url,
            "CARBON_INTENSITY_UK_API_URL": server.url,
        }
        return live_grid(name, env, http=HttpClient(**({"sleep": waits} | http)), clock=lambda: now)

    return make


def em_row(t_s: float, grams, estimated=False) -> dict:
    return {
        "zone": "DE",
        "carbonIntensity": grams,
        "datetime": iso(t_s),
        "updatedAt": iso(t_s + 1800),
        "createdAt": iso(t_s),
        "emissionFactorType": "lifecycle",
        "isEstimated": estimated,
        "estimationMethod": "TIME_SLICER_AVERAGE" if estimated else None,
    }


LATEST, HISTORY = "/v3/carbon-intensity/latest", "/v3/carbon-intensity/history"
PAST = "/v3/carbon-intensity/past-range"


# --- Electricity Maps ----------------------------------------------------------------------------


def test_electricity_maps_latest(server, ask):
    server.json(LATEST, em_row(NOW - 1200, 302))
    series = ask("electricitymaps").latest("DE")
    (interval,) = series.intervals
    assert interval.carbon_g_per_kwh == 302
    assert interval.end_s - interval.start_s == HOUR
    assert not series.marginal
    path, headers = server.asked[0]
    assert headers["auth-token"] == KEY
    assert KEY not in path
    assert parse_qs(urlsplit(path).query) == {"zone": ["DE"], "disableCallerLookup": ["true"]}


def test_electricity_maps_history_of_the_last_day(server, ask):
    hour = NOW - NOW % HOUR
    rows = [em_row(hour - i * HOUR, 300 + i, estimated=i == 0) for i in range(24)]
    server.json(HISTORY, {"zone": "DE", "history": rows})
    series = ask("electricitymaps").between("DE", hour - 3 * HOUR + 60, hour - HOUR - 60)
    assert [i.carbon_g_per_kwh for i in series.intervals] == [303, 302]
    assert [path.split("?")[0] for path, _ in server.asked] == [HISTORY]


def test_electricity_maps_past_is_requested_in_ten_day_parts(server, ask):
    def past(handler, query):
        a = datetime.fromisoformat(query["start"])
        b = datetime.fromisoformat(query["end"])
        assert b - a <= timedelta(days=10)
        hours = int((b - a) / timedelta(hours=1))
        rows = [em_row(a.timestamp() + i * HOUR, 100 + i % 24) for i in range(hours)]
        answer(handler, {"zone": "DE", "data": rows})

    server.routes[PAST] = past
    start = NOW - 40 * 24 * HOUR
    series = ask("electricitymaps").between("DE", start, start + 25 * 24 * HOUR)
    assert len(server.asked) == 3
    assert len(series.intervals) == 25 * 24 + 1  # whole hours around it
    pairs = zip(series.intervals, series.intervals[1:], strict=False)
    assert all(a.end_s == b.start_s for a, b in pairs)


def test_electricity_maps_unknown_hours_are_left_out(server, ask):
    hour = NOW - NOW % HOUR
    rows = [em_row(hour - HOUR, None), em_row(hour - 2 * HOUR, 250), {"datetime": "soon"}]
    server.json(HISTORY, {"zone": "DE", "history": rows})
    series = ask("electricitymaps").between("DE", hour - 3 * HOUR, hour)
    assert [i.carbon_g_per_kwh for i in series.intervals] == [250]


def test_electricity_maps_unknown_zone_names_the_nearest(server, ask):
    server.json(LATEST, {"status": "error", "message": "Zone 'DK' does not exist."}, 404)
    zones = {"DK-DK1": {"zoneName": "West Denmark"}, "DK-DK2": {}, "FR": {}}
    server.json("/v3/zones", zones)
    with pytest.raises(UnknownZoneError, match="DK-DK1"):
        ask("electricitymaps").latest("DK")
    assert "auth-token" not in server.asked[-1][1]  # the list of zones needs no key


def test_electricity_maps_refuses_an_existing_zone(server, ask):
    server.json(PAST, {"error": "no data"}, 400)
    server.json("/v3/zones", {"DE": {"zoneName": "Germany"}})
    with pytest.raises(LiveGridError, match="DE"):
        ask("electricitymaps").between("DE", NOW - 9e5, NOW - 8e5)


def test_escape_codes_from_a_server_are_removed(server, ask):
    server.json(LATEST, {}, 404)
    server.json("/v3/zones", {"D\x1b[31mE": {}})
    with pytest.raises(UnknownZoneError) as caught:
        ask("electricitymaps").latest("D[31mE")
    assert "\x1b" not in str(caught.value)


def test_electricity_maps_answer_for_another_zone_is_refused(server, ask):
    server.json(LATEST, em_row(NOW, 20) | {"zone": "FR"})
    server.json("/v3/zones", {"DE": {}})
    with pytest.raises(UnknownZoneError, match="XX"):
        ask("electricitymaps").latest("XX")


def test_electricity_maps_old_figures_without_the_plan_for_them(server, ask):
    server.json(PAST, {"error": "Access denied"}, 403)
    with pytest.raises(LiveGridError):
        ask("electricitymaps").between("DE", NOW - 9e5, NOW - 8e5)


# --- WattTime ------------------------------------------------------------------------------------


def watttime(server, value=870, units="lbs_co2_per_mwh"):
    server.json("/login", {"token": TOKEN})

    def historical(handler, query):
        a = datetime.fromisoformat(query["start"]).timestamp()
        rows = [{"point_time": iso(a + 300 * i), "value": value} for i in range(24)]
        meta = {
            "data_point_period_seconds": 300,
            "region": query["region"],
            "signal_type": query["signal_type"],
            "units": units,
            "model": {"date": "2023-03-01"},
            "warnings": [],
        }
        answer(handler, {"data": rows, "meta": meta})

    server.routes["/v3/historical"] = historical


def test_watttime_is_marginal_and_in_pounds(server, ask):
    watttime(server)
    series = ask("watttime").between("CAISO_NORTH", NOW - 7200, NOW)
    assert series.marginal
    # 870 lb/MWh x 453.59237 g/lb / 1000 kWh/MWh
    assert series.intervals[0].carbon_g_per_kwh == pytest.approx(394.6254, abs=1e-3)
    assert series.intervals[0].end_s - series.intervals[0].start_s == 300
    (login, with_password), (_, with_token) = server.asked
    assert login == "/login"
    assert with_password["authorization"].startswith("Basic ")
    assert with_token["authorization"] == f"Bearer {TOKEN}"
    assert "signal_type=co2_moer" in server.asked[1][0]


def test_watttime_latest_is_the_newest_point(server, ask):
    watttime(server)
    (interval,) = ask("watttime").latest("CAISO_NORTH").intervals
    assert interval.start_s == pytest.approx(NOW - 7200 + 23 * 300, abs=60)


def test_watttime_logs_in_again_after_its_token_expired(server, ask):
    watttime(server)
    good = server.routes["/v3/historical"]
    refused = []

    def once(handler, query):
        if refused:
            good(handler, query)
        else:
            refused.append(1)
            answer(handler, {"error": "expired"}, 401)

    server.routes["/v3/historical"] = once
    assert ask("watttime").between("CAISO_NORTH", NOW - 7200, NOW).intervals
    assert [path for path, _ in server.asked].count("/login") == 2


def test_watttime_forbidden_region_lists_the_allowed_ones(server, ask):
    watttime(server)
    server.json("/v3/historical", {"error": "INVALID_SCOPE"}, 403)
    region = {"region": "CAISO_NORTH", "region_full_name": "California ISO Northern"}
    access = [{"signal_type": "co2_moer", "regions": [region]}]
    server.json("/v3/my-access", {"signal_types": access})
    with pytest.raises(LiveGridError, match="CAISO_NORTH"):
        ask("watttime").latest("CAISO_SOUTH")


def test_watttime_wrong_password(server, ask):
    server.json("/login", {"detail": "no"}, 403)
    with pytest.raises(LiveGridError, match="WATTTIME_PASSWORD") as caught:
        ask("watttime").latest("CAISO_NORTH")
    assert PASSWORD not in str(caught.value)


def test_watttime_other_units_are_refused(server, ask):
    watttime(server, units="percentile")
    with pytest.raises(LiveGridError):
        ask("watttime").latest("CAISO_NORTH")


# --- Great Britain -------------------------------------------------------------------------------


def half_hour(t_s: float, actual, forecast=266) -> dict:
    times = {"from": iso(t_s)[:16] + "Z", "to": iso(t_s + 1800)[:16] + "Z"}
    return times | {"intensity": {"forecast": forecast, "actual": actual, "index": "moderate"}}


def test_uk_settled_or_forecast(server, ask):
    hour = NOW - NOW % HOUR
    rows = [half_hour(hour - 1800, None), half_hour(hour - 3600, 263)]
    times = "2026-03-10T11:00Z/2026-03-10T12:00Z"
    server.json(f"/intensity/{times}", {"data": rows})
    series = ask("uk").between("GB", hour - 3600, hour)
    assert [(i.carbon_g_per_kwh, i.estimated) for i in series.intervals] == [
        (263, False),
        (266, True),
    ]
    assert not {"auth-token", "authorization"} & set(server.asked[0][1])


def test_uk_by_postcode_sends_its_first_half_alone(server, ask):
    row = {"regionid": 12, "shortname": "South England", "postcode": "RG10"}
    figures = half_hour(NOW, None, 191) | {"generationmix": []}
    del figures["intensity"]["actual"]
    server.json("/regional/postcode/RG10", {"data": [row | {"data": [figures]}]})
    hour = NOW - NOW % HOUR
    times = "2026-03-10T11:00Z/2026-03-10T12:00Z"
    server.json(f"/regional/intensity/{times}/postcode/RG10", {"data": row | {"data": [figures]}})
    uk = ask("uk")
    zone = uk.zone("rg10 4pq", None)
    assert uk.latest(zone).intervals[0].carbon_g_per_kwh == 191
    uk.between(zone, hour - 3600, hour)
    assert server.asked and all("4PQ" not in path.upper() for path, _ in server.asked)


def test_uk_is_great_britain_alone(ask):
    with pytest.raises(UsageError):
        ask("uk").zone(None, "Germany")
    with pytest.raises(UsageError, match="Untied Kingdom"):
        ask("uk").zone(None, "Untied Kingdom")
    with pytest.raises(UsageError):
        ask("uk").zone("10115", None)


# --- what servers do -----------------------------------------------------------------------------


def raw(body: bytes, length: int | None = None):
    def route(handler, _):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        handler.end_headers()
        handler.wfile.write(body)

    return route


@pytest.mark.parametrize(
    "route",
    [
        raw(b"<html>sign in</html>"),
        raw(b""),
        raw(b'{"carbonIntensity": NaN, "datetime": "2026-03-10T12:00Z"}'),
        raw(b"[" * 100_000),
        raw(b"\xff\xfe\x00"),
        raw(b"[]"),
        raw(b'{"zone": "DE"}'),
        raw(b'{"carbonIntensity": -3, "datetime": "2026-03-10T12:00Z"}'),
        raw(b'{"carbonIntensity": "3", "datetime": "2026-03-10T12:00Z"}'),
        raw(b'{"carbonIntensity": 300, "datetime": "lately"}'),
        raw(b'{"carbonIntensity": 300', 5000),
    ],
)
def test_unusable_answer(server, ask, route):
    server.routes[LATEST] = route
    with pytest.raises(LiveGridError) as caught:
        ask("electricitymaps").latest("DE")
    assert KEY not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_huge_answer_is_not_read_to_its_end(server, ask):
    sent = []

    def endless(handler, _):
        handler.send_response(200)
        handler.end_headers()
        try:
            while len(sent) < 10_000:
                handler.wfile.write(b" " * 65536)
                sent.append(65536)
        except OSError:  # it hung up
            pass

    server.routes[LATEST] = endless
    with pytest.raises(LiveGridError):
        ask("electricitymaps").latest("DE")
    assert sum(sent) < 4 * HttpClient().max_bytes


def test_slow_server_times_out(server, ask):
    calls = iter(range(1000))
    server.routes[LATEST] = raw(b" " * 2_000_000)
    with pytest.raises(LiveGridError):
        # Each look at the clock is ten seconds later: every part comes in time, the whole does not.
        ask("electricitymaps", timeout_s=15.0, clock=lambda: 10.0 * next(calls)).latest("DE")


def test_silent_server_times_out(server, ask):
    release = threading.Event()
    server.routes[LATEST] = lambda handler, _: release.wait(20)
    try:
        with pytest.raises(LiveGridError):
            ask("electricitymaps", timeout_s=0.3).latest("DE")
    finally:
        release.set()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_temporary_failure_is_retried(server, ask, waits, status):
    answers = iter([status, status])

    def route(handler, _):
        code = next(answers, None)
        answer(handler, em_row(NOW, 300), 200) if code is None else answer(handler, {}, code)

    server.routes[LATEST] = route
    assert ask("electricitymaps").latest("DE").intervals[0].carbon_g_per_kwh == 300
    assert waits.seconds == [1.0, 2.0]


def test_permanent_failure_ends_after_three_tries(server, ask, waits):
    server.json(LATEST, {}, 429)
    with pytest.raises(LiveGridError, match="429"):
        ask("electricitymaps").latest("DE")
    assert len(server.asked) == 3
    assert waits.seconds == [1.0, 2.0]


@pytest.mark.parametrize(("after", "waited"), [("7", [7.0, 7.0]), ("3600", [])])
def test_retry_after_sets_the_pause(server, ask, waits, after, waited):
    headers = [("Retry-After", after)]
    server.routes[LATEST] = lambda handler, _: answer(handler, {}, 429, headers)
    with pytest.raises(LiveGridError):
        ask("electricitymaps").latest("DE")
    assert waits.seconds == waited


def test_a_wrong_key_is_not_tried_again(server, ask):
    server.json(LATEST, {"message": f"invalid auth-token {KEY}"}, 401)
    with pytest.raises(LiveGridError, match="ELECTRICITYMAPS_API_KEY") as caught:
        ask("electricitymaps").latest("DE")
    assert len(server.asked) == 1
    assert KEY not in str(caught.value)


def test_no_server(ask, server):
    client = ask("electricitymaps")
    server.close()
    server.close = lambda: None
    with pytest.raises(LiveGridError) as caught:
        client.latest("DE")
    assert "\n" not in str(caught.value)


# --- keys ----------------------------------------------------------------------------------------


def test_key_is_not_sent_to_another_host(server, other, ask):
    other.json(LATEST, em_row(NOW, 1))
    where = [("Location", f"{other.url}{LATEST}?zone=DE")]
    for status in (301, 302, 303, 307, 308):
        server.routes[LATEST] = lambda h, _, status=status: answer(h, {}, status, where)
        with pytest.raises(LiveGridError):
            ask("electricitymaps").latest("DE")
    assert other.asked == []


def test_a_redirect_on_the_same_host_is_followed(server, ask):
    server.json("/moved", em_row(NOW, 300))
    server.routes[LATEST] = lambda h, _: answer(h, {}, 307, [("Location", "/moved")])
    assert ask("electricitymaps").latest("DE").intervals


def test_a_redirect_in_a_circle_ends(server, ask):
    server.routes[LATEST] = lambda h, _: answer(h, {}, 302, [("Location", LATEST)])
    with pytest.raises(LiveGridError):
        ask("electricitymaps").latest("DE")
    assert len(server.asked) < 10


@pytest.mark.parametrize(
    "url",
    [
        "http://proxy.example",
        "http://127.0.0.1.example",
        "ftp://example.org",
        "https://",
        "https://me:secret@example.org",
        "https://example.org:port",
        "https://example.org/?a=1",
        "nonsense",
    ],
)
def test_key_is_only_sent_over_https(url):
    env = {"ELECTRICITYMAPS_API_KEY": KEY, "ELECTRICITYMAPS_API_URL": url}
    with pytest.raises(UsageError, match="ELECTRICITYMAPS_API_URL") as caught:
        live_grid("electricitymaps", env)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("key", ["two\nlines", "with space", "s\u00e9cret", "a\tb", "  "])
def test_invalid_key_is_refused_and_not_shown(key):
    with pytest.raises(UsageError, match="ELECTRICITYMAPS_API_KEY") as caught:
        live_grid("electricitymaps", {"ELECTRICITYMAPS_API_KEY": key})
    assert key.strip() == "" or key not in str(caught.value)


def test_password_may_have_any_characters(server, tmp_path):
    watttime(server)
    password = "open se\u00e7ame: 42"
    env = {"WATTTIME_USER": "me", "WATTTIME_PASSWORD": password, "WATTTIME_API_URL": server.url}
    live_grid("watttime", env, clock=lambda: NOW).latest("CAISO_NORTH")
    sent = server.asked[0][1]["authorization"].removeprefix("Basic ")
    assert base64.b64decode(sent).decode() == f"me:{password}"
    with pytest.raises(UsageError, match="WATTTIME_USER"):
        live_grid("watttime", env | {"WATTTIME_USER": "me:you"})


def test_no_repr_shows_a_key(ask):
    for provider in (ask("electricitymaps"), ask("watttime")):
        assert KEY not in repr(provider._access)
        assert PASSWORD not in repr(provider._access)


def test_missing_key_is_named():
    with pytest.raises(UsageError, match="ELECTRICITYMAPS_API_KEY"):
        live_grid("electricitymaps", {})
    with pytest.raises(UsageError, match="WATTTIME_PASSWORD"):
        live_grid("watttime", {"WATTTIME_USER": "me"})
    with pytest.raises(UsageError, match="watttime"):
        live_grid("entsoe", {})


@pytest.fixture
def certificate(tmp_path):
    """A certificate that nobody vouches for, and its key."""
    made = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-out", str(made[0]), "-keyout", str(made[1])]
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here to make a certificate with")
    subprocess.run(command, check=True, capture_output=True)
    return made


def test_a_certificate_that_is_not_trusted_gets_no_key(server, ask, certificate, tmp_path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    plain = server._server.socket
    server._server.socket = context.wrap_socket(plain, server_side=True)
    env = {
        "ELECTRICITYMAPS_API_KEY": KEY,
        "ELECTRICITYMAPS_API_URL": server.url.replace("http://", "https://"),
    }
    with pytest.raises(LiveGridError):
        live_grid("electricitymaps", env).latest("DE")
    assert server.asked == []


# --- the cache -----------------------------------------------------------------------------------


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_repeated_request_is_cached(server, ask, tmp_path):
    server.json(LATEST, em_row(NOW - 1200, 302))
    first = ask("electricitymaps").latest("DE")
    assert ask("electricitymaps", now=NOW + 200).latest("DE") == first
    assert len(server.asked) == 1
    ask("electricitymaps", now=NOW + 400).latest("DE")  # older than the cache's limit
    ask("electricitymaps", now=NOW - 90).latest("DE")  # the clock was set back
    assert len(server.asked) == 3


def test_cache_is_private_and_has_no_key(server, ask, tmp_path):
    server.json(LATEST, em_row(NOW - 1200, 302))
    watttime(server)
    ask("electricitymaps").latest("DE")
    ask("watttime").latest("CAISO_NORTH")
    cached = files(tmp_path / "cache")
    assert len(cached) == 2
    for path in cached:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        text = path.read_text()
        assert not any(secret in text for secret in (KEY, PASSWORD, TOKEN, "me:"))
    assert stat.S_IMODE(cached[0].parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"question": 1}', b"\xff\xff", b"NaN"])
def test_damaged_cache_is_replaced(server, ask, tmp_path, damage):
    server.json(LATEST, em_row(NOW - 1200, 302))
    ask("electricitymaps").latest("DE")
    (path,) = files(tmp_path / "cache")
    path.write_bytes(damage)
    assert ask("electricitymaps").latest("DE").intervals[0].carbon_g_per_kwh == 302
    assert len(server.asked) == 2


def test_invalid_figures_in_the_cache_are_replaced(server, ask, tmp_path):
    server.json(LATEST, em_row(NOW - 1200, 302))
    ask("electricitymaps").latest("DE")
    (path,) = files(tmp_path / "cache")
    for figure in ("NaN", "-3", "Infinity"):
        path.write_text(path.read_text().replace("302.0", figure))
        assert ask("electricitymaps").latest("DE").intervals[0].carbon_g_per_kwh == 302


def test_unwritable_cache_is_ignored(server, ask, tmp_path):
    (tmp_path / "cache").write_text("not a folder")
    server.json(LATEST, em_row(NOW - 1200, 302))
    assert ask("electricitymaps").latest("DE").intervals


def test_failures_are_not_cached(server, ask, tmp_path):
    server.json(LATEST, {"zone": "DE"})
    with pytest.raises(LiveGridError):
        ask("electricitymaps").latest("DE")
    assert files(tmp_path) == []
