from __future__ import annotations

import contextlib
import datetime
import ipaddress
import json
import logging
import pickle
import re
import ssl
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.errors import ConfigError, DataError
from cxr.ingest.outcome import Refused
from cxr.ingest.source import dicomweb, dicomweb_client
from cxr.ingest.source.dicomweb import DicomwebFiles
from cxr.ingest.source.dicomweb_client import Answer, Transient

FILE = bytes(128) + b"DICM" + bytes(range(256)) * 40
UID, NAME = "1.2.840.99", "1.2.840.99/1.2.840.99.1/1.2.840.99.1.1"
SECRET = "doctor:s3cr3t-pässword"


class Handler(BaseHTTPRequestHandler):
    """QIDO-RS and WADO-RS as far as needed; see `Pacs` for how it is made to misbehave."""

    protocol_version = "HTTP/1.1"
    server: Pacs

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.server.seen.append((self.path, dict(self.headers), self.client_address[1]))
        fault = self.server.fault(parts.path)
        with contextlib.suppress(ConnectionError):
            if fault is not None:
                fault(self)
            elif "/instances/" in parts.path:
                self.multipart(self.server.files.get(parts.path.rpartition("/")[2]))
            else:
                self.search(parts.path, {key: values[0] for key, values in parse_qs(parts.query).items()})

    def search(self, path: str, query: dict[str, str]) -> None:
        rows = self.server.rows(path)
        if "offset" not in self.server.ignored:
            rows = rows[int(query.get("offset", 0)) :]
        if "limit" not in self.server.ignored:
            rows = rows[: min(int(query.get("limit", 1000)), self.server.cap)]
        self.reply(200, json.dumps(rows).encode(), "application/dicom+json")

    def multipart(self, content: bytes | None) -> None:
        if content is None:
            self.reply(404, b"no such patient as Doe^Jane")
        else:
            self.reply(200, envelope(content), 'multipart/related; type="application/dicom"; boundary="b-1"')

    def reply(self, status: int, body: bytes, kind: str = "text/plain", *, cut: int = 0, length: bool = True) -> None:
        """`cut`: bytes at the end that are not sent; `length`: whether Content-Length is."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length" if length else "Connection", str(len(body)) if length else "close")
        self.end_headers()
        self.wfile.write(body[: len(body) - cut])
        self.wfile.flush()
        self.close_connection = cut > 0 or not length

    def log_message(self, format: str, *args: Any) -> None:
        pass


Fault = Callable[[Handler], None]


class Pacs(ThreadingHTTPServer):
    """An archive on 127.0.0.1, one series and one or more instances a study; its attributes may be changed as it runs."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.studies: dict[str, str] = {UID: "DX"}  # StudyInstanceUID -> Modality
        self.files: dict[str, bytes] = {f"{UID}.1.1": FILE}
        self.seen: list[tuple[str, dict[str, str], int]] = []
        self.once: list[tuple[str, Fault]] = []  # (pattern of a path, what happens to the first request of that path)
        self.always: list[tuple[str, Fault]] = []
        self.ignored: set[str] = set()
        self.cap = 1000
        self.modality_of_instances = True

    def handle_error(self, *_: Any) -> None:
        """A client that hangs up is no error."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/dicom-web"

    def fault(self, path: str) -> Fault | None:
        for number, (pattern, fault) in enumerate(self.once):
            if re.search(pattern, path):
                del self.once[number]
                return fault
        return next((fault for pattern, fault in self.always if re.search(pattern, path)), None)

    def rows(self, path: str) -> list[dict[str, Any]]:
        if path.endswith("/studies"):
            return [row(**{"0020000D": study, "00100010": "Doe^Jane"}) for study in self.studies]
        study = path.split("/")[-2]
        modality = {"00080060": self.studies.get(study, "")}
        if path.endswith("/series"):
            return [row(**{"0020000E": f"{study}.1"}, **modality)]
        shown = modality if self.modality_of_instances else {}
        uids = [uid for uid in self.files if uid.startswith(f"{study}.1.")]
        return [row(**{"0020000E": f"{study}.1", "00080018": uid}, **shown) for uid in uids]

    def fill(self, studies: int) -> list[str]:
        """That many studies of one instance; gives the names that a listing has."""
        self.studies = {f"1.9.{number}": "DX" for number in range(studies)}
        self.files = {f"{study}.1.1": FILE for study in self.studies}
        return [f"{study}/{study}.1/{study}.1.1" for study in self.studies]

    def requests(self, pattern: str) -> list[str]:
        return [path for path, _, _ in self.seen if re.search(pattern, path)]


def row(**values: str) -> dict[str, Any]:
    return {tag: {"vr": "UI", "Value": [value]} for tag, value in values.items()}


def envelope(content: bytes, boundary: bytes = b"b-1") -> bytes:
    return b"\r\n--" + boundary + b"\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--" + boundary + b"--\r\n"


def status(code: int) -> Fault:
    return lambda handler: handler.reply(code, b"Doe^Jane is not to be had")


def body(content: bytes, kind: str = "application/json", **how: Any) -> Fault:
    return lambda handler: handler.reply(200, content, kind, **how)


def hang_up(handler: Handler) -> None:
    handler.close_connection = True
    handler.connection.close()


@contextlib.contextmanager
def serving(pacs: Pacs) -> Iterator[Pacs]:
    thread = threading.Thread(target=pacs.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield pacs
    finally:
        pacs.shutdown()
        pacs.server_close()
        thread.join()


@pytest.fixture(autouse=True)
def _direct_and_brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(dicomweb_client, "_FIRST_PAUSE_S", 0.05)


@pytest.fixture
def pacs() -> Iterator[Pacs]:
    with serving(Pacs()) as server:
        yield server


def files_of(pacs: Pacs, **options: Any) -> DicomwebFiles:
    return DicomwebFiles(pacs.url, **{"timeout_s": 2, "patience_s": 5, **options})


def names(files: DicomwebFiles) -> list[str]:
    return [entry.name for entry in files.entries()]


# listing


def test_every_instance_is_listed_by_its_three_uids(pacs: Pacs) -> None:
    pacs.files[f"{UID}.1.2"] = FILE
    entries = list(files_of(pacs).entries())
    assert [entry.name for entry in entries] == [NAME, NAME[:-1] + "2"]
    assert {(entry.stamp, entry.code, entry.detail) for entry in entries} == {("uid", "", "")}


@pytest.mark.parametrize(("studies", "page", "cap"), [(7, 3, 1000), (6, 3, 1000), (7, 200, 2), (1, 1, 1000), (0, 3, 1000)])
def test_no_study_is_lost_or_doubled_by_paging_even_where_the_server_caps_a_page(
    pacs: Pacs, studies: int, page: int, cap: int
) -> None:
    expected, pacs.cap = pacs.fill(studies), cap
    assert names(files_of(pacs, page=page)) == expected


@pytest.mark.parametrize("ignored", [{"offset"}, {"offset", "limit"}])
def test_a_server_that_ignores_offset_gives_each_study_once_and_ends(pacs: Pacs, ignored: set[str]) -> None:
    expected, pacs.ignored = pacs.fill(7), ignored
    assert names(files_of(pacs, page=5 if "limit" in ignored else 200)) == expected


def test_a_server_that_ignores_offset_and_may_have_more_is_not_taken_as_whole(pacs: Pacs) -> None:
    pacs.fill(7)
    pacs.ignored = {"offset"}
    with pytest.raises(DataError, match="larger page"):
        names(files_of(pacs, page=3))


def test_a_study_with_more_instances_than_a_stubborn_server_gives_is_recorded_and_the_rest_goes_on(pacs: Pacs) -> None:
    expected = pacs.fill(2)
    pacs.files |= {f"1.9.0.1.{number}": FILE for number in range(2, 9)}
    pacs.ignored = {"offset"}
    entries = list(files_of(pacs, page=3).entries())
    assert [(entry.name, entry.code) for entry in entries] == [("1.9.0", "not-fetched"), (expected[1], "")]


def test_an_archive_that_grows_between_pages_gives_each_study_once(pacs: Pacs) -> None:
    expected = pacs.fill(9)
    found = []
    for number, entry in enumerate(files_of(pacs, page=3).entries()):
        found.append(entry.name)
        if number in (0, 1, 2, 5):  # a whole page of new ones goes before the others
            pacs.studies = {f"1.8.{number}": "DX", **pacs.studies}
            pacs.files[f"1.8.{number}.1.1"] = FILE
    assert len(found) == len(set(found))
    assert set(expected) <= set(found)


def test_the_filters_reach_the_server_with_the_studies_only(pacs: Pacs) -> None:
    names(files_of(pacs, query=(("ModalitiesInStudy", "DX"), ("StudyDate", "20200101-20201231"))))
    _, *searches = pacs.requests(r"/studies\?")  # the first only asks whether anybody is there
    assert searches
    assert all("ModalitiesInStudy=DX&StudyDate=20200101-20201231&limit=200" in path for path in searches)
    assert not any("StudyDate" in path for path in pacs.requests("/instances"))


@pytest.mark.parametrize("told_with_instances", [True, False])
def test_another_modality_is_skipped_without_download(pacs: Pacs, told_with_instances: bool) -> None:
    pacs.studies, pacs.modality_of_instances = {UID: "CT"}, told_with_instances
    (entry,) = files_of(pacs).entries()
    assert (entry.name, entry.code, entry.detail) == (NAME, "modality", "CT")
    assert bool(pacs.requests("/series")) == (not told_with_instances)
    assert not pacs.requests("/instances/")


@pytest.mark.parametrize("modality", ["CR", "DX", "dx", "OT", "RG", "DR", "", "Doe^Jane"])
def test_a_modality_that_may_be_a_radiograph_or_is_no_modality_is_left_to_the_reader(pacs: Pacs, modality: str) -> None:
    pacs.studies = {UID: modality}
    (entry,) = files_of(pacs).entries()
    assert (entry.code, entry.detail) == ("", "")


@pytest.mark.parametrize(
    ("fault", "code", "detail"),
    [
        (status(404), "missing", "HTTP 404"),
        (status(403), "not-fetched", "HTTP 403"),
        (status(500), "not-fetched", "HTTP 500"),
        (body(b"[]"), "missing", "a study without instances"),
        (body(b""), "missing", "a study without instances"),
    ],
)
def test_a_study_that_cannot_be_listed_is_an_entry_and_the_others_go_on(
    pacs: Pacs, fault: Fault, code: str, detail: str
) -> None:
    expected = pacs.fill(3)
    pacs.always = [("1.9.1/instances$", fault)]
    entries = {entry.name: entry for entry in files_of(pacs, patience_s=2).entries()}
    assert list(entries) == [expected[0], "1.9.1", expected[2]]
    assert (entries["1.9.1"].code, entries["1.9.1"].detail) == (code, detail)


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>Doe^Jane</html>",
        b'{"0020000D": 1}',
        b"[1]",
        b"\xff\xfe",
        b"[" * 100_000,
        json.dumps([row(**{"00100010": "Doe^Jane"})]).encode(),
        json.dumps([{"0020000D": "Doe^Jane"}]).encode(),
        json.dumps([row(**{"0020000D": "Doe^Jane"})]).encode(),
        json.dumps([row(**{"0020000D": ".."})]).encode(),
        json.dumps([row(**{"0020000D": "1.2/3"})]).encode(),
    ],
)
def test_a_malformed_listing_is_told_with_the_address_and_without_its_content(pacs: Pacs, answer: bytes) -> None:
    pacs.always = [("/studies$", body(answer))]
    with pytest.raises(DataError, match=re.escape(pacs.url)) as caught:
        names(files_of(pacs))
    assert "Doe" not in str(caught.value)


def test_an_address_that_is_no_dicomweb_service_is_told_at_once(pacs: Pacs) -> None:
    pacs.always = [(".", status(404))]
    with pytest.raises(DataError, match=r"HTTP 404.*address"):
        names(files_of(pacs))


# fetching


def test_a_file_comes_as_it_is_stored(pacs: Pacs) -> None:
    assert files_of(pacs).fetch(NAME) == FILE
    assert files_of(pacs).head(NAME, 10) == FILE
    path, headers, _ = pacs.seen[0]
    assert path == f"/dicom-web/studies/{UID}/series/{UID}.1/instances/{UID}.1.1"
    assert headers["Accept"] == 'multipart/related; type="application/dicom"; transfer-syntax=*'


@pytest.mark.parametrize("refusal", [400, 406])
def test_a_server_without_the_transfer_syntax_parameter_is_asked_without(pacs: Pacs, refusal: int) -> None:
    pacs.once = [("/instances/", status(refusal))]
    assert files_of(pacs).fetch(NAME) == FILE
    assert [headers["Accept"].count("transfer-syntax") for _, headers, _ in pacs.seen] == [1, 0]


def test_a_server_that_sends_the_file_bare_is_understood(pacs: Pacs) -> None:
    pacs.always = [("/instances/", body(FILE, "application/dicom"))]
    assert files_of(pacs).fetch(NAME) == FILE


@pytest.mark.parametrize(
    ("fault", "code", "detail"),
    [
        (status(404), "missing", "HTTP 404"),
        (status(410), "missing", "HTTP 410"),
        (status(409), "not-fetched", "HTTP 409"),
        (status(406), "not-fetched", "HTTP 406"),
        (status(403), "not-fetched", "HTTP 403"),
        (body(b"<html>Doe^Jane</html>", "text/html"), "not-fetched", "the answer is no DICOM file"),
        (
            body(envelope(FILE).replace(b"--b-1--", b"--b-1") + envelope(FILE)[2:], "multipart/related; boundary=b-1"),
            "not-fetched",
            "the answer has more than one file",
        ),
    ],
)
def test_a_file_that_is_refused_is_refused_at_once(pacs: Pacs, fault: Fault, code: str, detail: str) -> None:
    pacs.always = [("/instances/", fault)]
    begun = time.monotonic()
    with pytest.raises(Refused) as caught:
        files_of(pacs).fetch(NAME)
    assert (caught.value.code, caught.value.detail) == (code, detail)
    assert time.monotonic() - begun < 0.5


WHOLE = envelope(FILE)
MULTIPART = "multipart/related; boundary=b-1"


@pytest.mark.parametrize(
    "fault",
    [
        status(500),
        status(503),
        status(429),
        hang_up,
        body(WHOLE, MULTIPART, cut=1000),
        body(WHOLE, MULTIPART, cut=1),
        body(WHOLE[:-1000], MULTIPART, length=False),
        body(WHOLE[:-4], MULTIPART, length=False),  # "--b-1" without its last two hyphens
        body(WHOLE[:30], MULTIPART, length=False),
        body(b"", MULTIPART, length=False),
        body(FILE, "application/dicom", cut=1000),
    ],
)
def test_a_failure_or_a_truncated_answer_is_asked_for_again(pacs: Pacs, fault: Fault) -> None:
    pacs.once = [("/instances/", fault), ("/instances/", fault)]
    assert files_of(pacs).fetch(NAME) == FILE
    assert len(pacs.requests("/instances/")) == 3


def test_a_bare_file_of_unknown_length_is_not_taken_for_whole(pacs: Pacs) -> None:
    pacs.always = [("/instances/", body(FILE[:-1000], "application/dicom", length=False))]
    with pytest.raises(Refused):
        files_of(pacs).fetch(NAME)


def test_a_truncated_listing_is_asked_for_again(pacs: Pacs) -> None:
    pacs.once = [("/studies$", lambda handler: handler.reply(200, b"[" + b" " * 100 + b"]", "application/json", cut=50))]
    assert names(files_of(pacs)) == [NAME]


@pytest.mark.parametrize("in_body", [True, False])
def test_a_server_that_falls_silent_is_asked_again_after_the_time_out(pacs: Pacs, in_body: bool) -> None:
    released = threading.Event()

    def silence(handler: Handler) -> None:
        if in_body:
            handler.send_response(200)
            handler.send_header("Content-Length", "1000")
            handler.end_headers()
            handler.wfile.flush()
        released.wait(10)
        hang_up(handler)

    pacs.once = [("/instances/", silence)]
    begun = time.monotonic()
    assert files_of(pacs, timeout_s=0.3).fetch(NAME) == FILE
    assert 0.3 <= time.monotonic() - begun < 3
    released.set()


def test_one_file_that_is_never_sent_is_refused_even_where_patience_is_shorter_than_the_time_out(pacs: Pacs) -> None:
    first, second = pacs.fill(2)
    released = threading.Event()
    pacs.always = [("1.9.1.1.1$", lambda handler: released.wait(10) and hang_up(handler))]
    files = files_of(pacs, timeout_s=0.3, patience_s=0.2)
    assert files.fetch(first) == FILE
    with pytest.raises(Refused) as caught:
        files.fetch(second)
    released.set()
    assert (caught.value.code, caught.value.detail) == ("not-fetched", "no answer within 0.3 s")


def test_a_server_that_comes_back_is_gone_on_with() -> None:
    port = 0
    with serving(Pacs()) as pacs:
        files, port = files_of(pacs, patience_s=20), pacs.server_address[1]
        assert files.fetch(NAME) == FILE
        pacs.always = [(".", hang_up)]  # on the connection that is kept alive

    def come_back() -> None:
        time.sleep(0.6)
        with serving(Pacs(port)):
            done.wait(10)

    done = threading.Event()
    thread = threading.Thread(target=come_back)
    begun = time.monotonic()
    thread.start()
    try:
        assert files.fetch(NAME) == FILE
        assert time.monotonic() - begun > 0.5
    finally:
        done.set()
        thread.join()


def test_a_server_that_stays_away_ends_the_run_with_how_to_go_on_and_no_uid() -> None:
    gone = Pacs()
    gone.server_close()
    files = DicomwebFiles(gone.url, patience_s=0.6)
    for ask in (lambda: files.fetch(NAME), lambda: names(files)):
        with pytest.raises(DataError, match="the same command goes on from here") as caught:
            ask()
        shown = "".join(traceback.format_exception(caught.value))
        assert gone.url in str(caught.value)
        assert UID not in shown.replace(f'"{NAME}"', "")


def test_one_file_that_fails_for_ever_does_not_stop_the_others(pacs: Pacs) -> None:
    first, second = pacs.fill(2)
    pacs.always = [("1.9.1.1.1$", status(500))]
    files = files_of(pacs, patience_s=5)
    assert files.fetch(first) == FILE
    begun = time.monotonic()
    with pytest.raises(Refused) as caught:
        files.fetch(second)
    assert (caught.value.code, caught.value.detail) == ("not-fetched", "HTTP 500")
    assert 0.5 <= time.monotonic() - begun < 2.5


def test_a_pacs_that_lists_but_lost_its_storage_is_not_a_hundred_refused_files(pacs: Pacs) -> None:
    first, second = pacs.fill(2)
    files = files_of(pacs, patience_s=1)
    assert files.fetch(first) == FILE
    pacs.always = [("/instances/", status(500))]
    with pytest.raises(DataError, match="HTTP 500"):
        files.fetch(second)


def test_a_file_of_a_length_beyond_any_is_refused_unread(pacs: Pacs) -> None:
    def promise(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(2**40))
        handler.end_headers()
        handler.wfile.flush()
        time.sleep(1)

    pacs.always = [("/instances/", promise)]
    with pytest.raises(Refused) as caught:
        files_of(pacs, timeout_s=0.5).fetch(NAME)
    assert (caught.value.code, caught.value.detail) == ("too-large", f"{2**40} bytes")


def test_a_file_that_does_not_end_is_refused_while_it_comes(pacs: Pacs, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = 0

    def pour(handler: Handler) -> None:
        nonlocal sent
        handler.reply(200, b"\r\n--b-1\r\n\r\n", MULTIPART, length=False)
        for _ in range(500):
            handler.wfile.write(bytes(2**18))
            sent += 2**18

    monkeypatch.setattr(dicomweb, "LARGEST_FILE", 1000)
    pacs.always = [("/instances/", pour)]
    with pytest.raises(Refused) as caught:
        files_of(pacs).fetch(NAME)
    assert caught.value.code == "too-large"
    assert sent < 2**25  # what the buffers of the sockets take


def test_a_file_just_over_the_bound_is_refused_and_one_at_it_is_not(pacs: Pacs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicomweb, "LARGEST_FILE", len(FILE))
    assert files_of(pacs).fetch(NAME) == FILE
    monkeypatch.setattr(dicomweb, "LARGEST_FILE", len(FILE) - 1)
    with pytest.raises(Refused, match="too-large"):
        files_of(pacs).fetch(NAME)


# credentials and addresses


def test_what_has_a_colon_is_sent_as_user_and_password_and_anything_else_as_a_token(
    pacs: Pacs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXR_BASIC", SECRET)
    monkeypatch.setenv("CXR_TOKEN", "abc.DEF-123")
    for variable in ("CXR_BASIC", "CXR_TOKEN", None):
        files_of(pacs, credentials=variable).fetch(NAME)
    assert [headers.get("Authorization") for _, headers, _ in pacs.seen] == [
        "Basic ZG9jdG9yOnMzY3IzdC1ww6Rzc3dvcmQ=",
        "Bearer abc.DEF-123",
        None,
    ]


def test_credentials_of_a_netrc_file_are_not_sent(pacs: Pacs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    files_of(pacs).fetch(NAME)
    assert "Authorization" not in pacs.seen[0][1]


@pytest.mark.parametrize("code", [401, 403])
def test_a_server_that_refuses_the_credentials_ends_the_run_at_once(
    pacs: Pacs, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setenv("CXR_BASIC", SECRET)
    pacs.always = [(".", status(code))]
    files = files_of(pacs, credentials="CXR_BASIC")
    for ask in (lambda: files.fetch(NAME), lambda: names(files)):
        with pytest.raises(DataError, match=f"refused the credentials .HTTP {code}.") as caught:
            ask()
        assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))


def test_nothing_that_is_shown_or_logged_holds_a_secret_or_a_uid(
    pacs: Pacs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CXR_BASIC", SECRET)
    caplog.set_level(logging.DEBUG)
    pacs.once = [("/instances/", hang_up)]
    files = files_of(pacs, credentials="CXR_BASIC", query=(("PatientID", "Doe-1234"),))
    assert names(files) == [NAME]
    assert files.fetch(NAME) == FILE
    shown = caplog.text + repr(files) + repr(files._server)
    assert not [secret for secret in ("s3cr3t", "ZG9jdG9y", UID, "Doe-1234", "CXR_BASIC") if secret in shown]


@pytest.mark.parametrize("value", [None, "", "  ", "tok en", "tok\nen"])
def test_credentials_that_cannot_be_used_are_told_without_them(
    pacs: Pacs, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is not None:
        monkeypatch.setenv("CXR_BASIC", value)
    with pytest.raises(ConfigError) as caught:
        files_of(pacs, credentials="CXR_BASIC").fetch(NAME)
    assert "tok" not in str(caught.value).replace("token", "")
    assert not pacs.seen


def test_a_secret_in_place_of_the_name_of_its_variable_is_not_shown(pacs: Pacs) -> None:
    files = files_of(pacs, credentials=SECRET)
    with pytest.raises(ConfigError, match="environment variable") as caught:
        files.fetch(NAME)
    assert "s3cr3t" not in str(caught.value) + repr(files)


@pytest.mark.parametrize(
    "url",
    [
        "http://doctor:s3cr3t@127.0.0.1/dicom-web", "http://doctor@127.0.0.1", "http://doctor:s3c/r3t@127.0.0.1",
        "ftp://127.0.0.1", "127.0.0.1:8042", "http://", "http://127.0.0.1:s3cr3t", "http://127.0.0.1/a?key=s3cr3t",
        "http://127.0.0.1/a#s3cr3t", "http://127.0.0.1/a b", "http://[::1", "",
    ],
)  # fmt: skip
def test_an_address_with_a_secret_or_of_another_kind_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        DicomwebFiles(url)
    shown = "".join(traceback.format_exception(caught.value)).replace(repr(url), "")
    assert "s3cr3t" not in str(caught.value)
    assert "s3c/r3t" not in shown
    assert ("environment variable" in str(caught.value)) == ("@" in url)


@pytest.mark.parametrize(
    "options", [{"page": 0}, {"query": (("limit", "3"),)}, {"query": (("Offset", "3"),)}, {"timeout_s": 0}, {"patience_s": -1}]
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        DicomwebFiles("http://127.0.0.1", **options)


def test_a_redirection_is_not_followed(pacs: Pacs) -> None:
    def elsewhere(handler: Handler) -> None:
        handler.send_response(302)
        handler.send_header("Location", f"{pacs.url}/elsewhere/instances/{UID}.1.1")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    pacs.once = [("/instances/", elsewhere)]
    with pytest.raises(DataError, match="HTTP 302"):
        files_of(pacs).fetch(NAME)
    assert not pacs.requests("elsewhere")


# processes


def test_it_is_picklable_while_connected(pacs: Pacs) -> None:
    files = files_of(pacs)
    files.fetch(NAME)
    again = pickle.loads(pickle.dumps(files))
    assert again == files
    assert again.fetch(NAME) == FILE


def test_a_connection_is_kept_and_not_shared_with_a_forked_process(pacs: Pacs, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        files_of(pacs).fetch(NAME)
    monkeypatch.setattr(dicomweb_client.os, "getpid", lambda: -1)
    files_of(pacs).fetch(NAME)
    first, second, forked = (port for _, _, port in pacs.seen)
    assert first == second != forked


# TLS


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Of 127.0.0.1, signed by itself, with its key."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path / "certificate.pem"
    path.write_bytes(private + built.public_bytes(serialization.Encoding.PEM))
    return path


def test_a_certificate_is_verified_and_a_hospital_may_name_its_own(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = Pacs()
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with serving(server):
        files = DicomwebFiles(server.url.replace("http:", "https:"), timeout_s=2, patience_s=5)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.with_name("no such file")))
        with pytest.raises(ConfigError, match="REQUESTS_CA_BUNDLE"):
            files.fetch(NAME)
        monkeypatch.delenv("REQUESTS_CA_BUNDLE")
        with pytest.raises(DataError, match="REQUESTS_CA_BUNDLE"):
            files.fetch(NAME)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        assert files.fetch(NAME) == FILE


# parsers

BOUNDARIES = st.text("abcXYZ0129'()+_,-./:=?", min_size=1, max_size=70)


@given(content=st.binary(max_size=300), boundary=BOUNDARIES, share=st.floats(0, 1, exclude_max=True))
def test_a_part_comes_out_as_it_went_in_and_no_beginning_of_it_is_taken_for_it(
    content: bytes, boundary: str, share: float
) -> None:
    kind = f'multipart/related; type="application/dicom"; boundary="{boundary}"'
    mark = b"--" + boundary.encode()
    if mark in content:
        return
    whole = envelope(content, boundary.encode())
    assert dicomweb._stored_file(Answer(kind, bytearray(whole), True)) == content
    needed = len(whole) - len(b"\r\n")
    with pytest.raises(Transient):
        dicomweb._stored_file(Answer(kind, bytearray(whole[: int(share * needed)]), True))


@given(kind=st.text(max_size=60), content=st.binary(max_size=100))
def test_any_answer_is_a_file_or_refused(kind: str, content: bytes) -> None:
    with contextlib.suppress(Refused, Transient):
        dicomweb._stored_file(Answer(f"multipart/{kind}", bytearray(content), True))


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["0020000D", "Value", "vr"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(answer=JSONS)
def test_any_json_gives_usable_uids_or_is_a_data_error(answer: Any) -> None:
    files = DicomwebFiles("http://127.0.0.1")
    with contextlib.suppress(DataError):
        for found in files._rows(Answer("application/json", bytearray(json.dumps(answer).encode()), True)):
            (uid,) = files._uids(found, ("0020000D",))
            assert "/" not in uid
            assert uid.strip(".")


def test_an_address_where_nobody_answers_is_told_long_before_patience_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cxr.ingest.source.dicomweb._FIRST_PATIENCE_S", 0.5)
    begun = time.monotonic()
    with pytest.raises(DataError, match="does not answer"):
        list(DicomwebFiles("http://127.0.0.1:9/dicom-web", patience_s=300).entries())
    assert time.monotonic() - begun < 20
