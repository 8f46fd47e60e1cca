"""One HTTP server that may be slow, busy or restarting: it is asked again until it answers, or until patience is over.

No message, log line or representation holds a credential, or a path, since paths hold the UIDs of patients' studies.
"""

from __future__ import annotations

import base64
import dataclasses
import logging
import os
import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase

from cxr.errors import ConfigError, DataError
from cxr.ingest.outcome import Refused

_Parsed = TypeVar("_Parsed")

_TEXT = "[!-~]+"
_CHUNK = 2**18
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 10.0
_SHARE_OF_ONE = 0.1  # of the patience: spent on one resource that fails while others are given
_UNAUTHORISED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_OTHER_MEDIA_TYPE = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_ACCEPTABLE)
_CUT = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError)
_GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_FAULTS = range(500, 600)
_LATER = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)


class Transient(Exception):  # noqa: N818 (no error of the program: the request is made again)
    """An answer that another attempt may better; the text is shown and names no patient."""


class _Status(Exception):  # noqa: N818
    """The server answered with a status that is no success."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Args:
        path: below the server's address, with a leading "/", quoted.
        accept: media types, tried in turn where the server answers that it cannot give one.
        query: the parameters of the query.
        largest: bytes that the answer may have.
    """

    path: str
    accept: tuple[str, ...]
    query: tuple[tuple[str, str], ...] = ()
    largest: int = 2**26


@dataclass(frozen=True)
class Answer:
    """A whole answer: nothing of it is missing as far as HTTP can tell.

    Args:
        content_type: the header, empty where there is none.
        body: the bytes, at most `Request.largest`.
        bounded: whether HTTP itself told where the body ends.
    """

    content_type: str
    body: bytearray
    bounded: bool


@dataclass(frozen=True)
class Server:
    """How a server is reached. It is picklable; connections are kept per process.

    Args:
        url: address without credentials; requests go below it.
        timeout_s: seconds for a connection, and for each wait for bytes.
        patience_s: seconds after which a server that does not answer is given up.
        credentials: environment variable that holds "user:password" (whatever has a colon) or a bearer token.
        probe: a request that a server in health answers.

    Raises:
        ConfigError: the address or the credentials cannot be used.
    """

    url: str
    timeout_s: float
    patience_s: float
    credentials: str | None = field(repr=False)
    probe: Request = field(repr=False)

    def __post_init__(self) -> None:
        _check_address(self.url)
        if self.timeout_s <= 0 or self.patience_s < 0:
            raise ConfigError("PACS: the time-out must be above 0 seconds, the patience not below")

    def get(self, request: Request, parse: Callable[[Answer], _Parsed]) -> _Parsed:
        """What `parse` makes of the answer to a request, after as many attempts as it takes.

        Args:
            request: what is asked for.
            parse: may raise Transient, as for an answer that is cut short: then it is asked for again.

        Raises:
            Refused: "missing", "not-fetched" or "too-large": this resource cannot be had, while the server is well.
            DataError: the server does not answer, refuses the credentials, or its certificate.
            ConfigError: the credentials are not there.
        """
        first_failure, pause = 0.0, _FIRST_PAUSE_S
        while True:
            try:
                return self._attempt(request, parse)
            except Transient as failure:
                first_failure = first_failure or time.monotonic()
                self._give_up(failure, time.monotonic() - first_failure)
            time.sleep(min(pause, self.patience_s) * random.SystemRandom().uniform(0.5, 1.0))
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _give_up(self, failure: Transient, waited: float) -> None:
        """Return where another attempt is worth while.

        A file that a PACS cannot read from its own disk fails for ever: it must not stop all the others. So when the
        server still gives what it gave before, the fault is taken to be this resource's.
        """
        if waited >= self.patience_s * _SHARE_OF_ONE and self._probe() not in (0, *_LATER, *_FAULTS):
            raise Refused("not-fetched", str(failure)) from None
        if waited >= self.patience_s:
            raise DataError(
                f"the PACS at {self.url} does not answer since {waited:.0f} s ({failure}); the same command goes on from here"
            ) from None

    def _attempt(self, request: Request, parse: Callable[[Answer], _Parsed]) -> _Parsed:
        """One attempt, a second one in it for each further media type."""
        for accept in request.accept:
            try:
                parsed = parse(self._receive(request, accept))
            except _Status as answered:
                status = answered.status
                if status not in _OTHER_MEDIA_TYPE:
                    break
            else:
                connection(self, os.getpid()).worked = dataclasses.replace(request, accept=(accept,))
                return parsed
        raise self._verdict(status)

    def _verdict(self, status: int) -> Exception:
        if status in _LATER or status in _FAULTS:
            return Transient(f"HTTP {status}")
        if status in _GONE:
            return Refused("missing", f"HTTP {status}")
        if status in _UNAUTHORISED and self._probe() in (0, *_UNAUTHORISED):
            how = "the credentials" if self.credentials else "a request without credentials"
            return DataError(f"the PACS at {self.url} refused {how} (HTTP {status})")
        if status < HTTPStatus.BAD_REQUEST:
            return DataError(f"the PACS at {self.url} answers with HTTP {status}; if its address has changed, give the new one")
        return Refused("not-fetched", f"HTTP {status}")

    def _receive(self, request: Request, accept: str) -> Answer:
        with self._open(request, accept) as response:
            if response.status_code not in (HTTPStatus.OK, HTTPStatus.NO_CONTENT):
                raise _Status(response.status_code)
            length = response.headers.get("Content-Length", "")
            declared = int(length) if length.isdecimal() else None
            body = _read(response, request.largest, declared)
            chunked = "chunked" in response.headers.get("Transfer-Encoding", "").lower()
            return Answer(response.headers.get("Content-Type", ""), body, declared is not None or chunked)

    def _probe(self) -> int:
        """The status with which the server answers what it last gave; 0 where it does not answer."""
        request = connection(self, os.getpid()).worked
        try:
            with self._open(request, request.accept[0]) as response:
                return response.status_code
        except Transient:
            return 0

    @contextmanager
    def _open(self, request: Request, accept: str) -> Iterator[requests.Response]:
        """A response whose body is still to be read. What goes wrong, also in the reading, is worded without the path."""
        session = connection(self, os.getpid()).session
        headers = {"Accept": accept, "Accept-Encoding": "identity"}
        try:
            with session.get(
                self.url.rstrip("/") + request.path,
                params=request.query,
                headers=headers,
                timeout=self.timeout_s,
                stream=True,
                allow_redirects=False,  # UIDs and credentials go to no other server than the one that was named
            ) as response:
                yield response
        except requests.Timeout:
            raise Transient(f"no answer within {self.timeout_s:g} s") from None
        except _CUT as error:
            raise self._broken(str(error)) from None
        except requests.RequestException as error:
            raise DataError(f"the PACS at {self.url} cannot be asked ({type(error).__name__})") from None
        except OSError:  # what requests raises for a bundle of certificates that is not there
            raise ConfigError(f"the PACS at {self.url}: REQUESTS_CA_BUNDLE names no file of certificates") from None

    def _broken(self, text: str) -> Exception:
        if "CERTIFICATE_VERIFY_FAILED" in text:
            return DataError(
                f"the certificate of the PACS at {self.url} cannot be verified; "
                "let REQUESTS_CA_BUNDLE name the file with the hospital's certificates"
            )
        if "timed out" in text:
            return Transient(f"no answer within {self.timeout_s:g} s")
        return Transient("the connection is refused or cut")


