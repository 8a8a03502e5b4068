"""One JSON document over HTTPS: bounded in time, size and tries, and careful with keys.

A redirect is followed only on the host that was asked, so no key goes anywhere else. No error
text holds a header, a query or what a server answered.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any, NoReturn
from urllib.parse import urlsplit

from ...._version import __version__
from ....errors import JoulecastError, UsageError

LARGEST_BYTES = 8 * 2**20
"""A month of five-minute figures is under 1 MB."""

TRIES = 3
LONGEST_PAUSE_S = 20.0
_AGAIN = frozenset({429, 500, 502, 503, 504})
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


class HttpError(JoulecastError):
    """A server gave no usable answer.

    `status` is its code, None where there was none; `retry_after_s` the pause it asks for.
    """

    def __init__(
        self, text: str, status: int | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(text)
        self.status, self.retry_after_s = status, retry_after_s


def check_url(url: str, variable: str) -> str:
    """A server's address that a key may be sent to. Raises `UsageError`."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # the port may not be a number
    except ValueError:
        raise UsageError(f"{variable}: it is no address: write https://host") from None
    if not host or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        raise UsageError(f"{variable}: it is no address of a server: write https://host")
    if parts.username is not None or parts.password is not None:
        raise UsageError(f"{variable}: leave name and password out of the address")
    if parts.scheme == "http" and host not in _LOCAL:
        raise UsageError(f"{variable}: {host} over plain http would show your key: use https://")
    return url.rstrip("/")


def check_secret(value: str, variable: str) -> str:
    """A key that fits into a header, a name, or a password. Raises `UsageError`, never with it."""
    value = value.strip("\r\n")
    if variable.endswith("_KEY"):  # sent as it is
        fits = value.isascii() and " " not in value
    else:  # sent encoded; a colon ends the name
        fits = not (variable.endswith("_USER") and ":" in value)
    if not (value.strip() and value.isprintable() and fits):
        raise UsageError(f"{variable}: this cannot be it: copy it again, without line breaks")
    return value


class _SameHost(urllib.request.HTTPRedirectHandler):
    max_redirections = 3

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        before, after = urlsplit(req.full_url), urlsplit(newurl)
        if (before.scheme, before.netloc) != (after.scheme, after.netloc):
            raise HttpError(f"{before.hostname} sends on to another server, which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@dataclass(frozen=True, slots=True)
class Http:
    """A client. Clock (monotonic, s) and sleep are passed in, so tests need not wait."""

    timeout_s: float = 15.0  # of one answer, from the first byte sent to the last received
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def get_json(self, url: str, headers: Mapping[str, str] | None = None) -> Any:
        """The JSON document at an address. Raises `HttpError`."""
        agent = {"User-Agent": f"joulecast/{__version__}", "Accept": "application/json"}
        request = urllib.request.Request(url, headers={**agent, **(headers or {})})
        host = urlsplit(url).hostname or ""
        for attempt in range(TRIES):
            try:
                body = self._read(request, host)
                return json.loads(body, parse_constant=_no_constant)
            except HttpError as error:
                pause = self._pause(error, attempt)
                if pause is None:
                    raise
                self.sleep(pause)
            except (ValueError, RecursionError):
                raise HttpError(f"{host} answered what is not JSON") from None
        raise AssertionError("unreachable")

    def _pause(self, error: HttpError, attempt: int) -> float | None:
        """Seconds to wait before the next try; None where there is to be none."""
        if attempt + 1 >= TRIES or (error.status not in _AGAIN):
            return None
        pause = 2.0**attempt if error.retry_after_s is None else error.retry_after_s
        return pause if pause <= LONGEST_PAUSE_S else None

    def _read(self, request: urllib.request.Request, host: str) -> bytes:
        handlers: list[urllib.request.BaseHandler] = [
            urllib.request.HTTPSHandler(context=ssl.create_default_context()),
            _SameHost(),
        ]
        if host in _LOCAL:
            handlers.append(urllib.request.ProxyHandler({}))
        try:
            deadline = self.clock() + self.timeout_s
            opener = urllib.request.build_opener(*handlers)
            with opener.open(request, timeout=self.timeout_s) as answer:
                return self._body(answer, host, deadline)
        except urllib.error.HTTPError as error:
            with error:
                pause = _retry_after(error.headers)
            raise HttpError(_status_text(host, error.code), error.code, pause) from None
        except (TimeoutError, socket.timeout):  # noqa: UP041
            raise HttpError(f"{host} did not answer within {self.timeout_s:g} s") from None
        except urllib.error.URLError as error:
            raise HttpError(f"{host} cannot be reached ({_cause(error.reason)})") from None
        except http.client.HTTPException:
            raise HttpError(f"{host} broke off, or does not speak HTTP") from None
        except OSError as error:
            raise HttpError(f"{host} cannot be reached ({_cause(error)})") from None

    def _body(self, answer: Any, host: str, deadline: float) -> bytes:
        parts: list[bytes] = []
        size = 0
        while part := answer.read1(65536):
            parts.append(part)
            size += len(part)
            if size > LARGEST_BYTES:
                raise HttpError(f"{host} answered more than {LARGEST_BYTES // 2**20} MB")
            if self.clock() > deadline:
                raise HttpError(f"{host} did not answer within {self.timeout_s:g} s")
        length = answer.headers.get("Content-Length")
        if length is not None and length.isdigit() and size < int(length):
            raise HttpError(f"{host} broke off in the middle of its answer")
        return b"".join(parts)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _status_text(host: str, code: int) -> str:
    known = {429: "is asked too often (429)"}
    return f"{host} {known.get(code, f'answered with code {code}')}"


def _retry_after(headers: Any) -> float | None:
    """Seconds that the server asks to wait, where it says so in seconds."""
    text = str(headers.get("Retry-After") or "") if headers is not None else ""
    return float(text) if text.isdigit() and len(text) < 9 else None


def _cause(reason: object) -> str:
    """Why, in a few words, without anything of the address."""
    if isinstance(reason, ssl.SSLCertVerificationError):
        return "its certificate is not trusted here"
    if isinstance(reason, ssl.SSLError):
        return "no secure connection"
    if isinstance(reason, socket.gaierror):
        return "its name is not found: is there a network?"
    if isinstance(reason, TimeoutError):
        return "it does not answer"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror.lower()
    return "no connection"
