"""Fetching from a server that breaks off, lies and changes its mind; and from a file, without any."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import json
import os
import threading
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from nonlocal_core.errors import FetchFailed, UnreadableCheckpoint
from nonlocal_core.zoo import fetch as fetching
from nonlocal_core.zoo.cards import CARDS, card_of
from nonlocal_core.zoo.checkpoint import Checkpoint, Header
from nonlocal_core.zoo.download import Patience
from nonlocal_core.zoo.fetch import Record, fetch_model
from nonlocal_core.zoo.published import PUBLISHED

BYTES = bytes(range(256)) * 4096  # 1 MiB: more than the socket's buffers hold back
HALF = len(BYTES) // 2
SHA256 = hashlib.sha256(BYTES).hexdigest()
NO_DIGEST = PUBLISHED["psf-i3d-nl5-8x8"]
NAMED = PUBLISHED["mm-i3d-nl5-dot"].model_copy(update={"digest": f"sha256:{SHA256[:8]}"})


@dataclass
class Origin:
    """What the server does next. `script` is used up line by line, then it behaves."""

    content: bytes = BYTES
    etag: str | None = '"one"'
    script: list[str] = field(default_factory=list)  # "503", "404", "half", "dead", "wide", "whole"
    asked: list[tuple[str, str | None]] = field(default_factory=list)  # path, Range
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        origin: Origin = self.server.origin
        wanted = self.headers.get("Range")
        origin.asked.append((self.path, wanted))
        deed = origin.script.pop(0) if origin.script else ""
        if deed.isdecimal():
            self.send_error(int(deed))
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        if deed == "whole" or self.headers.get("If-Range") != origin.etag:
            start = 0
        size = len(origin.content)
        if start and start >= size:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        rest = origin.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        if origin.etag:
            self.send_header("ETag", origin.etag)
        self.send_header("Content-Length", str(len(rest) + (100 if deed == "wide" else 0)))
        self.end_headers()
        self.wfile.write({"half": rest[: len(rest) // 2], "dead": b""}.get(deed, rest))
        self.close_connection = True

    def log_message(self, *_args):
        pass


@pytest.fixture
def origin():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.origin = Origin(url=f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.origin
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def fetch(origin, tmp_path, monkeypatch):
    """fetch_model through the server as a mirror; what it converts is the bytes, so that any file will do."""
    converted = []

    def convert(path, *, published_as):
        assert published_as.count(".") == 1  # the published name, whatever the file is called here
        converted.append(path.read_bytes())
        return Checkpoint(Header(CARDS["default"].spec, ("a",), {"source": "the test"}), {})

    monkeypatch.setattr(fetching, "convert_file", convert)

    def fetch(card=NO_DIGEST, mirror=origin.url, **options):
        record = fetch_model(card, tmp_path, mirror=mirror, patience=Patience(3, 0.01, 5), **options)
        return converted.pop(), record

    return fetch


def originals(tmp_path):
    return sorted(path.name for path in (tmp_path / "originals").iterdir())


def test_a_file_arrives_is_remembered_and_found_by_its_name(fetch, origin, tmp_path):
    seen = []

    content, record = fetch(progress=lambda got, total: seen.append((got, total)))

    assert content == BYTES
    assert origin.asked == [("/pyslowfast/model_zoo/kinetics400/I3D_NLN_8x8_R50.pkl", None)]
    assert (record.sha256, record.bytes, record.trust) == (SHA256, len(BYTES), "first use")
    assert record.url == origin.url + origin.asked[0][0]
    assert seen[-1] == (len(BYTES), len(BYTES))
    assert originals(tmp_path) == ["psf-i3d-nl5-8x8.json", "psf-i3d-nl5-8x8.pkl"]
    assert card_of("psf-i3d-nl5-8x8", tmp_path).claimed_top1 == 74.0


def test_a_fetched_file_is_not_loaded_twice(fetch, origin):
    _, first = fetch()

    content, second = fetch()

    assert content == BYTES
    assert second == first
    assert len(origin.asked) == 1


def test_it_goes_on_where_it_broke_off(fetch, origin):
    origin.script = ["half"]

    content, _ = fetch()

    assert content == BYTES
    assert [wanted for _, wanted in origin.asked] == [None, f"bytes={HALF}-"]


def test_another_run_goes_on_where_the_last_gave_up(fetch, origin, tmp_path):
    origin.script = ["half", "dead", "503"]
    with pytest.raises(FetchFailed, match=f"503 .*{HALF} bytes are kept, run it again"):
        fetch()
    assert (tmp_path / "originals" / "psf-i3d-nl5-8x8.part").stat().st_size == HALF

    content, _ = fetch()

    assert content == BYTES
    assert origin.asked[-1][1] == f"bytes={HALF}-"


def test_a_server_that_ignores_ranges_is_read_from_the_start(fetch, origin):
    origin.script = ["half", "whole"]

    assert fetch()[0] == BYTES


def test_a_file_that_changed_meanwhile_is_not_mixed_with_the_old_one(fetch, origin):
    origin.script = ["half", "dead", "dead"]
    with pytest.raises(FetchFailed):
        fetch()
    origin.content, origin.etag = BYTES[::-1], '"two"'

    assert fetch()[0] == BYTES[::-1]


def test_a_part_without_a_validator_is_not_continued(fetch, origin):
    origin.etag, origin.script = None, ["half"]

    assert fetch()[0] == BYTES
    assert origin.asked[-1][1] is None


def test_a_part_that_was_whole_already_is_taken_as_it_is(fetch, origin, tmp_path):
    folder = tmp_path / "originals"
    folder.mkdir()
    (folder / "psf-i3d-nl5-8x8.part").write_bytes(BYTES)
    (folder / "psf-i3d-nl5-8x8.part.json").write_text(json.dumps({"validator": origin.etag}))

    assert fetch()[0] == BYTES


def test_a_server_that_promises_more_than_it_has_is_not_believed(fetch, origin, tmp_path):
    origin.script = ["wide"] * 9
    origin.etag = None

    with pytest.raises(FetchFailed, match=f"broke off after {len(BYTES)} of {len(BYTES) + 100} bytes"):
        fetch()
    assert not (tmp_path / "psf-i3d-nl5-8x8.safetensors").exists()


@pytest.mark.parametrize("error", ["500", "503", "429"])
def test_a_server_that_fails_and_recovers_is_borne(fetch, origin, error):
    origin.script = [error, error]

    assert fetch()[0] == BYTES


def test_a_missing_file_is_said_at_once(fetch, origin):
    origin.script = ["404"]

    with pytest.raises(FetchFailed, match="the server answers 404 Not Found"):
        fetch()
    assert len(origin.asked) == 1


def test_no_server_at_all_is_said_in_words(fetch):
    with pytest.raises(FetchFailed, match="refused"):
        fetch(mirror="http://127.0.0.1:9")


def test_only_http_is_loaded(fetch):
    with pytest.raises(FetchFailed, match="only http and https"):
        fetch(mirror="file:///etc")


def test_wrong_bytes_are_refused_and_not_kept(fetch, origin, tmp_path):
    origin.content = BYTES[:-1] + b"?"
    with pytest.raises(FetchFailed, match=f"its sha256 is .*, its source says {SHA256[:8]}; not used"):
        fetch(NAMED)
    assert originals(tmp_path) == []

    origin.content = BYTES
    content, record = fetch(NAMED)
    assert content == BYTES
    assert record.trust == "digest named by the source"


def test_a_file_shorter_than_it_should_be_is_refused_by_its_digest(fetch, origin):
    origin.content = BYTES[:HALF]

    with pytest.raises(FetchFailed, match="not used"):
        fetch(NAMED)


def test_a_second_file_that_differs_from_the_first_is_refused(fetch, origin, tmp_path):
    fetch()
    (tmp_path / "originals" / "psf-i3d-nl5-8x8.pkl").unlink()
    origin.content = BYTES + b"more"

    with pytest.raises(FetchFailed, match=r"was fetched on .* to trust the new one"):
        fetch()

    record = tmp_path / "originals" / "psf-i3d-nl5-8x8.json"
    assert Record.model_validate_json(record.read_bytes()).sha256 == SHA256
    record.unlink()
    assert fetch()[0] == BYTES + b"more"


def test_from_a_file_nothing_is_loaded(fetch, origin, tmp_path):
    (tmp_path / "mine.pkl").write_bytes(BYTES)

    content, record = fetch(file=tmp_path / "mine.pkl")

    assert content == BYTES
    assert record.sha256 == SHA256
    assert record.url == (tmp_path / "mine.pkl").as_uri()
    assert origin.asked == []
    assert card_of("psf-i3d-nl5-8x8", tmp_path).name == "psf-i3d-nl5-8x8"


def test_a_wrong_file_is_refused_too(fetch, tmp_path):
    (tmp_path / "mine.pth").write_bytes(b"something else")

    with pytest.raises(FetchFailed, match="not used"):
        fetch(NAMED, file=tmp_path / "mine.pth")
    with pytest.raises(FetchFailed, match="there is no file"):
        fetch(NAMED, file=tmp_path / "nothing.pth")


def test_a_published_zip_is_unpacked_and_its_digest_is_that_of_the_parameters(fetch, origin):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("i3d.params", BYTES)
    origin.content = packed.getvalue()
    digest = f"sha1:{hashlib.sha1(BYTES).hexdigest()}"

    content, record = fetch(PUBLISHED["gluonmx-i3d-nl5"].model_copy(update={"digest": digest}))

    assert content == BYTES
    assert record.sha256 == SHA256


def test_a_zip_of_the_user_s_is_unpacked_beside_ours_and_stays(fetch, tmp_path):
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
        archive.writestr("i3d.params", BYTES)
    card = PUBLISHED["gluonmx-i3d-nl5"].model_copy(update={"digest": f"sha1:{hashlib.sha1(BYTES).hexdigest()}"})

    assert fetch(card, file=tmp_path / "mine.zip")[0] == BYTES
    assert (tmp_path / "mine.zip").exists()
    assert originals(tmp_path) == ["gluonmx-i3d-nl5.json", "gluonmx-i3d-nl5.params"]


def test_a_damaged_zip_is_said_in_words_and_leaves_nothing(fetch, origin, tmp_path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("i3d.params", BYTES)
    origin.content = packed.getvalue().replace(BYTES[:300], bytes(300), 1)

    with pytest.raises(FetchFailed, match="is damaged: Bad CRC"):
        fetch(PUBLISHED["gluonmx-i3d-nl5"])
    assert originals(tmp_path) == []


def test_a_file_that_cannot_be_converted_is_neither_kept_nor_trusted(fetch, origin, tmp_path, monkeypatch):
    def refuse(_path, *, published_as):
        raise UnreadableCheckpoint(f"{published_as}: no container we know")

    with monkeypatch.context() as patch:
        patch.setattr(fetching, "convert_file", refuse)
        with pytest.raises(UnreadableCheckpoint):
            fetch()
    assert originals(tmp_path) == []

    origin.content = BYTES + b"more"
    assert fetch()[0] == BYTES + b"more"


def test_an_original_that_rotted_is_loaded_again(fetch, tmp_path):
    fetch()
    (tmp_path / "originals" / "psf-i3d-nl5-8x8.pkl").write_bytes(b"rot")
    with pytest.raises(FetchFailed, match="not used"):
        fetch()

    assert fetch()[0] == BYTES


def test_what_no_converter_reads_is_not_loaded(fetch, origin):
    with pytest.raises(FetchFailed, match="mm-tsm-nl-dot is only listed"):
        fetch(PUBLISHED["mm-tsm-nl-dot"])
    with pytest.raises(FetchFailed, match="has no download"):
        fetch(PUBLISHED["tusharn-i3d-nl5-32x2"])
    assert origin.asked == []


def test_two_fetches_into_one_folder_do_not_meet(fetch, tmp_path):
    (tmp_path / "originals").mkdir()
    other = os.open(tmp_path / "originals", os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    with pytest.raises(FetchFailed, match=r"another fetch into .* is running"):
        fetch()
    os.close(other)

    assert fetch()[0] == BYTES


def test_a_full_disk_is_said_in_words(fetch, monkeypatch):
    def full(*_args, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fetching, "download", full)
    with pytest.raises(FetchFailed, match="cannot be written: No space left"):
        fetch()