@dataclass
class _Connection:
    """A session, and what the server last gave: when that fails too, the server is at fault."""

    session: requests.Session
    worked: Request


@lru_cache(maxsize=8)
def connection(server: Server, process: int) -> _Connection:
    """One per process, `process` being its id: two of them reading from one socket would get each other's answers."""
    # its lines quote the path of a request, and so UIDs
    logging.getLogger("urllib3.connectionpool").setLevel(logging.CRITICAL)
    session = requests.Session()
    session.auth = _Credentials(None if server.credentials is None else _authorization(server.credentials))
    return _Connection(session, server.probe)


class _Credentials(AuthBase):
    """Sets the header; being there at all, it keeps requests from looking for a .netrc."""

    def __init__(self, authorization: str | None) -> None:
        self._authorization = authorization

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._authorization is not None:
            request.headers["Authorization"] = self._authorization
        return request


def _authorization(variable: str) -> str:
    # the name is not quoted back: it may be the password itself, put there by mistake
    secret = os.environ.get(variable, "").strip() if re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", variable) else ""
    if not secret:
        raise ConfigError("PACS: the environment variable that the credentials name is not set")
    if ":" in secret:
        return "Basic " + base64.b64encode(secret.encode()).decode()
    if not re.fullmatch(_TEXT, secret):
        raise ConfigError("PACS: the bearer token has characters that a header cannot have")
    return f"Bearer {secret}"


def _check_address(url: str) -> None:
    if "@" in url:
        raise ConfigError(
            "PACS: the address holds a user or a password; put user:password into an environment variable "
            "and name that variable as the credentials"
        )
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid or not re.fullmatch(_TEXT, url) or "?" in url or "#" in url:
        raise ConfigError("PACS: the address must be as in https://pacs.example.org/dicom-web")


def _read(response: requests.Response, largest: int, declared: int | None) -> bytearray:
    """The body, found to be whole where its length is declared.

    Raises:
        Transient: it ends early.
        Refused: it is too large.
    """
    body = bytearray()
    if declared is not None and declared > largest:
        raise Refused("too-large", f"{declared} bytes")
    for chunk in response.iter_content(_CHUNK):
        body += chunk
        if len(body) > largest:
            raise Refused("too-large", f"more than {largest} bytes")
    if declared is not None and len(body) < declared and "Content-Encoding" not in response.headers:
        raise Transient("the answer is cut short")
    return body
