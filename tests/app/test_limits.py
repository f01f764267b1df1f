"""Limits of a small server: size while streaming, and the queue."""

import pytest

from tests.server import LensServer

API = "/api/v1/clips"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    data = tmp_path_factory.mktemp("small") / "data"
    server = LensServer(data, samples="false", upload_limit_bytes="300000", queue_limit="2", ttl_s="3600").start()
    yield server
    server.stop()


def test_a_body_over_the_limit_is_refused_and_never_written(small):
    on_disk = []

    def endless():
        for _ in range(200):
            yield b"x" * 100_000
            on_disk.append(sum(path.stat().st_size for path in (small.data / "uploads").iterdir()))

    response = small.http.post(API, content=endless())

    assert response.status_code == 413
    assert "limit of 300000 bytes" in response.json()["error"]["message"]
    assert max(on_disk) <= 300_000
    assert not list((small.data / "uploads").iterdir())


def test_a_form_over_the_limit_is_refused_by_its_length(small):
    response = small.http.post("/upload", files={"file": ("a.mp4", b"x" * 500_000)}, headers={"Accept": "text/html"})

    assert response.status_code == 413
    assert "limit of 300000 bytes" in response.text


def test_clips_carry_the_end_of_their_time_to_live(small):
    clip = small.http.post(API, content=b"short lived").json()

    assert clip["expires_at"] > clip["created_at"]
    small.finish(clip["id"])


def test_a_full_queue_answers_429_with_retry_after(small, sample):
    video = sample.read_bytes()  # seconds of work each, padded to be different clips

    responses = [small.http.post(API, content=video + bytes(n)) for n in range(4)]

    assert [response.status_code for response in responses] == [202, 202, 429, 429]
    assert int(responses[-1].headers["retry-after"]) > 0


def test_a_refusal_is_read_by_a_client_that_sends_first_and_listens_later(small):
    for _ in range(5):  # closed on unread bytes, it would be reset instead
        response = small.http.post(f"{API}?model=i4d", content=b"x" * 290_000)
        assert response.status_code == 404
