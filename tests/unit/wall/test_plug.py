"""Smart plugs, played by a local server that answers as they do."""

import json
import socket
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import pytest

from joulecast.errors import UsageError
from joulecast.wall.plug import Plug, PlugError, parse_plug

# As the devices answer: see the sources named in `joulecast.wall.plug`.
GEN1 = {
    "/shelly": {"type": "SHPLG-S", "mac": "ABC", "auth": False, "num_outputs": 1, "num_meters": 1},
    "/meter/0": {
        "power": 123.45,
        "overpower": 0.0,
        "is_valid": True,
        "timestamp": 1700000000,
        "counters": [120.1, 119.0, 118.0],
        "total": 12345,
    },
}
SWITCH = {
    "id": 0,
    "source": "http",
    "output": True,
    "apower": 87.6,
    "voltage": 230.1,
    "current": 0.41,
    "aenergy": {"total": 11.679, "by_minute": [0.0, 0.0, 0.0], "minute_ts": 1700000000},
    "temperature": {"tC": 40.0, "tF": 104.0},
}
GEN2 = {
    "/shelly": {"id": "shellyplusplugs-1", "model": "SNPL-00112EU", "gen": 2, "auth_en": False},
    "/rpc/Switch.GetStatus?id=0": SWITCH,
    "/rpc/Switch.GetStatus?id=1": SWITCH | {"id": 1, "apower": 12},
}
PLUG_PM = {
    "/shelly": {"id": "shellyplugpmg3-1", "gen": 3},
    "/rpc/PM1.GetStatus?id=0": {"id": 0, "voltage": 229.9, "apower": 45.5, "aenergy": {}},
}
ENERGY = {"TotalStartTime": "2024-01-01T00:00:00", "Total": 3.185, "Power": 64, "Voltage": 229}
TASMOTA = {
    "/cm?cmnd=Status 8": {"StatusSNS": {"Time": "2026-05-01T12:00:00", "ENERGY": ENERGY}},
}


