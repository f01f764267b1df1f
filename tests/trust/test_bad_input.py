"""What people and programs may send besides a good video: bombs, names, numbers, nested texts, long headers."""

from __future__ import annotations

import socket
import struct
import time

import av
import numpy as np
import pytest

from tests.bombs import many_frames
from tests.trust.conftest import API
from tests.trust.films import write_seed
from tests.trust.little import BLOCK
from tests.trust.watched import MB, Watch, descriptors, files_below, private_mb

AS_JSON = {"Content-Type": "application/json"}  # else the body is refused unread
LIMIT = 1 << 30  # the child's address space


def claims_many(path):
    """A header that claims 268 million frames, in a few kB."""
    data = bytearray(write_seed(path.parent, "h264.mp4").read_bytes())
    for kind, at, numbers in ((b"stsz", 4, (1, 268_000_000)), (b"stts", 4, (1, 268_000_000, 512))):
        struct.pack_into(f">{len(numbers)}I", data, data.index(kind) + 4 + at, *numbers)
    struct.pack_into(">IIII", data, data.index(b"stsc") + 8, 1, 1, 268_000_000, 1)
    path.write_bytes(data)
    return path


def large_picture(path, codec, pix_fmt, size=(6000, 4000)):
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        frame = av.VideoFrame.from_ndarray(np.zeros((size[1], size[0], 3), np.uint8), "rgb24")
        out.mux([*stream.encode(frame.reformat(format=pix_fmt)), *stream.encode(None)])
    return path


@pytest.mark.usefixtures("little_id")
def test_s3_bombs_are_judged_soon_with_the_child_below_a_gigabyte_and_the_server_as_it_was(little, tmp_path, figure):
    bombs = {
        "268 million frames claimed": claims_many(tmp_path / "claims.mp4"),
        "50 000 full-HD frames": many_frames(tmp_path / "many.mkv", 50_000),
        "24 Mpx PNG": large_picture(tmp_path / "png.mov", "png", "rgb24"),
        "24 Mpx JPEG": large_picture(tmp_path / "jpeg.mov", "mjpeg", "yuvj420p"),
        "9.4 Mpx, 10 bits": large_picture(tmp_path / "wide.mkv", "libx264", "yuv420p10le", (4096, 2304)),
    }
    before = private_mb(little.process.pid)
    taken_s = {}

    with Watch(little.process.pid) as watch:
        for name, path in bombs.items():
            began = time.monotonic()
            answer = little.upload(path)
            assert answer.status_code == 202, (name, path.stat().st_size, answer.text)
            clip_id = answer.json()["id"]
            clip = little.finish(clip_id)
            taken_s[name] = time.monotonic() - began
            assert clip["state"] in ("done", "failed")
            assert clip["state"] == "done" or clip["error"]["code"] in ("UnreadableVideo", "VideoTooLarge")
            little.http.delete(f"{API}/{clip_id}")

    child = watch.peaks["child"]
    grown = private_mb(little.process.pid) - before
    slowest = max(taken_s, key=lambda name: taken_s[name])
    figure(
        f"slowest verdict {taken_s[slowest]:.1f} s ({slowest}); child at most {child['VmHWM'] / MB:.0f} MB resident, "
        f"{child['VmPeak'] / MB:.0f} MB of address space; web process {grown:+.1f} MB"
    )
    assert taken_s[slowest] < 2  # upload, queue and the poll of this test included
    assert 0 < child["VmPeak"] <= LIMIT
    assert grown < 10


NAMES = [
    "../../x", "..\\..\\x", "/etc/passwd", "a\0b.mp4", "n" * 4000, "\u202egpj.exe", "%2e%2e%2f", "CON", "nul.mp4", ".",
    "", " ", "\n\r\t", "<script>alert(1)</script>", "\U0001f600.mp4", "x';--", "{{7*7}}", "\x1b[31m",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name[:12]))
def test_s7_any_name_is_stored_under_an_id_of_ours_and_shown_cut_and_escaped(little, name):
    content = b"no video: " + ascii(name).encode()
    response = little.http.post(API, params={"filename": name}, content=content)
    clip = little.finish(response.json()["id"])
    page = little.http.get(f"/clips/{clip['id']}", headers={"Accept": "text/html"}).text

    try:
        assert [path.name for path in files_below(little.data / "clips" / clip["id"])] == ["video"]
        assert len(clip["filename"]) <= 200
        assert not any(sign < " " or sign in "\0\x1b\u202e" for sign in clip["filename"])
        assert clip["filename"]
        assert "<script>alert" not in page
        assert "49" not in clip["filename"]
    finally:
        little.http.delete(f"{API}/{clip['id']}")


def test_s7_a_form_names_files_no_better(little):
    names = [name for name in NAMES if name.isprintable() and name.strip()]
    for name in names:
        response = little.http.post("/upload", files={"file": (name, b"form: " + ascii(name).encode())})
        clip_id = response.headers["location"].rsplit("/", 1)[1]
        assert [path.name for path in files_below(little.data / "clips" / clip_id)][:1] == ["video"]
        little.http.delete(f"{API}/{clip_id}")
    assert not files_below(little.data / "uploads")


@pytest.mark.parametrize(
    "path", ["/", f"{API}/nobody", "/clips/nobody", "/nowhere", "/static/css/base.css", f"{API}?x=<script>", "/healthz"]
)
def test_s8_every_answer_says_its_type_and_what_may_run(little, path):
    headers = little.http.get(path).headers

    assert headers["content-security-policy"].startswith("default-src 'self'")
    assert "script-src" not in headers["content-security-policy"]  # so default-src holds: no inline script
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-type"].split(";")[0] in ("text/html", "application/json", "text/css")


