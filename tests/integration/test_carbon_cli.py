"""`joulecast carbon` as it is called: on energies, on recorded runs, with and without a network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from fakes.command_line import joulecast
from fakes.recordings import training, without_samples
from joulecast.hardware.catalog.grids import find_grid
from joulecast.ledger import open_ledger
from joulecast.recording.model import Status

KEY = "s3cret-key-of-the-user"

# Ends the program with an error as soon as anything of it looks up a name or opens a connection.
ALONE = """
import sys
def hook(event, arguments):
    if event.startswith(("socket.connect", "socket.getaddrinfo", "socket.gethostby", "urllib.")):
        sys.stderr.write(f"NETWORK: {event} {arguments}")
        sys.stderr.flush()
        import os
        os._exit(99)
sys.addaudithook(hook)
from joulecast.cli import main
main()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A ledger with a run of 2026, one interrupted, one without energy."""
    folder = tmp_path_factory.mktemp("carbon")
    with open_ledger(folder / "ledger.sqlite") as ledger:
        ledger.add(training(name="whole", run_id="aaaa0001"))
        ledger.add(training(name="cut", run_id="bbbb0002", status=Status.INTERRUPTED))
        ledger.add(without_samples(name="silent", run_id="cccc0003"))
        ledger.add(training(name="early", run_id="dddd0004", started_at=1_600_000_000.0))
    return folder


def carbon(folder: Path, *arguments: str, code: int = 0, program: str | None = None, **env: str):
    own = {"HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache"), "COLUMNS": "100"}
    keys = {key: None for key in os.environ if "API" in key or "WATTTIME" in key}
    command = ["carbon", "--ledger", str(folder / "ledger.sqlite"), *arguments]
    if program is None:
        return joulecast(*command, cwd=Path.cwd(), env=keys | own | env, code=code)
    done = subprocess.run(
        [sys.executable, "-c", program, *command],
        env={k: v for k, v in os.environ.items() if k not in keys} | own | env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr + done.stdout
    return done


def document(folder: Path, *arguments: str, **more):
    return json.loads(
        carbon(folder, *arguments, "--json", **more).stdout,
        parse_constant=lambda name: pytest.fail(f"{name} in JSON"),
    )


# --- energies ------------------------------------------------------------------------------------


def test_energy(folder):
    report = document(folder, "50kWh", "--region", "DE", "--year", "2021", "--pue", "1.2")
    assert next(iter(report)) == "schema"
    assert report["schema"] == "joulecast/carbon/1"
    (run,) = report["runs"]
    grid = find_grid("DE", 2021)
    grams = run["operational"]
    assert grams["value"] == pytest.approx(50 * 1.2 * grid.carbon_g_per_kwh)
    assert grams["unit"] == "g CO2e" and grams["provenance"] == "assumed"
    assert run["site"]["year"] == 2021 and run["site"]["source"] == grid.source
    assert run["embodied"] is run["total"] is run["cost"] is None
    assert set(run["reasons"]) == {"embodied", "total", "cost"}
    assert report["sum"]["operational"] == grams


def test_all_figures(folder):
    arguments = ("--embodied", "150kg", "--held-for", "10h", "--lifetime", "4y")
    arguments += ("--utilization", "0.5", "--share", "0.5", "--tariff", "0.30EUR/kWh")
    (run,) = document(folder, "1kWh", "--carbon-intensity", "100", *arguments)["runs"]
    assert run["operational"]["value"] == pytest.approx(100)
    embodied = 150_000 * 0.5 * 10 / (4 * 365.25 * 24 * 0.5)
    assert run["embodied"]["value"] == pytest.approx(embodied)
    assert run["total"]["value"] == pytest.approx(100 + embodied)
    assert (run["cost"]["value"], run["cost"]["unit"]) == (pytest.approx(0.3), "EUR")
    assert run["reasons"] == {}


def test_text_names_its_sources(folder):
    text = carbon(folder, "50kWh", "--region", "France", "--year", "2030").stdout
    assert "France, 2023" in text and "Ember" in text and "2030" in text


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("0kWh",), "0kWh"),
        (("--", "-5kWh"), "-5kWh"),
        (("nankWh",), "nankWh"),
        (("5kWh", "--pue", "0.9"), "PUE 0.9"),
        (("5kWh", "--pue", "nan"), "PUE nan"),
        (("5kWh", "--region", "Germnay"), "Germany"),
        (("5kWh", "--carbon-intensity", "0"), "intensity"),
        (("5kWh", "--carbon-intensity", "nan"), "intensity"),
        (("5kWh", "--carbon-intensity", "5", "--region", "DE"), "--carbon-intensity"),
        (("5kWh", "--carbon-intensity", "5", "--year", "2021"), "--carbon-intensity"),
        (("5kWh", "--carbon-intensity", "5", "--live-grid", "uk"), "--carbon-intensity"),
        (("5kWh", "--tariff", "0"), "--tariff 0"),
        (("5kWh", "--tariff", "-1"), "--tariff -1"),
        (("5kWh", "--embodied", "0kg"), "--embodied"),
        (("5kWh", "--embodied", "heavy"), "heavy"),
        (("5kWh", "--lifetime", "0y"), "--lifetime"),
        (("5kWh", "--utilization", "0"), "--utilization 0"),
        (("5kWh", "--utilization", "nan"), "--utilization nan"),
        (("5kWh", "--share", "2"), "--share 2"),
        (("5kWh", "--held-for", "0"), "--held-for"),
        (("whole", "--held-for", "1h"), "--held-for"),
        (("5kWh", "--year", "20"), "1990"),
        (("5kWh", "--zone", "DE"), "--live-grid"),
        (("5kWh", "--live-grid", "electricitymaps"), "ELECTRICITYMAPS_API_KEY"),
        (("5kWh", "--live-grid", "watttime"), "WATTTIME_USER"),
        (("5kWh", "--live-grid", "uk", "--region", "DE"), "Great Britain"),
        (("5kWh", "--live-grid", "entsoe"), "electricitymaps"),
        ((), "Missing argument"),
    ],
)
def test_misuse_is_one_line(folder, arguments, named):
    done = carbon(folder, *arguments, code=2)
    assert named in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


# --- runs ----------------------------------------------------------------------------------------


def test_run_uses_the_intensity_of_its_year(folder):
    (run,) = document(folder, "early", "--region", "DE")["runs"]
    assert run["site"]["year"] == 2020
    assert run["notes"] == []
    grams = run["energy"]["value"] / 3.6e6 * find_grid("DE", 2020).carbon_g_per_kwh
    assert run["operational"]["value"] == pytest.approx(grams)
    low, high = run["operational"]["low"], run["operational"]["high"]
    assert low < grams < high
    assert (run["run_id"], run["status"]) == ("dddd0004", "finished")
    assert "A100-SXM4-80GB" in run["reasons"]["embodied"]


def test_missing_year_is_noted(folder):
    (run,) = document(folder, "whole", "--region", "DE")["runs"]
    assert any("2026" in note or "2025" in note for note in run["notes"])


def test_an_interrupted_run(folder):
    cut, whole = document(folder, "cut", "whole")["runs"]
    assert cut["operational"]["value"] > 0
    assert len(cut["notes"]) == len(whole["notes"]) + 1


def test_a_run_without_energy(folder):
    arguments = ("--tariff", "0.3EUR/kWh", "--embodied", "1t")
    report = document(folder, "silent", *arguments)
    (run,) = report["runs"]
    assert run["energy"] is run["operational"] is run["cost"] is run["total"] is None
    assert all(run["reasons"][name] for name in ("energy", "operational", "cost", "total"))
    assert run["embodied"]["value"] > 0
    assert "unknown" in carbon(folder, "silent").stdout


def test_several_runs(folder):
    report = document(folder, "whole", "early", "2kWh", "--carbon-intensity", "100")
    values = [run["operational"]["value"] for run in report["runs"]]
    assert report["sum"]["operational"]["value"] == pytest.approx(sum(values))
    text = carbon(folder, "whole", "silent", "--region", "DE").stdout
    assert "whole" in text and "silent" in text
    assert document(folder, "whole", "silent")["sum"]["operational"] is None


def test_a_run_that_is_not_there(folder):
    assert "whole" in carbon(folder, "whle", code=2).stderr


# --- the network ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("50kWh", "--region", "DE", "--tariff", "0.3EUR/kWh"),
        ("whole", "--region", "DE", "--json"),
        ("silent", "early", "--embodied", "150kg"),
    ],
)
def test_no_network_access_without_live_grid(folder, arguments):
    env = {"ELECTRICITYMAPS_API_KEY": KEY, "WATTTIME_USER": "me", "WATTTIME_PASSWORD": KEY}
    carbon(folder, *arguments, program=ALONE, **env)
    assert not (folder / "cache").exists()


def test_network_access_is_detected(folder):
    done = carbon(folder, "50kWh", "--live-grid", "uk", program=ALONE, code=99)
    assert "NETWORK" in done.stderr


@pytest.fixture
def server() -> Iterator[tuple[str, list]]:
    """Electricity Maps' format: the intensity of an hour is 100 g/kWh and its hour of the day."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            asked.append((parts.path, dict(self.headers)))
            if self.headers.get("auth-token") != KEY:
                return self._send({"message": "Invalid auth-token"}, 401)
            if parts.path.endswith("latest"):
                return self._send(row(time.time(), 123))
            a = datetime.fromisoformat(query["start"]).timestamp()
            b = datetime.fromisoformat(query["end"]).timestamp()
            hours = [a + 3600 * i for i in range(int((b - a) / 3600))]
            rows = [row(t, 100 + datetime.fromtimestamp(t, UTC).hour) for t in hours]
            return self._send({"zone": query["zone"], "data": rows})

        def _send(self, document, status=200):
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    def row(t_s, grams):
        at = datetime.fromtimestamp(t_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        return {"datetime": at, "carbonIntensity": grams, "isEstimated": False}

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}", asked
    running.shutdown()
    thread.join()
    running.server_close()


