"""Clients that behave badly, and whether others feel it: half-open, slow, gone in mid-upload, too many."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time

import httpx
import numpy as np

from benchmarks.load import open_loop
from tests.trust.conftest import API
from tests.trust.little import BLOCK
from tests.trust.watched import descriptors, files_below, until


def arrows_of(clip_id):
    return f"{API}/{clip_id}/arrows?block={BLOCK}&frame=0&x=0.5&y=0.5"


def clicks(server, clip_id, seconds=3.0):
    """p99 in milliseconds of 50 clicks a second, all 200."""
    load = asyncio.run(open_loop(server.port, [arrows_of(clip_id)], rate_hz=50, connections=10, seconds=seconds))
    assert load.failures == 0
    return load.percentile(99)


def log_of(server):
    return server.data.with_suffix(".log").read_text()


HEADS = [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"]


def test_s13_500_half_open_connections_are_closed_within_10_s_and_health_answers(little, figure):
    """Some of them drip a header a second, which is no way to stay either."""
    before = descriptors(little.process.pid)
    held = [socket.create_connection(("127.0.0.1", little.port)) for _ in range(500)]
    began = time.monotonic()
    for n, client in enumerate(held):
        client.sendall(HEADS[n % 3])
    health_ms = []
    while descriptors(little.process.pid) > before + 20 and time.monotonic() - began < 20:
        asked = time.monotonic()
        assert little.http.get("/healthz").status_code == 200
        health_ms.append(1000 * (time.monotonic() - asked))
        for client in held[2::15]:
            with contextlib.suppress(OSError):
                client.sendall(b"X: y\r\n")
        time.sleep(1)
    closed_s = time.monotonic() - began
    for client in held:
        client.close()

    figure(f"500 closed after {closed_s:.1f} s, health in at most {max(health_ms):.0f} ms")
    assert closed_s <= 10
    assert max(health_ms) < 500


def test_s13_a_connection_that_waits_longer_between_two_requests_than_within_one_is_served(little):
    with httpx.Client(base_url=little.url) as client:
        for _ in range(2):
            assert client.get("/healthz").status_code == 200
            time.sleep(3)


def test_f10_a_client_that_leaves_in_mid_upload_leaves_no_file_and_no_trace(little, figure):
    before = len(log_of(little))
    for sent in (0, 1, 300_000, 2_000_000):
        with socket.create_connection(("127.0.0.1", little.port)) as client:
            client.sendall(
                f"POST {API}?filename=a.mp4 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000000\r\n\r\n".encode()
            )
            client.sendall(b"x" * sent)
            time.sleep(0.1)
        with socket.create_connection(("127.0.0.1", little.port)) as client:  # and a form, which is spooled elsewhere
            head = "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 9000000\r\n\r\n"
            client.sendall(f"POST /upload HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}".encode())
            client.sendall(b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + b"x" * sent)
            time.sleep(0.1)

    seconds = until(lambda: not files_below(little.data / "uploads"), 5)
    said = log_of(little)[before:]
    figure(f"8 broken uploads: no file after {seconds:.2f} s, {len(said)} bytes in the log")
    assert "Traceback" not in said
    assert little.http.get("/healthz").status_code == 200


def test_f11_slow_readers_do_not_slow_others(little, little_id, figure):
    alone = clicks(little, little_id)
    slow = [socket.create_connection(("127.0.0.1", little.port)) for _ in range(50)]
    try:
        for n, client in enumerate(slow):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            path = f"{API}/{little_id}/frames.jpg" if n % 2 else "/static/js/lens.js"
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            client.recv(1)
        beside = clicks(little, little_id)
    finally:
        for client in slow:
            client.close()

    figure(f"p99 of clicks {beside:.1f} ms beside 50 slow readers, {alone:.1f} ms alone")
    assert beside < max(50, 3 * alone)


def test_l3_a_full_queue_answers_429_with_retry_after_in_50_ms(start_little, film, figure):
    server = start_little(queue_limit="1")
    try:
        video = film.read_bytes()
        took_ms, refused = [], 0
        with httpx.Client(base_url=server.url) as client:
            for n in range(200):
                began = time.monotonic()
                response = client.post(API, content=video + n.to_bytes(4, "little"))
                elapsed_ms = 1000 * (time.monotonic() - began)
                if response.status_code == 429:
                    refused += 1
                    took_ms.append(elapsed_ms)
                    assert int(response.headers["retry-after"]) > 0
                    assert response.json()["error"]["code"] == "QueueFull"
                else:
                    assert response.status_code == 202
    finally:
        server.stop()

    figure(f"{refused} refusals: median {np.median(took_ms):.1f} ms, p99 {np.percentile(took_ms, 99):.1f} ms")
    assert refused > 50
    assert np.percentile(took_ms, 95) < 50
