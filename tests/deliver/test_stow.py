"""STOW-RS: what counts as stored, what is sent again, what is given up."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from cxr.deliver.encode import encode
from cxr.deliver.stow import StowDestination
from cxr.errors import ConfigError, DataError
from tests.deliver.certificates import write_certificates
from tests.serve.models import chest

REASON = "00081197"


class Pacs(HTTPServer):
    """Answers each request with the next answer, the last one for ever, and keeps what came."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes]] = []
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.scheme = "http"
        self.silence_s = 0.0
        super().__init__(("127.0.0.1", 0), _Handler)

    def encrypt(self, certificate: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.scheme = "https"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}/dicom-web"


class _Handler(BaseHTTPRequestHandler):
    server: Pacs
    cut = 0  # answers to come that end half-way

    def do_POST(self) -> None:
        assert self.path == "/dicom-web/studies"
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((dict(self.headers), body))
        time.sleep(self.server.silence_s)
        status, answer = self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0]
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        keep = len(answer)
        if _Handler.cut:
            _Handler.cut, keep = _Handler.cut - 1, keep // 2
        self.wfile.write(answer[:keep])

    def log_message(self, *_: object) -> None:
        """Nothing is shown."""


@pytest.fixture
def pacs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pacs]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Pacs()
    server.handle_error = lambda *_: None  # of connections that a test breaks
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def objects(deliver: Callable[..., Any]) -> list[Dataset]:
    return list(deliver([chest(0)], maps=["positive"]).objects)


def answer(stored: list[Dataset], failed: dict[str, int] | None = None) -> bytes:
    def item(uid: str, reason: int | None = None) -> dict[str, Any]:
        told = {"00081155": {"vr": "UI", "Value": [uid]}}
        return told if reason is None else {**told, REASON: {"vr": "US", "Value": [reason]}}

    sequences = {"00081199": [item(each.SOPInstanceUID) for each in stored]}
    if failed:
        sequences["00081198"] = [item(uid, reason) for uid, reason in failed.items()]
    return json.dumps({tag: {"vr": "SQ", "Value": items} for tag, items in sequences.items()}).encode()


def test_what_the_answer_names_is_stored_and_what_was_sent_are_the_objects(pacs, objects):
    pacs.answers = [(200, answer(objects))]
    receipts = StowDestination(pacs.url).send(objects)
    assert [(receipt.uid, receipt.problem) for receipt in receipts] == [(each.SOPInstanceUID, "") for each in objects]
    (headers, body), *more = pacs.requests
    assert not more
    boundary = headers["Content-Type"].partition("boundary=")[2].encode()
    parts = body.split(b"--" + boundary)
    assert (parts[0], parts[-1]) == (b"", b"--\r\n")
    for part, each in zip(parts[1:-1], objects, strict=True):
        head, _, content = part.partition(b"\r\n\r\n")
        assert head == b"\r\nContent-Type: application/dicom"
        assert content == encode(each) + b"\r\n"


@pytest.mark.parametrize("status", [202, 409])
def test_what_failed_has_its_reason_and_what_is_in_both_lists_has_failed(pacs, objects, status):
    first, second = objects[:2]
    pacs.answers = [(status, answer(objects, {first.SOPInstanceUID: 0x0122, second.SOPInstanceUID: 0xA700}))]
    problems = [receipt.problem for receipt in StowDestination(pacs.url).send(objects)]
    assert problems[0] == "it does not take objects of this kind (status 0x0122)"
    assert problems[1] == "it is out of resources (status 0xa700)"
    assert not any(problems[2:])


@pytest.mark.parametrize("body", [b"", b"{}", b"<html>Welcome</html>", b"[]", b'{"00081199": {"Value": ["x"]}}'])
def test_an_answer_that_does_not_name_an_object_does_not_make_it_stored(pacs, objects, body):
    pacs.answers = [(200, body)]
    receipts = StowDestination(pacs.url).send(objects)
    assert {receipt.problem for receipt in receipts} == {"the answer does not say that it is stored"}


@pytest.mark.parametrize("status", [503, 429, 500])
def test_a_busy_server_is_sent_everything_again(pacs, objects, status):
    pacs.answers = [(status, b""), (200, answer(objects))]
    assert not any(receipt.problem for receipt in StowDestination(pacs.url).send(objects))
    assert len(pacs.requests) == 2


def test_patience_with_a_server_that_stays_away_ends(pacs, objects):
    pacs.answers = [(503, b"")]
    with pytest.raises(DataError, match=r"takes nothing since 0 s \(HTTP 503\); what it acknowledged is there"):
        StowDestination(pacs.url, patience_s=0).send(objects)
    pacs.server_close()
    with pytest.raises(DataError, match="the connection is refused or cut"):
        StowDestination("http://127.0.0.1:9/dicom-web", patience_s=0).send(objects)


def test_credentials_come_from_the_environment_and_a_refusal_says_so(pacs, objects, monkeypatch):
    monkeypatch.setenv("PACS_TEST", "me:secret")
    pacs.answers = [(401, b"")]
    with pytest.raises(DataError, match=r"refused the credentials \(HTTP 401\)") as caught:
        StowDestination(pacs.url, "PACS_TEST").send(objects)
    assert pacs.requests[0][0]["Authorization"] == "Basic bWU6c2VjcmV0"
    assert "secret" not in str(caught.value)
    with pytest.raises(DataError, match="refused a request without credentials"):
        StowDestination(pacs.url).send(objects)


@pytest.mark.parametrize("status", [301, 404, 405, 413])
def test_a_server_that_takes_no_results_is_told_at_once(pacs, objects, status):
    pacs.answers = [(status, b"")]
    with pytest.raises(DataError, match=rf"does not take results \(HTTP {status}\)"):
        StowDestination(pacs.url).send(objects)
    assert len(pacs.requests) == 1


def test_a_server_that_falls_silent_is_given_up_in_time(pacs, objects):
    pacs.answers, pacs.silence_s = [(200, answer(objects))], 2
    begun = time.monotonic()
    with pytest.raises(DataError, match=r"takes nothing since 0 s \(no answer"):
        StowDestination(pacs.url, timeout_s=0.3, patience_s=0).send(objects)
    assert time.monotonic() - begun < 2


def test_an_answer_that_is_cut_is_no_receipt_and_the_same_objects_are_sent_again(pacs, objects, monkeypatch):
    whole = answer(objects)
    pacs.answers = [(200, whole), (200, whole)]
    monkeypatch.setattr(_Handler, "cut", 1)
    assert not any(receipt.problem for receipt in StowDestination(pacs.url).send(objects))
    assert len(pacs.requests) == 2


def test_a_server_with_a_certificate_of_the_hospitals_own_is_believed_only_with_that_authority(
    pacs, objects, tmp_path, monkeypatch
):
    authority, served = write_certificates(tmp_path)
    pacs.encrypt(served)
    pacs.answers = [(200, answer(objects))]
    with pytest.raises(DataError, match="cannot be verified; let REQUESTS_CA_BUNDLE name the file"):
        StowDestination(pacs.url).send(objects)
    assert pacs.requests == []
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    with pytest.raises(ConfigError, match="REQUESTS_CA_BUNDLE names no file"):
        StowDestination(pacs.url).send(objects)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
    assert not any(receipt.problem for receipt in StowDestination(pacs.url).send(objects))


def test_an_address_with_a_password_is_refused():
    with pytest.raises(ConfigError, match="the address holds a user or a password"):
        StowDestination("http://me:secret@127.0.0.1/dicom-web")
