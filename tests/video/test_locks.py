"""The white lists, each proved to have an effect; and the self-test, proved to notice when one has none."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import av
import pytest

from nonlocal_core.errors import DecoderFault, VideoTooLarge
from nonlocal_core.video import bait, container, locks, probe_video, self_test
from nonlocal_core.video.info import DEFAULT_LIMITS


@pytest.fixture
def in_this_process(monkeypatch):
    """The self-test asks the locks here and not in the child, which a monkeypatch would not reach."""

    def call(task, path, limits, *, folder):
        assert task == "locks"
        with Path(path).open("rb") as file:
            yield from locks.open_locks(file, limits, folder=folder)

    monkeypatch.setattr(bait, "call", call)


def test_all_locks_hold_in_the_child():
    self_test()


@pytest.mark.usefixtures("in_this_process")
def test_all_locks_hold_here():
    self_test()


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("name", ["format_whitelist", "protocol_whitelist"])
def test_the_self_test_notices_a_misspelt_lock(monkeypatch, name):
    right = container.open_with

    def misspelt(file, formats, options):
        return right(file, {key.replace(name, name + "s"): value for key, value in formats.items()}, options)

    monkeypatch.setattr(container, "open_with", misspelt)
    with pytest.raises(DecoderFault, match=name):
        self_test()


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("name", ["codec_whitelist", "max_pixels"])
def test_the_self_test_notices_a_misspelt_lock_on_the_decoder(monkeypatch, name):
    monkeypatch.setattr(container, "decoder_locks", lambda _: {name + "s": "1"})
    monkeypatch.setitem(locks.TOO_STRICT, name + "s", "1")

    with pytest.raises(DecoderFault, match=f"{name}s has no effect"):
        self_test()


@pytest.mark.usefixtures("in_this_process")
def test_the_self_test_notices_a_loosened_white_list(monkeypatch):
    monkeypatch.setitem(container.FORMAT_LOCKS, "format_whitelist", "mov,matroska,avi,gif,concat")
    monkeypatch.setitem(container.FORMAT_LOCKS, "protocol_whitelist", "none,file")

    with pytest.raises(DecoderFault, match="all, format_whitelist, protocol_whitelist has no effect"):
        self_test()


@pytest.mark.usefixtures("in_this_process")
def test_the_self_test_notices_a_bait_that_catches_nothing(monkeypatch):
    monkeypatch.setattr(bait, "BAIT", b"ffconcat version 1.0\nfile elsewhere.gif\n")

    with pytest.raises(DecoderFault, match="bait"):
        self_test()


def test_the_self_test_notices_a_decoder_that_does_not_work(monkeypatch):
    monkeypatch.setattr(bait, "PICTURE", b"GIF89a")

    with pytest.raises(DecoderFault, match="harmless picture"):
        self_test()


NUMBERS = ("enable_drefs", "max_streams", "probesize", "analyzeduration")


@pytest.mark.parametrize("name", NUMBERS)
def test_ffmpeg_knows_the_option(numbered, name):
    """PyAV says nothing of an unknown option, but FFmpeg refuses a known one with a value that is no number."""
    film = numbered.read_bytes()

    assert name in container.FORMAT_LOCKS
    container.open_with(io.BytesIO(film), {name + "x": "nonsense"}, {}).close()
    with pytest.raises(av.FFmpegError):
        container.open_with(io.BytesIO(film), {name: "nonsense"}, {})


def test_each_option_of_the_container_has_a_test():
    assert set(container.FORMAT_LOCKS) == {*NUMBERS, "format_whitelist", "protocol_whitelist", "codec_whitelist"}


@pytest.mark.parametrize("lock", [{"codec_whitelist": "vp9"}, {"max_pixels": "100"}], ids=str)
def test_the_lock_on_the_decoder_holds_by_itself(numbered, lock):
    with av.open(str(numbered)) as opened:
        opened.streams.video[0].codec_context.options = lock
        with pytest.raises(av.FFmpegError):
            list(opened.decode(video=0))


def test_the_film_s_decoder_has_its_locks(numbered):
    with numbered.open("rb") as file, container.open_container(file, DEFAULT_LIMITS) as opened:
        decoder = container.video_stream(opened, DEFAULT_LIMITS).codec_context

        assert decoder.options == container.decoder_locks(DEFAULT_LIMITS)


def test_every_name_of_the_white_list_is_a_decoder_of_this_build():
    assert [av.Codec(name, "r").name for name in container.CODECS] == list(container.CODECS)


def test_too_many_streams_are_refused(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as film:
        streams = [film.add_stream("mpeg4", rate=25) for _ in range(17)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for stream in streams:
            film.mux([*stream.encode(av.VideoFrame(32, 32, "yuv420p")), *stream.encode(None)])

    with pytest.raises(VideoTooLarge, match="streams"):
        probe_video(tmp_path / "a.mp4")


def test_the_parent_never_loads_ffmpeg():
    root = str(Path(__file__).resolve().parents[2])
    lines = "import sys; import nonlocal_core.video as v; v.self_test(); print({'av', 'torch'} & set(sys.modules))"
    output = subprocess.run([sys.executable, "-c", lines], cwd=root, capture_output=True, text=True, check=True)

    assert output.stdout.strip() == "set()"
    assert output.stderr == ""
