"""One JSON document over HTTP, with limits on time, size and tries.

Passwords and keys stay with the server they are for: a redirect to another server is not followed,
and no error contains a header, a path, a query or what a server answered.
"""

import http.client
import json
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import IO, Any, NoReturn
from urllib.parse import urlsplit

from ._version import __version__
from .errors import JoulecastError

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})

_MAX_PAUSE_S = 20.0
_RETRY_STATUSES = frozenset({429, 500, 502, 503, 504})


class HttpError(JoulecastError):
    """A server gave no usable answer.

    Attributes:
        problem: what happened, without the name of the server.
        status: the HTTP status; None where there was none.
        retry_after_s: the pause that the server asks for.
    """

    def __init__(
        self,
        host: str,
        problem: str,
        status: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(f"{host} {problem}")
        self.problem, self.status, self.retry_after_s = problem, status, retry_after_s


@dataclass(frozen=True, slots=True)
class HttpClient:
    """Reads JSON documents.

    Attributes:
        timeout_s: of one answer, from the first byte sent to the last received.
        max_bytes: of one answer.
        tries: in all, where the server is busy or fails (429, 5xx).
        use_proxy: whether the proxy of the environment is used; never for this machine itself.
        clock: monotonic, s.
        sleep: waits between tries.
    """

    timeout_s: float = 15.0
    max_bytes: int = 8 * 2**20
    tries: int = 3
    use_proxy: bool = True
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def get_json(self, url: str, headers: Mapping[str, str] | None = None) -> Any:
        """The JSON document at an address, as plain Python types. Raises `HttpError`."""
        agent = {"User-Agent": f"joulecast/{__version__}", "Accept": "application/json"}
        request = urllib.request.Request(url, headers={**agent, **(headers or {})})
        host = urlsplit(url).hostname or ""
        for attempt in range(self.tries):
            try:
                body = self._read(request, host)
                return json.loads(body, parse_constant=_reject_constant)
            except HttpError as error:
                pause_s = self._pause_s(error, attempt)
                if pause_s is None:
                    raise
                self.sleep(pause_s)
            except (ValueError, RecursionError):
                raise HttpError(host, "answered with something that is not JSON") from None
        raise AssertionError("unreachable")

    def _pause_s(self, error: HttpError, attempt: int) -> float | None:
        """The time before the next try; None where there is to be none."""
        if attempt + 1 >= self.tries or error.status not in _RETRY_STATUSES:
            return None
        pause_s = 2.0**attempt if error.retry_after_s is None else error.retry_after_s
        return pause_s if pause_s <= _MAX_PAUSE_S else None

    def _read(self, request: urllib.request.Request, host: str) -> bytes:
        opener = _opener(self.use_proxy and host not in LOCAL_HOSTS)
        deadline = self.clock() + self.timeout_s
        try:
            with opener.open(request, timeout=self.timeout_s) as answer:
                return self._body(answer, host, deadline)
        except urllib.error.HTTPError as error:
            with error:
                pause_s = _retry_after_s(error.headers)
            raise HttpError(host, f"answered with HTTP {error.code}", error.code, pause_s) from None
        except TimeoutError:
            raise self._timeout(host) from None
        except urllib.error.URLError as error:
            raise HttpError(host, f"cannot be reached ({_cause(error.reason)})") from None
        except http.client.HTTPException:
            raise HttpError(host, "closed the connection, or does not speak HTTP") from None
        except OSError as error:
            raise HttpError(host, f"cannot be reached ({_cause(error)})") from None

    def _body(self, answer: Any, host: str, deadline: float) -> bytes:
        parts: list[bytes] = []
        size = 0
        while part := answer.read1(65536):
            parts.append(part)
            size += len(part)
            if size > self.max_bytes:
                raise HttpError(host, f"answered with more than {self.max_bytes:,} bytes")
            if self.clock() > deadline:
                raise self._timeout(host)
        length = answer.headers.get("Content-Length")
        if length is not None and length.isdigit() and size < int(length):
            raise HttpError(host, "closed the connection in the middle of its answer")
        return b"".join(parts)

    def _timeout(self, host: str) -> HttpError:
        return HttpError(host, f"did not answer within {self.timeout_s:g} s")


@cache
def _opener(use_proxy: bool) -> urllib.request.OpenerDirector:
    """Made once, because loading the trusted certificates takes some 10 ms."""
    handlers: list[urllib.request.BaseHandler] = [
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
        _SameServer(),
    ]
    if not use_proxy:
        handlers.append(urllib.request.ProxyHandler({}))
    return urllib.request.build_opener(*handlers)


class _SameServer(urllib.request.HTTPRedirectHandler):
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
            raise HttpError(
                before.hostname or "", "redirects to another server, which is not followed"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _retry_after_s(headers: Any) -> float | None:
    """The pause a server asks for, where it is given in seconds."""
    text = str(headers.get("Retry-After") or "") if headers is not None else ""
    return float(text) if text.isdigit() and len(text) < 9 else None


def _cause(reason: object) -> str:
    """Why a server cannot be reached, without any part of the address."""
    if isinstance(reason, ssl.SSLCertVerificationError):
        return "its certificate is not trusted"
    if isinstance(reason, ssl.SSLError):
        return "no secure connection"
    if isinstance(reason, socket.gaierror):
        return "its name was not found: check the network"
    if isinstance(reason, TimeoutError):
        return "it does not answer"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror.lower()
    return "no connection"
