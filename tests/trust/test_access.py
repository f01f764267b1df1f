"""Who may ask: S9 (other sites' pages), S10 (hosts and the key), S15 (strangers see no ids); what one client may."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest

from app.access import local
from app.problems import TooManyUploads
from app.quotas import CLIENTS_KEPT, Turns, client_of
from app.security import Hosts, Key, host_in, is_foreign_write, names_of
from tests.server import ROOT, LensServer
from tests.trust.watched import family_of, listening

API = "/api/v1/clips"
KEY = "correct horse battery staple"
HOLDER = {"Authorization": f"Bearer {KEY}"}
BROWSER = {"Accept": "text/html"}


# S9: another site's page


@pytest.fixture
def harmed(little, little_id):
    """Whether a request changed something: asks for a cancel, which a done clip answers with 409."""

    def ask(**headers: str) -> bool:
        response = little.http.post(
            f"{API}/{little_id}/cancel", headers={k.replace("_", "-"): v for k, v in headers.items()}
        )
        assert response.status_code in (403, 409)
        return response.status_code == 409

    return ask


def test_s9_a_page_of_another_site_can_change_nothing(harmed):
    assert not harmed(sec_fetch_site="cross-site")
    assert not harmed(sec_fetch_site="same-site")  # another port of this machine
    assert not harmed(origin="http://evil.example")  # plain http between machines: no Sec-Fetch-Site
    assert not harmed(origin="null")
    assert not harmed(origin="http://127.0.0.1:1")


def test_s9_our_own_pages_and_programs_can(harmed, little):
    assert harmed(sec_fetch_site="same-origin", origin=little.url)
    assert harmed(origin=little.url)
    assert harmed(sec_fetch_site="none")
    assert harmed()


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", f"{API}?filename=a"), ("POST", "/upload"), ("DELETE", f"{API}/{{id}}"), ("POST", "/key")],
)
def test_s9_no_route_that_writes_is_forgotten(little, little_id, method, path):
    response = little.http.request(method, path.format(id=little_id), headers={"Origin": "http://evil.example"})

    assert response.status_code == 403
    assert response.json()["error"]["code"] == "ForeignPage"
    assert little.clip(little_id)["state"] == "done"


def test_s9_every_other_site_may_read_nothing_either(little):
    response = little.http.get(API, headers={"Origin": "http://evil.example"})

    assert not [name for name in response.headers if name.startswith("access-control")]


@pytest.mark.parametrize("kind", ["text/plain", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded", None])
@pytest.mark.parametrize("route", ["cuts", "films", "arrows"])
def test_s9_json_that_calls_itself_something_else_is_422(little, little_id, kind, route):
    headers = {"Content-Type": kind} if kind else {}
    response = little.http.post(f"{API}/{little_id}/{route}", content=b'{"queries": []}', headers=headers)

    assert response.status_code == 422
    assert "application/json" in response.json()["error"]["message"]


# S10: the host, the key


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:{port}", 200), ("localhost:{port}", 200), ("LOCALHOST", 200), ("[::1]:{port}", 200),
        ("lens.test", 200), ("evil.example", 400), ("127.0.0.1.evil.example", 400), ("10.0.0.1", 400),
        ("localhost.evil.example:{port}", 400),
        ("", 400), ("a b", 400), ("127.0.0.1@evil.example", 400), (socket.gethostname() + ".evil.example", 400),
    ],
)  # fmt: skip
def test_s10_a_host_that_is_not_ours_gets_400(little, host, status):
    for path in ("/", API, "/healthz", "/static/css/base.css", "/nowhere"):
        response = little.http.get(path, headers={"Host": host.format(port=little.port)})
        assert response.status_code == (404 if (status, path) == (200, "/nowhere") else status), path


def test_s10_two_hosts_in_one_request_are_none(little):
    with socket.create_connection(("127.0.0.1", little.port), timeout=5) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 400 ")


def test_s10_what_is_ours_depends_on_where_the_connection_arrived():
    hosts = Hosts(["lens.example", "*.lab.example"], names_of("gpubox"))

    assert hosts.go_by("192.0.2.7", "192.0.2.7")
    assert hosts.go_by("192.0.2.7", "::ffff:192.0.2.7")
    assert hosts.go_by("2001:db8::7", "2001:0db8:0::7")
    assert hosts.go_by("gpubox", "192.0.2.7")
    assert hosts.go_by("gpubox.local", "192.0.2.7")
    assert hosts.go_by("localhost", "172.17.0.2")  # a port that a container or a tunnel passes on
    assert hosts.go_by("a.b.lab.example", "127.0.0.1")
    assert not hosts.go_by("192.0.2.8", "192.0.2.7")
    assert not hosts.go_by("gpubox", "127.0.0.1")
    assert not hosts.go_by("lab.example", "192.0.2.7")
    assert not hosts.go_by("gpubox", None)
    assert Hosts(["*"], []).go_by("anything", None)


@pytest.mark.parametrize(
    ("header", "host"),
    [("A.b:80", "a.b"), ("a.b.", "a.b"), ("[::1]:8", "::1"), ("a:b", None), ("a/b", None), ("::1", None), ("é", None)],
)
def test_s10_a_host_is_read_strictly(header, host):
    assert host_in(header) == host


def test_s10_without_being_told_otherwise_it_listens_on_this_machine_only(little):
    table = Path(f"/proc/{little.process.pid}/net/tcp").read_text().splitlines()
    listening = [line.split()[1] for line in table if line.split()[3] == "0A"]

    assert f"0100007F:{little.port:04X}" in listening
    assert f"00000000:{little.port:04X}" not in listening


def test_s10_what_make_serve_starts_listens_on_this_machine_only_and_refuses_a_foreign_host(tmp_path, figure):
    server = LensServer(tmp_path / "data", samples="false")
    make = ["make", "--dry-run", "--no-print-directory", "serve", f"DATA={server.data}", f"PORT={server.port}"]
    told = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True)
    server.start(told.stdout.splitlines()[-1].split())  # what comes before it installs
    try:
        addresses = {address for pid in family_of(server.process.pid) for address in listening(pid)}
        foreign = server.http.get("/", headers={"Host": "evil.example"})
        figure(
            f"`make serve` listens on {', '.join(sorted(addresses))} alone; a foreign Host gets {foreign.status_code}"
        )
        assert addresses == {f"127.0.0.1:{server.port}"}
        assert foreign.status_code == 400
        assert foreign.json()["error"]["code"] == "ForeignHost"
    finally:
        assert server.stop() == 0


def test_s10_the_key_is_compared_in_constant_time(figure):
    """A comparison that ends at the first difference would tell a guesser how much of a guess is right."""
    key = Key("k" * 5_000_000)
    near, far = "k" * 4_999_999 + "x", "x" * 5_000_000

    def best_s(guess: str) -> float:
        taken = []
        for _ in range(15):
            began = time.perf_counter()
            assert not key.fits(guess)
            taken.append(time.perf_counter() - began)
        return min(taken)  # what others do on this machine only adds

    ratio = best_s(near) / best_s(far)

    figure(f"time of a nearly right key to a wrong one: {ratio:.2f}")
    assert 0.7 < ratio < 1.4


def test_s10_only_the_key_fits():
    key = Key(KEY)

    assert key.fits(KEY)
    assert not any(key.fits(guess) for guess in ("", KEY[:-1], KEY + "x", KEY.upper(), "ключ", key.cookie))
    assert key.opens({"authorization": f"bearer {KEY}"}, None)
    assert key.opens({"x-api-key": KEY}, None)
    assert key.opens({}, key.cookie)
    assert not key.opens({"authorization": f"Basic {KEY}"}, None)
    assert not key.opens({"authorization": "Bearer "}, None)
    assert not key.opens({}, "")
    assert not key.opens({}, KEY)
    assert not key.opens({}, Key(KEY + "x").cookie)


# S15: strangers, where a key is set


@pytest.fixture(scope="module")
def locked(start_little):
    """A server with a key, and as many clips and uploads for one client as tests need to meet the limit."""
    server = start_little(api_key=KEY, clips_per_client="3", hosts="[]")
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="module")
def locked_id(locked, film):
    response = locked.http.post(API, params={"filename": "a"}, content=film.read_bytes(), headers=HOLDER)
    clip_id = response.json()["id"]
    locked.wait_until(lambda: locked.http.get(f"{API}/{clip_id}", headers=HOLDER).json()["state"] == "done", "done")
    return clip_id


def test_s15_a_stranger_gets_the_same_answer_whatever_is_there(locked, locked_id):
    paths = [
        API, f"{API}/{locked_id}", f"{API}/{'0' * 24}", f"{API}/{locked_id}/frames.jpg", f"{API}/{locked_id}/events",
        "/version", "/metrics", "/api/v1/openapi.json", "/api/v1/models", "/nowhere", "//", "/static", "/key/..",
    ]  # fmt: skip
    answers = [locked.http.get(path) for path in paths]

    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].json()["error"]["code"] == "KeyNeeded"
    assert answers[0].headers["www-authenticate"] == "Bearer"
    assert answers[0].headers["content-security-policy"].startswith("default-src 'self'")


def test_s15_a_stranger_can_change_nothing(locked, locked_id, film):
    for method, path in (("POST", API), ("DELETE", f"{API}/{locked_id}"), ("POST", f"{API}/{locked_id}/again")):
        answer = locked.http.request(method, path, content=film.read_bytes() if path == API else None)
        assert answer.status_code == 401, path
    assert len(locked.http.get(API, headers=HOLDER).json()["clips"]) == 1


def test_s15_a_stranger_who_sends_much_reads_why_it_was_refused(locked):
    for _ in range(3):  # closed on unread bytes, the connection would be reset instead
        assert locked.http.post(API, content=b"x" * 3_000_000).status_code == 401


def test_s15_health_is_for_everybody_and_tells_nothing(locked):
    assert locked.http.get("/healthz").json() == {"status": "ok"}
    assert locked.http.get("/readyz").json() == {"status": "ready"}


@pytest.mark.parametrize("headers", [HOLDER, {"X-API-Key": KEY}])
def test_s15_who_has_the_key_sees_everything(locked, locked_id, headers):
    assert [clip["id"] for clip in locked.http.get(API, headers=headers).json()["clips"]] == [locked_id]


def test_s15_ids_are_96_random_bits(locked_id):
    assert re.fullmatch("[0-9a-f]{24}", locked_id)


def test_s15_a_404_has_one_body_for_deleted_never_made_and_malformed(little):
    made = little.http.post(API, params={"filename": "b"}, content=b"to be deleted").json()["id"]
    little.finish(made)
    assert little.http.delete(f"{API}/{made}").status_code == 204

    bodies = set()
    for clip_id in (made, "0" * 24, "nobody", "a%20b; --"):
        for path in ("", "/arrows?block=b&frame=0&x=0&y=0", "/frames.jpg", "/events", "/blocks", "/cuts/1", "/films/1"):
            response = little.http.get(f"{API}/{clip_id}{path}")
            assert response.status_code == 404, path
            bodies.add(response.text.replace(unquote(clip_id), "ID"))
    assert len(bodies) == 1


# the key in a browser


@pytest.fixture
def browser(locked):
    with httpx.Client(base_url=locked.url, headers=BROWSER) as client:
        yield client


def test_a_browser_is_asked_for_the_key_once_and_keeps_a_cookie_for_itself(browser, locked_id):
    asked = browser.get(f"/clips/{locked_id}?block=mixed_4b&k=5")
    assert asked.status_code == 401
    action = re.search('action="([^"]+)"', asked.text)[1].replace("&amp;", "&")

    wrong = browser.post(action, data={"key": "a guess"})
    assert wrong.status_code == 401
    assert "That is not the key" in wrong.text
    assert "set-cookie" not in wrong.headers
    right = browser.post(action, data={"key": f" {KEY} "})

    assert (right.status_code, right.headers["location"]) == (303, f"/clips/{locked_id}?block=mixed_4b&k=5")
    cookie = right.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert KEY not in cookie
    assert browser.get(right.headers["location"]).status_code == 200
    assert browser.get("/key", headers={"Accept": "application/json"}).json() == {"known": True}
    assert browser.get("/key?next=/clips").status_code == 303


def test_the_form_of_the_key_takes_no_megabytes(locked):
    assert locked.http.post("/key", content=b"key=" + b"x" * 2_000_000).status_code == 401


@pytest.mark.parametrize(
    "wanted", ["//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil", "", "x", "/\t/e"]
)
def test_after_the_key_nobody_is_sent_elsewhere(wanted):
    assert local(wanted) == "/"


@pytest.mark.parametrize("secret", ["", "short"])
def test_a_key_that_can_be_guessed_is_refused_at_the_start(secret, monkeypatch):
    from pydantic import ValidationError

    from app.settings import Settings

    monkeypatch.setenv("NONLOCAL_LENS_API_KEY", secret)
    with pytest.raises(ValidationError, match="16"):
        Settings()


def test_the_key_is_in_no_log_and_not_given_to_the_worker(locked, locked_id):
    from app.settings import Settings

    assert locked_id
    assert KEY not in (locked.data.parent / "data.log").read_text()
    assert KEY not in Settings(api_key=KEY).model_dump_json()


# what one client may


def test_a_client_has_no_more_clips_than_it_may(locked, locked_id):
    def send(content: bytes) -> httpx.Response:
        return locked.http.post(API, content=content, headers=HOLDER)

    assert locked_id
    made = [send(b"no video %d" % n) for n in range(2)]
    assert [response.status_code for response in made] == [202, 202]
    over = send(b"one more")
    assert (over.status_code, over.json()["error"]["code"]) == (429, "QuotaReached")

    assert locked.http.delete(f"{API}/{made[0].json()['id']}", headers=HOLDER).status_code == 204
    assert send(b"one more").status_code == 202


def test_uploads_of_a_client_are_counted_by_the_minute(start_little, film):
    server = start_little(uploads_per_minute="2")
    content = film.read_bytes()
    try:
        first = server.http.post(API, content=content)
        assert server.http.post(f"{API}/{first.json()['id']}/again?start_s=0.1").status_code in (200, 202)
        refused = server.http.post(API, content=content + b"x")
    finally:
        server.stop()

    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "TooManyUploads")
    assert 1 <= int(refused.headers["retry-after"]) <= 30


def test_turns_come_back_with_time_and_are_each_clients_own():
    now = [0.0]
    turns = Turns(3, lambda: now[0])

    def taken(client: str) -> bool:
        try:
            turns.take(client)
        except TooManyUploads:
            return False
        return True

    assert [taken("a") for _ in range(4)] == [True, True, True, False]
    assert taken("b")
    now[0] = 20.0
    assert [taken("a") for _ in range(2)] == [True, False]
    now[0] = 200.0
    assert [taken("a") for _ in range(4)] == [True, True, True, False]


def test_many_clients_cost_little_memory():
    turns = Turns(1, lambda: 0.0)
    for n in range(CLIENTS_KEPT + 5):
        turns.take(str(n))

    assert len(turns._free_at) == CLIENTS_KEPT


@pytest.mark.parametrize(
    ("address", "client"),
    [("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64")],
)
def test_a_client_of_ipv6_is_its_network(address, client):
    from fastapi import Request

    assert client_of(Request({"type": "http", "client": (address, 1)})) == client


def test_reading_is_never_a_foreign_write():
    foreign = {"sec-fetch-site": "cross-site", "origin": "http://evil.example", "host": "lens"}

    assert [is_foreign_write(method, foreign) for method in ("GET", "HEAD", "POST", "DELETE", "FOO")] == [
        False, False, True, True, True,
    ]  # fmt: skip