def asking(server, key=KEY):
    return {"ELECTRICITYMAPS_API_URL": server[0], "ELECTRICITYMAPS_API_KEY": key}


def test_live_intensity_during_a_run(folder, server, tmp_path):
    env = asking(server) | {"XDG_CACHE_HOME": str(tmp_path)}
    live = ("--live-grid", "electricitymaps", "--region", "Germany")
    report = document(folder, "early", *live, **env)
    (run,) = report["runs"]
    assert report["live"] == {"provider": "electricitymaps", "zone": "DE", "error": None}
    hour = datetime.fromtimestamp(1_600_000_000, UTC).hour  # it took 101 s of that hour
    assert run["site"]["carbon_g_per_kwh"] == pytest.approx(100 + hour)
    assert run["site"]["over_time"]["coverage"] == pytest.approx(1)
    assert run["site"]["signal"] == "average"
    assert run["notes"] == []
    again = document(folder, "early", *live, **env)
    assert again == report
    assert len(server[1]) == 1  # the second time from the cache
    text = carbon(folder, "early", *live, **env).stdout
    assert "Electricity Maps" in text and "100 %" in text
    for path in tmp_path.rglob("*.json"):
        assert KEY not in path.read_text()


def test_energy_at_the_latest_intensity(folder, server, tmp_path):
    live = ("--live-grid", "electricitymaps", "--zone", "de", "--pue", "1.5")
    env = asking(server) | {"XDG_CACHE_HOME": str(tmp_path)}
    (run,) = document(folder, "2kWh", *live, **env)["runs"]
    assert run["operational"]["value"] == pytest.approx(2 * 1.5 * 123)


