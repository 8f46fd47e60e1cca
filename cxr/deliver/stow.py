"""A PACS that takes objects over DICOMweb: STOW-RS (PS3.18, 10.5). An object counts as stored only if the answer says so."""

from __future__ import annotations

import json
import os
import random
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import requests
from pydicom.dataset import Dataset
from urllib3.exceptions import HTTPError as CutShort  # what reading the rest of an answer raises

from cxr.deliver.encode import encode
from cxr.deliver.receipt import Receipt, failure_text
from cxr.errors import ConfigError, DataError
from cxr.ingest.source.dicomweb_client import Request, Server, connection

_REFERENCED, _FAILED = "00081199", "00081198"
_INSTANCE, _REASON = "00081155", "00081197"
_ANSWERED = (HTTPStatus.OK, HTTPStatus.ACCEPTED, HTTPStatus.CONFLICT)
"""Statuses whose body tells what became of each object: all, some and none stored."""
_LATER = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
_UNAUTHORISED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 10.0
_LARGEST_ANSWER = 2**24


class _Again(Exception):  # noqa: N818 (no error of the program: it is sent again)
    """Another attempt may do better; the text names no patient."""


@dataclass(frozen=True)
class StowDestination:
    """A DICOMweb service.

    Args:
        url: its address, as in https://pacs.example.org/dicom-web, without credentials.
        credentials: environment variable that holds "user:password" or a bearer token; None for none.
        timeout_s: seconds for a connection, and for each wait for bytes.
        patience_s: seconds after which a server that does not answer is given up.

    Raises:
        ConfigError: the address cannot be used.
    """

    url: str
    credentials: str | None = field(default=None, repr=False)
    timeout_s: float = 60
    patience_s: float = 120

    def __post_init__(self) -> None:
        _ = self._server

    @property
    def _server(self) -> Server:
        return Server(
            self.url, self.timeout_s, self.patience_s, self.credentials, Request("/studies", ("application/dicom+json",))
        )

    def send(self, objects: Sequence[Dataset]) -> tuple[Receipt, ...]:
        """See `cxr.deliver.receipt.Destination`. One request for all; sent again while the server is busy or away."""
        boundary = uuid.uuid4().hex
        body = _multipart([encode(each) for each in objects], boundary)
        found = _outcomes(self._post(body, boundary))
        missing = "the answer does not say that it is stored"
        return tuple(Receipt(uid, found.get(uid, missing)) for uid in (str(each.SOPInstanceUID) for each in objects))

    def _post(self, body: bytes, boundary: str) -> dict[str, Any]:
        begun, pause = time.monotonic(), _FIRST_PAUSE_S
        while True:
            try:
                return self._attempt(body, boundary)
            except _Again as failure:
                if time.monotonic() - begun >= self.patience_s:
                    raise DataError(
                        f"the PACS at {self.url} takes nothing since {self.patience_s:.0f} s ({failure}); "
                        "what it acknowledged is there, and the same command sends the rest"
                    ) from None
            time.sleep(min(pause, self.patience_s) * random.SystemRandom().uniform(0.5, 1.0))
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _attempt(self, body: bytes, boundary: str) -> dict[str, Any]:
        """One request, and its answer in DICOM JSON."""
        headers = {
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
            "Accept": "application/dicom+json",
        }
        session = connection(self._server, os.getpid()).session
        try:
            with session.post(
                f"{self.url.rstrip('/')}/studies",
                data=body,
                headers=headers,
                timeout=self.timeout_s,
                stream=True,
                allow_redirects=False,  # patients' data go to no other server than the one that was named
            ) as response:
                return self._read(response)
        except (requests.Timeout, requests.ConnectionError, CutShort) as error:
            raise self._broken(error) from None
        except requests.RequestException as error:
            raise DataError(f"the PACS at {self.url} cannot be asked ({type(error).__name__})") from None
        except OSError:  # what requests raises for a bundle of certificates that is not there
            raise ConfigError(f"the PACS at {self.url}: REQUESTS_CA_BUNDLE names no file of certificates") from None

    def _broken(self, error: Exception) -> Exception:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return DataError(
                f"the certificate of the PACS at {self.url} cannot be verified; "
                "let REQUESTS_CA_BUNDLE name the file with the hospital's certificates"
            )
        return _Again("no answer, or the connection is refused or cut")

    def _read(self, response: requests.Response) -> dict[str, Any]:
        status = response.status_code
        if status in _LATER or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise _Again(f"HTTP {status}")
        if status in _UNAUTHORISED:
            how = "the credentials" if self.credentials else "a request without credentials"
            raise DataError(f"the PACS at {self.url} refused {how} (HTTP {status})")
        if status not in _ANSWERED:
            raise DataError(
                f"the PACS at {self.url} does not take results (HTTP {status}); compare the address of the DICOMweb service, "
                "and whether it permits storing"
            )
        return _parsed(response.raw.read(_LARGEST_ANSWER, decode_content=True))


def _multipart(files: Sequence[bytes], boundary: str) -> bytes:
    """The body of a multipart/related request (RFC 2387), a part per file."""
    head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    return b"".join([*(head + file + b"\r\n" for file in files), f"--{boundary}--\r\n".encode()])


def _parsed(body: bytes) -> dict[str, Any]:
    """An answer in DICOM JSON; one that is nothing of the kind says nothing of any object."""
    try:
        answer = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return {}
    if isinstance(answer, list) and len(answer) == 1:  # some servers wrap it
        answer = answer[0]
    return answer if isinstance(answer, dict) else {}


def _outcomes(answer: dict[str, Any]) -> dict[str, str]:
    """By instance UID what is wrong; empty where it is stored. What is in both lists has failed."""
    stored = {_first(item, _INSTANCE): "" for item in _items(answer, _REFERENCED)}
    failed = {_first(item, _INSTANCE): _reason(item) for item in _items(answer, _FAILED)}
    return stored | failed


def _reason(item: dict[str, Any]) -> str:
    reason = _first(item, _REASON)
    return failure_text(int(reason)) if reason.isdecimal() else "no reason is given"


def _items(answer: dict[str, Any], tag: str) -> list[dict[str, Any]]:
    element = answer.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return [item for item in values if isinstance(item, dict)] if isinstance(values, list) else []


def _first(item: dict[str, Any], tag: str) -> str:
    element = item.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return str(values[0]) if isinstance(values, list) and values else ""