class Server:
    """Answers by path; keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[str] = []
        self.password: str | None = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                answer = outer.answers.get(unquote(self.path))
                if callable(answer):
                    answer(self)
                    return
                if outer.password and self.headers.get("Authorization") != outer.password:
                    self.send_error(401)
                elif answer is None:
                    self.send_error(404)
                else:
                    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def plug(text: str) -> Plug:
    return Plug(parse_plug(text), timeout_s=5.0)


class TestReading:
    @pytest.mark.parametrize(
        ("answers", "address", "watts"),
        [
            (GEN1, "shelly://{}", 123.45),
            (GEN2, "shelly://{}", 87.6),
            (GEN2, "shelly://{}/1", 12.0),
            (PLUG_PM, "shelly://{}", 45.5),
            (TASMOTA, "tasmota://{}", 64.0),
        ],
    )
    def test_the_power_now(
        self, server: Server, answers: dict[str, Any], address: str, watts: float
    ) -> None:
        server.answers = answers
        assert plug(address.format(server.host)).power_w() == watts

    def test_its_kind_is_asked_for_once(self, server: Server) -> None:
        server.answers = GEN2
        one = plug(f"shelly://{server.host}")
        assert [one.power_w() for _ in range(3)] == [87.6] * 3
        assert server.asked.count("/shelly") == 1

    def test_tasmota_with_several_channels(self, server: Server) -> None:
        several = {"StatusSNS": {"ENERGY": ENERGY | {"Power": [10, 20]}}}
        server.answers = {"/cm?cmnd=Status 8": several}
        assert plug(f"tasmota://{server.host}").power_w() == 10
        assert plug(f"tasmota://{server.host}/1").power_w() == 20
        with pytest.raises(PlugError):
            plug(f"tasmota://{server.host}/2").power_w()

    def test_a_proxy_is_not_asked(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        monkeypatch.setenv("no_proxy", "")
        server.answers = GEN2
        assert plug(f"shelly://{server.host}").power_w() == 87.6


class TestPassword:
    def test_shelly(self, server: Server) -> None:
        server.answers = GEN1
        server.password = f"Basic {b64encode(b'me:p@ss').decode()}"
        assert plug(f"shelly://me:p%40ss@{server.host}").power_w() == 123.45
        with pytest.raises(PlugError, match="password"):
            plug(f"shelly://{server.host}").power_w()
        with pytest.raises(PlugError) as caught:
            plug(f"shelly://me:wrong@{server.host}").power_w()
        assert "wrong" not in str(caught.value).replace("what is wrong", "")

    def test_tasmota(self, server: Server) -> None:
        answer = TASMOTA["/cm?cmnd=Status 8"]
        server.answers = {"/cm?user=admin&password=s p&cmnd=Status 8": answer}
        server.answers["/cm?cmnd=Status 8"] = {"WARNING": "Need user=<username>&password=<pw>"}
        assert plug(f"tasmota://admin:s%20p@{server.host}").power_w() == 64
        with pytest.raises(PlugError):
            plug(f"tasmota://{server.host}").power_w()


def _redirects(request: BaseHTTPRequestHandler) -> None:
    request.send_response(302)
    request.send_header("Location", "http://example.org/")
    request.end_headers()


def _cut_short(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "500")
    request.end_headers()
    request.wfile.write(b'{"power"')
    request.close_connection = True


class TestTrouble:
    @pytest.mark.parametrize(
        ("address", "path", "answer"),
        [
            ("shelly", "/shelly", b"<html>router</html>"),
            ("shelly", "/shelly", [1, 2]),
            ("shelly", "/shelly", b"[" * 100_000),
            ("shelly", "/shelly", b" " * 300_000),
            ("shelly", "/shelly", None),
            ("shelly", "/shelly", {"gen": 2}),
            ("shelly", "/shelly", {"type": "SHSW-1"}),
            ("shelly", "/shelly", _redirects),
            ("shelly", "/shelly", _cut_short),
            ("tasmota", "/cm?cmnd=Status 8", {"StatusSNS": {"Time": ""}}),
            ("tasmota", "/cm?cmnd=Status 8", {"StatusSNS": 1}),
        ],
    )
    def test_answers_that_come_from_no_plug(
        self, server: Server, address: str, path: str, answer: Any
    ) -> None:
        server.answers = {} if answer is None else {path: answer}
        with pytest.raises(PlugError):
            plug(f"{address}://{server.host}").power_w()

    @pytest.mark.parametrize("power", ["64", None, True, {}, -5.0, float("nan"), float("inf")])
    def test_invalid_power_is_an_error(self, server: Server, power: object) -> None:
        server.answers = GEN1 | {"/meter/0": {"power": power, "is_valid": True}}
        with pytest.raises(PlugError):
            plug(f"shelly://{server.host}").power_w()

    def test_a_reading_that_the_plug_does_not_trust(self, server: Server) -> None:
        server.answers = GEN1 | {"/meter/0": {"power": 1.0, "is_valid": False}}
        with pytest.raises(PlugError):
            plug(f"shelly://{server.host}").power_w()

    def test_a_refused_connection_names_the_host(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            host = f"127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(PlugError, match=host):
            plug(f"shelly://{host}").power_w()

    def test_a_silent_host_is_a_timeout(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:  # it accepts and never answers
            one = Plug(parse_plug(f"tasmota://127.0.0.1:{silent.getsockname()[1]}"), timeout_s=0.2)
            with pytest.raises(PlugError):
                one.power_w()

    def test_an_answer_that_is_not_http(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            answers: Callable[[], None] = lambda: server.accept()[0].sendall(b"SSH-2.0\r\n")  # noqa: E731
            thread = threading.Thread(target=answers)
            thread.start()
            with pytest.raises(PlugError, match=r"plug shelly://"):
                plug(f"shelly://127.0.0.1:{server.getsockname()[1]}").power_w()
            thread.join()


class TestAddress:
    def test_its_parts(self) -> None:
        address = parse_plug("tasmota://me:p%3Aw@plug.local:8080/2")
        assert (address.host, address.channel) == ("plug.local:8080", 2)
        assert (address.user, address.password) == ("me", "p:w")
        assert str(address) == "tasmota://plug.local:8080/2"
        assert parse_plug("shelly://[fe80::1]").host == "[fe80::1]"

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "192.168.1.20",
            "http://192.168.1.20",
            "shelly://",
            "shelly://h/x",
            "shelly://h:port",
            "shelly://me:secret@h/0?x=1",
            "hue://h",
            "shelly://[::1",
        ],
    )
    def test_invalid_addresses(self, text: str) -> None:
        with pytest.raises(UsageError, match="--plug") as caught:
            parse_plug(text)
        assert "secret" not in str(caught.value)
