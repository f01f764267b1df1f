"""Texts that make an unlocked FFmpeg open other files and addresses. A canary stands beside them: a file that is
watched by the kernel (inotify) and a TCP port that counts connections. First the canary is proved to sing."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
from pathlib import Path

import av
import numpy as np
import pytest

from nonlocal_core.errors import UnreadableVideo
from nonlocal_core.video import decode_frames, probe_video

IN_OPEN = 0x20
HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n"
KEY = HLS.replace("#EXTINF", '#EXT-X-KEY:METHOD=AES-128,URI="{}"\n#EXTINF')
MASTER = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{}\n"
CONCAT = "ffconcat version 1.0\nfile {}\n"
SDP = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {} RTP/AVP 96\na=rtpmap:96 H264/90000\n"
DASH = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1S" '
    'profiles="urn:mpeg:dash:profile:isoff-main:2011"><Period><AdaptationSet mimeType="video/mp4">'
    '<Representation id="1" bandwidth="1"><BaseURL>{}</BaseURL></Representation></AdaptationSet></Period></MPD>'
)


class Canary:
    """Files that must not be opened and a port that must not be called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.film = folder / "sibling.mp4"
        self.segment = folder / "segment.ts"
        for path, form in ((self.film, "mp4"), (self.segment, "mpegts")):
            with av.open(str(path), "w", format=form) as film:
                stream = film.add_stream("mpeg4", rate=25)
                stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
                film.mux([*stream.encode(av.VideoFrame(32, 32, "yuv420p")), *stream.encode(None)])
        self._port = socket.create_server(("127.0.0.1", 0))
        self._port.setblocking(False)
        self.url = f"http://127.0.0.1:{self._port.getsockname()[1]}/segment.ts"
        libc = ctypes.CDLL(None, use_errno=True)
        self._watch = libc.inotify_init1(os.O_NONBLOCK)
        for path in (self.film, self.segment):
            assert libc.inotify_add_watch(self._watch, os.fsencode(path), IN_OPEN) >= 0

    def sings(self) -> bool:
        """Whether a file was opened or the port called since the last time."""
        opened = called = False
        with contextlib.suppress(BlockingIOError):
            opened = bool(os.read(self._watch, 4096))
        with contextlib.suppress(BlockingIOError):
            self._port.accept()[0].close()
            called = True
        return opened or called

    def close(self) -> None:
        self._port.close()
        os.close(self._watch)


@pytest.fixture
def canary(tmp_path):
    canary = Canary(tmp_path)
    yield canary
    canary.close()


def playlists(canary):
    """Name -> text; "rooted" names are relative to /, where the child stands."""
    absolute = str(canary.segment)
    return {
        "hls absolute.m3u8": HLS.format(absolute),
        "hls relative.m3u8": HLS.format("segment.ts"),
        "hls rooted.m3u8": HLS.format(absolute[1:]),
        "hls file.m3u8": HLS.format(f"file://{absolute}"),
        "hls http.m3u8": HLS.format(canary.url),
        "hls master.m3u8": MASTER.format(canary.url + ".m3u8"),
        "hls key.m3u8": KEY.format(canary.url, "segment.ts"),
        "concat sibling.ffconcat": CONCAT.format("sibling.mp4"),
        "concat rooted.ffconcat": CONCAT.format(str(canary.film)[1:]),
        "concat absolute.ffconcat": CONCAT.format(canary.film),
        "concat http.ffconcat": CONCAT.format(canary.url),
        "concat protocol.ffconcat": CONCAT.format(f"concat:{canary.film}|{canary.film}"),
        "session.sdp": SDP.format(canary.url.split(":")[2].split("/")[0]),
        "dash.mpd": DASH.format(canary.url),
        "dash file.mpd": DASH.format(f"file://{canary.film}"),
    }


@pytest.mark.parametrize("renamed", ["{}", "{}.mp4", "{}.avi", "{}.gif"])
def test_every_playlist_is_refused_and_nothing_is_opened(canary, renamed):
    for name, text in playlists(canary).items():
        path = canary.folder / renamed.format(name)
        path.write_text(text)

        with pytest.raises(UnreadableVideo):
            probe_video(path)
        with pytest.raises(UnreadableVideo):
            decode_frames(path, np.array([0]), short_side=32)

        assert not canary.sings(), name


def test_playlists_hidden_in_a_real_film_are_not_followed(canary):
    """The same texts after a valid film's end, and as the name of the file."""
    film = canary.folder / "film.mp4"
    for name, text in playlists(canary).items():
        film.write_bytes(canary.film.read_bytes() + text.encode())
        assert canary.sings()  # this line's own reading
        assert probe_video(film).frames == 1
        assert not canary.sings(), name


@pytest.mark.parametrize("name", ["hls absolute.m3u8", "hls file.m3u8", "hls http.m3u8", "concat sibling.ffconcat"])
def test_the_canary_sings_for_an_unlocked_ffmpeg(canary, name):
    path = canary.folder / name
    path.write_text(playlists(canary)[name])
    assert not canary.sings()

    try:
        with path.open("rb") as file, av.open(file, timeout=1) as opened:
            next(opened.decode(video=0))
    except (av.FFmpegError, StopIteration):
        pass  # the port answers nothing

    assert canary.sings()