def test_s8_errors_repeat_no_script(little, little_id):
    evil = "<script>alert(1)</script>"
    for path in (f"/clips/{evil}", f"/{evil}", f"/clips/{little_id}?block={evil}", f"/clips/{little_id}/again?{evil}"):
        for response in (
            little.http.get(path, headers={"Accept": "text/html"}),
            little.http.post(path, headers={"Accept": "text/html"}),
        ):
            assert evil not in response.text
            assert response.status_code < 500


@pytest.mark.parametrize("size", [200_000, 1_000_000])
def test_s12_a_header_that_is_too_long_is_refused(little, size):
    with socket.create_connection(("127.0.0.1", little.port), timeout=5) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: ")
        try:
            client.sendall(b"x" * size + b"\r\n\r\n")
            answer = client.recv(4096)
        except (ConnectionResetError, BrokenPipeError):
            answer = b"HTTP/1.1 400"  # closed before it was all sent: refused as well

    assert answer.split(b"\r\n")[0].split()[1] in (b"400", b"431")
    assert little.http.get("/healthz").status_code == 200


DEEP = 100_000
PLACE = f'"block": "{BLOCK}", "frame": 0, "x": 0.5, "y": 0.5'
VALUES = [
    "NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 5000, "-" + "9" * 5000, "1e5000", "null", '"\ud800"',
    "[" * DEEP, "[" * DEEP + "]" * DEEP, '{"a":' * DEEP, "true", "0.1e-5000", '"' + "9" * 5000 + '"', "[]", "{}",
]  # fmt: skip
FIELDS = ["frame", "x", "y", "to_frame", "to_x", "k", "mass", "near_cells", "near_frames", "when", "value"]
BODIES = [("arrows", "queries"), ("cuts", "keys"), ("cuts", "queries"), ("cuts", "block"), ("films", "query")]


def refused(response):
    assert 400 <= response.status_code < 500, response.text[:300]
    assert response.json()["error"]["code"]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value[:9])
def test_s14_no_json_makes_the_server_fail(little, little_id, value):
    for field in FIELDS:
        body = f'{{"queries": [{{{PLACE}, "{field}": {value}}}]}}'
        response = little.http.post(
            f"{API}/{little_id}/arrows", content=body.encode(errors="surrogatepass"), headers=AS_JSON
        )
        assert response.status_code < 500, (field, response.text[:300])
    for route, field in BODIES:
        for body in (value, f'{{"{field}": {value}}}', f'{{"block": "{BLOCK}", "{field}": {value}}}'):
            response = little.http.post(
                f"{API}/{little_id}/{route}", content=body.encode(errors="surrogatepass"), headers=AS_JSON
            )
            assert response.status_code < 500, (route, body[:80], response.text[:300])


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff\xfe", b"\0", b"{", b'{"queries": "' + b"x" * 400_000 + b'"}', b"\xed\xa0\x80", b'{"queries": []}'],
    ids=lambda body: repr(body[:9]),
)
def test_s14_no_bytes_in_the_place_of_json_make_the_server_fail(little, little_id, body):
    for route in ("arrows", "cuts", "films"):
        refused(little.http.post(f"{API}/{little_id}/{route}", content=body, headers=AS_JSON))


NUMBERS = ["nan", "inf", "-inf", "1e999", "-1", "9" * 5000, "-" + "9" * 5000, "1" + "0" * 400 + ".5", "", "%00", "0x10",
           "1_0", "%ED%A0%80", "٣", "1e-5000", "99999999999999999999"]  # fmt: skip
QUERIES = {
    "arrows": ["frame", "x", "y", "k", "mass", "near_cells", "near_frames", "to_x", "when"], "row": ["frame", "x"],
    "tour": ["count", "seed"], "predictions": ["k"], "figure.svg": ["width", "k", "q", "frames", "n"],
}  # fmt: skip


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number[:9])
def test_s14_no_number_in_an_address_makes_the_server_fail(little, little_id, number):
    for route, names in QUERIES.items():
        for name in names:
            given = {"block": BLOCK, "frame": "0", "x": "0.5", "y": "0.5"} if route in ("arrows", "row") else {}
            given |= {"block": BLOCK} if route == "tour" else {}
            query = "&".join(f"{key}={value}" for key, value in (given | {name: number}).items())
            response = little.http.get(f"{API}/{little_id}/{route}?{query}")
            assert response.status_code < 500, (route, name, response.text[:300])
    again = little.http.post(f"{API}/{little_id}/again?start_s={number}")
    assert again.status_code < 500
    if again.status_code == 202:
        little.http.delete(f"{API}/{again.json()['id']}")


@pytest.mark.parametrize("event", ["nan", "9" * 5000, "-1", "", "99999999999999999999"])
def test_s14_no_last_event_id_makes_the_server_fail(little, little_id, event):
    with little.http.stream("GET", f"{API}/{little_id}/events", headers={"Last-Event-ID": event}) as response:
        assert response.status_code < 500


@pytest.mark.usefixtures("little_id")
def test_refusals_leave_no_descriptor_and_no_file(little):
    """Last in this module: what all of the above left behind."""
    assert descriptors(little.process.pid) < 80
    assert not files_below(little.data / "uploads")