def test_failing_provider_falls_back_to_the_catalog(folder, server):
    live = ("--live-grid", "electricitymaps", "--zone", "DE")
    done = carbon(folder, "early", "cut", *live, "--json", **asking(server, "wrong-key"))
    report = json.loads(done.stdout)
    assert "ELECTRICITYMAPS_API_KEY" in report["live"]["error"]
    for run in report["runs"]:
        assert run["site"]["basis"].startswith("Germany, ")
        assert any("ELECTRICITYMAPS_API_KEY" in note for note in run["notes"])
    assert done.stderr.count("\n") == 1
    assert len(server[1]) == 1  # not asked again for each run
    assert "wrong-key" not in done.stderr + done.stdout


def test_no_network(folder, server):
    env = asking(("http://127.0.0.1:9",))
    done = carbon(folder, "early", "--live-grid", "electricitymaps", "--zone", "US-CAL-CISO", **env)
    assert done.stderr.count("\n") == 1
    assert "United States" in done.stdout and "2020" in done.stdout


def test_key_is_not_sent_over_plain_http(folder):
    env = asking(("http://example.org",))
    done = carbon(folder, "5kWh", "--live-grid", "electricitymaps", "--zone", "DE", code=2, **env)
    assert "ELECTRICITYMAPS_API_URL" in done.stderr
    assert KEY not in done.stderr
