"""`make image-test`: build the image, start the compose stacks and use them, without a Docker daemon.

Debian's buildah and podman do it, as root; podman-compose (PyPI) reads compose.yaml. Base images cannot be fetched on
every machine, so where they are absent stand-ins are made of Debian's own packages, under the same
names; sizes are then those on a stand-in. Where tools are missing it says which, and ends with status 0.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "app" / "samples" / "two-cups.mp4"
NEEDS = {  # Debian's packages, and a file of each; without the last five podman starts and then fails
    "buildah": "/usr/bin/buildah",
    "podman": "/usr/bin/podman",
    "runc": "/usr/sbin/runc",
    "debootstrap": "/usr/sbin/debootstrap",
    "conmon": "/usr/bin/conmon",
    "netavark": "/usr/lib/podman/netavark",
    "aardvark-dns": "/usr/lib/podman/aardvark-dns",
    "catatonit": "/usr/libexec/podman/catatonit",
    "iptables": "/usr/sbin/iptables",
}
PYTHON, CADDY, POSTGRES = "python:3.11-slim-bookworm", "caddy:2", "postgres:17"
OURS = "localhost/nonlocal-lens:cpu"
PROJECT = "lens-image-test"
SYS_RESOURCE = 1 << 24  # the bit of CAP_SYS_RESOURCE in /proc/self/status
WAIT_S = 180
COMPOSE_S = 300  # podman-compose waits for ever for a container that could not be made

# podman asks for process limits that only CAP_SYS_RESOURCE may set; a machine without it keeps its own.
RUNTIME = """#!{python}
import json, os, sys
from pathlib import Path
words = sys.argv[1:]
for option, name in (("--bundle", "config.json"), ("--process", "")):  # of create, of exec
    if option in words:
        path = Path(words[words.index(option) + 1], name)
        config = json.loads(path.read_text())
        config.get("process", config).pop("rlimits", None)
        path.write_text(json.dumps(config))
os.execv({runc!r}, ["runc", *words])
"""

# As far as compose.yaml asks: a cluster on the first start, reached by password.
POSTGRES_ENTRY = """#!/bin/sh
set -e
export PATH=/usr/lib/postgresql/15/bin:$PATH
data=/var/lib/postgresql/data
if [ ! -s $data/PG_VERSION ]; then
    echo "$POSTGRES_PASSWORD" > /tmp/password
    initdb -D $data -E UTF8 --locale C.UTF-8 -U "$POSTGRES_USER" --pwfile /tmp/password \\
        --auth-local trust --auth-host scram-sha-256
    rm /tmp/password
    echo "host all all all scram-sha-256" >> $data/pg_hba.conf
    export PGHOST=/tmp
    pg_ctl -D $data -o "-c listen_addresses='' -c unix_socket_directories=/tmp" -w start
    createdb -U "$POSTGRES_USER" "$POSTGRES_DB"
    pg_ctl -D $data -m fast -w stop
fi
exec postgres -D $data -c "listen_addresses=*" -c unix_socket_directories=/tmp
"""


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def call(*words: str | Path, quiet: bool = True, check: bool = True, **options: Any) -> str:
    """Run a program; -> its output. What it said is shown when it fails."""
    done = subprocess.run([str(word) for word in words], capture_output=quiet, text=True, check=False, **options)
    if check and done.returncode:
        sys.exit(f"{' '.join(map(str, words))}\nended with {done.returncode}:\n{done.stdout or ''}{done.stderr or ''}")
    return (done.stdout or "").strip()


@contextmanager
def timed(what: str) -> Generator[None]:
    began = time.monotonic()
    yield
    say(f"{what}: {time.monotonic() - began:.1f} s")


class Podman:
    """podman and podman-compose with the runtime that this machine can run."""

    def __init__(self, folder: Path) -> None:
        self.globals: list[str] = []
        capabilities = int(Path("/proc/self/status").read_text().split("CapEff:")[1].split()[0], 16)
        if not capabilities & SYS_RESOURCE:
            shim = folder / "oci-runtime"
            shim.write_text(RUNTIME.format(python=sys.executable, runc=shutil.which("runc")))
            shim.chmod(0o755)
            self.globals = ["--runtime", str(shim)]
        self._compose = folder / "venv" / "bin" / "podman-compose"
        if not self._compose.exists():
            call(sys.executable, "-m", "venv", folder / "venv")
            call(folder / "venv" / "bin" / "pip", "install", "--quiet", "podman-compose>=1.3")

    def __call__(self, *words: str, check: bool = True) -> str:
        return call("podman", *self.globals, *words, check=check)

    def compose(self, profile: str, port: int, *words: str, check: bool = True) -> str:
        environment = os.environ | {"COMPOSE_PROFILES": profile, "LENS_PORT": str(port)}
        arguments = ["--podman-args", " ".join(self.globals)] if self.globals else []
        command = [self._compose, "--in-pod", "false", "--project-name", PROJECT, *arguments, *words]
        return call("timeout", str(COMPOSE_S), *command, cwd=ROOT, env=environment, check=check)

    def has(self, image: str) -> bool:
        return subprocess.run(["podman", "image", "exists", image], check=False).returncode == 0

    def name(self, service: str) -> str:
        return f"{PROJECT}_{service}_1"


# images


def make_base(folder: Path) -> None:
    """Debian's Python under the name of the official image."""
    root = folder / "base"
    if not (root / "usr/bin/python3.11").exists():
        shutil.rmtree(root, ignore_errors=True)
        packages = "ca-certificates,netbase,python3.11-venv,python3-distutils,python3-lib2to3"
        call(
            "debootstrap",
            "--variant=minbase",
            f"--include={packages}",
            "bookworm",
            root,
            "http://deb.debian.org/debian",
        )
    for rest in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "usr/share/man"):
        shutil.rmtree(root / rest, ignore_errors=True)
        (root / rest).mkdir(parents=True)
    for name in ("python", "python3"):
        (root / "usr/local/bin" / name).unlink(missing_ok=True)
        (root / "usr/local/bin" / name).symlink_to("/usr/bin/python3.11")
    container = call("buildah", "from", "scratch")
    call("buildah", "add", "--quiet", container, root, "/")
    call("buildah", "config", "--env", "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", container)
    call("buildah", "commit", "--quiet", "--rm", container, f"docker.io/library/{PYTHON}")


def make_stand_in(name: str, packages: Sequence[str], finish: str, command: Sequence[str], folder: Path) -> None:
    """Debian's package of a program under the name of its official image."""
    (folder / "entry").write_text(POSTGRES_ENTRY)
    (folder / "entry").chmod(0o755)
    lines = [
        f"FROM docker.io/library/{PYTHON}",
        "COPY entry /usr/local/bin/entry",
        "RUN mkdir -p /var/cache/apt/archives/partial && apt-get update -q && DEBIAN_FRONTEND=noninteractive"
        f" apt-get install -y -q --no-install-recommends {' '.join(packages)} && {finish}",
        f"CMD {json.dumps(list(command))}",
    ]
    (folder / "Containerfile").write_text("\n".join(lines))
    call(*BUILD, "--tag", f"docker.io/library/{name}", "--file", folder / "Containerfile", folder)


BUILD = ("buildah", "bud", "--format", "docker", "--isolation", "chroot", "--network", "host", "--pull-never")


def build_ours(folder: Path) -> None:
    """The Dockerfile as it stands; pip is told in a file of its own where this machine has its packages."""
    lines = [
        line.replace(":env:.", "global.") for line in call(sys.executable, "-m", "pip", "config", "list").splitlines()
    ]
    kept = {line.split("=", 1)[0].removeprefix("global."): line.split("=", 1)[1].strip("'") for line in lines}
    config, mounts = ["[global]"], ["--volume", f"{folder / 'pip.conf'}:/etc/pip.conf:ro"]
    for name in ("find-links", "cert", "index-url"):
        if name in kept:
            config.append(f"{name} = {kept[name]}")
            if Path(kept[name]).exists():
                mounts += ["--volume", f"{Path(kept[name]).resolve()}:{kept[name]}:ro"]
    (folder / "pip.conf").write_text("\n".join(config) + "\n")
    # The CPU build of torch lies among the links where there are some, else with its makers.
    index = ["--build-arg", "TORCH_INDEX=https://pypi.org/simple"] if "find-links" in kept else []
    call("nice", *BUILD, "--layers", *mounts, *index, "--tag", OURS, ROOT)


# a stack in use


class Stack:
    """One profile of compose.yaml, started."""

    def __init__(self, podman: Podman, profile: str, port: int) -> None:
        self.podman, self.profile, self.port = podman, profile, port

    def compose(self, *words: str, check: bool = True) -> str:
        return self.podman.compose(self.profile, self.port, *words, check=check)

    def ask(self, path: str, body: bytes | None = None, method: str | None = None) -> Any:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def wait(self, what: str, condition: Callable[[], bool], seconds: float = WAIT_S) -> float:
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            try:
                if condition():
                    return time.monotonic() - began
            except (OSError, urllib.error.HTTPError, ValueError):
                pass
            time.sleep(0.2)
        print(self.compose("logs", "--tail", "40", check=False))
        print(self.podman("ps", "--all", check=False))
        sys.exit(f"not {what} after {seconds} s")

    def upload(self, start_s: float = 0.0) -> str:
        return self.ask(f"/api/v1/clips?filename=cups.mp4&start_s={start_s}", SAMPLE.read_bytes())["id"]

    def state(self, clip: str) -> str:
        return self.ask(f"/api/v1/clips/{clip}")["state"]

    def use(self) -> None:
        """Upload, click."""
        with timed("upload to done"):
            clip = self.upload(0.4)  # not where the samples start: those are known already
            self.wait("done", lambda: self.state(clip) == "done")
        with timed("one click"):
            found = self.ask(f"/api/v1/clips/{clip}/arrows?block=mixed_4c&frame=8&x=0.5&y=0.4&k=20")
        assert len(found["arrows"]) == 20, found

    def queue(self, count: int) -> list[str]:
        """Jobs, the first of which runs."""
        clips = [self.upload(0.02 * (number + 1)) for number in range(count)]
        self.wait("running", lambda: any(self.state(clip) == "running" for clip in clips))
        return clips

    def finish(self, clips: list[str]) -> None:
        with timed(f"{len(clips)} jobs done"):
            self.wait("all done", lambda: all(self.state(clip) == "done" for clip in clips))

    def harden(self, service: str) -> None:
        """It runs as nobody, with no rights, on a root that it cannot write."""
        look = (
            "import os; s=open('/proc/self/status').read(); print(os.getuid(), s.split('CapEff:')[1].split()[0],"
            " s.split('NoNewPrivs:')[1].split()[0], os.access('/opt', os.W_OK) or os.access('/usr', os.W_OK))"
        )
        seen = self.podman("exec", self.podman.name(service), "python", "-c", look)
        assert seen == "10001 0000000000000000 1 False", seen
        say(f"{service}: user, capabilities, no new privileges, root writable: {seen}")


def try_one(podman: Podman, port: int) -> None:
    """`docker compose up`."""
    stack = Stack(podman, "cpu", port)
    with timed("up to ready"):
        stack.compose("up", "--detach")
        stack.wait("ready", lambda: stack.ask("/readyz")["status"] == "ready")
    stack.harden("lens")
    podman("healthcheck", "run", podman.name("lens"))
    stack.use()
    say(f"memory: {podman('stats', '--no-stream', '--format', '{{.MemUsage}}', podman.name('lens'), check=False)}")
    clips = stack.queue(3)
    with timed("stopped with a job running"):
        stack.compose("stop")
    status = podman("inspect", "--format", "{{.State.ExitCode}}", podman.name("lens"))
    assert status == "0", f"exit status {status}"
    stack.compose("start")
    stack.wait("ready", lambda: stack.ask("/readyz")["status"] == "ready")
    stack.finish(clips)


def try_cluster(podman: Podman, port: int) -> None:
    """`docker compose --profile cluster up`; a worker dies for ever, then everything stops and starts."""
    stack = Stack(podman, "cluster", port)
    with timed("up to ready"):
        stack.compose("up", "--detach")
        stack.wait("ready", lambda: stack.ask("/readyz")["status"] == "ready")
    for service in ("web-a", "worker-a"):
        stack.harden(service)
    no_way_out = "import socket; socket.create_connection(('1.1.1.1', 443), 2)"
    done = subprocess.run(
        ["podman", *podman.globals, "exec", podman.name("worker-a"), "python", "-c", no_way_out],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "unreachable" in done.stderr or "imed out" in done.stderr, done.stderr
    say("worker-a has no way out")
    stack.wait("done", lambda: all(clip["state"] == "done" for clip in stack.ask("/api/v1/clips")["clips"]))
    stack.wait("both workers", lambda: beating(podman, "worker-a") and beating(podman, "worker-b"))
    stack.use()
    clips = stack.queue(4)
    with timed("a worker killed for ever, all its jobs done by the other"):
        podman("kill", "--signal", "KILL", podman.name("worker-a"))
        podman("rm", "--force", podman.name("worker-a"))
        stack.finish(clips)
    clips = [stack.upload(0.3), stack.upload(0.32)]
    stack.wait("running", lambda: any(stack.state(clip) == "running" for clip in clips))
    with timed("stopped with a job running"):
        stack.compose("stop", check=False)
    with timed("started again"):
        stack.compose("up", "--detach")
        stack.wait("ready", lambda: stack.ask("/readyz")["status"] == "ready")
    stack.finish(clips)


def beating(podman: Podman, service: str) -> bool:
    """The health check of compose.yaml, run now: without systemd nobody runs it for podman."""
    command = ["podman", *podman.globals, "healthcheck", "run", podman.name(service)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def remove(podman: Podman, port: int) -> None:
    """Containers, networks and volumes of this test."""
    for profile in ("cpu", "cluster"):
        podman.compose(profile, port, "down", "--volumes", "--timeout", "5", check=False)
    left = podman("ps", "--all", "--quiet", "--filter", f"label=io.podman.compose.project={PROJECT}").split()
    if left:  # of a run that was killed
        podman("rm", "--force", "--depend", "--time", "1", *left, check=False)
        podman.compose("cluster", port, "down", "--volumes", check=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=9021)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "nonlocal-lens-image-test")
    parser.add_argument("--profile", choices=("cpu", "cluster"), help="only this stack")
    parser.add_argument("--built", action="store_true", help="use the image that is there")
    options = parser.parse_args()
    missing = [package for package, file in NEEDS.items() if not Path(file).exists()]
    if missing or os.geteuid():
        what = f"apt-get install {' '.join(missing)}" if missing else "root"
        print(f"image-test: not run, it needs {what}")
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    podman = Podman(options.folder)
    remove(podman, options.port)
    if not podman.has(PYTHON):
        with timed(f"stand-in for {PYTHON}"):
            make_base(options.folder)
    if not (options.built and podman.has(OURS)):
        with timed("image built"):
            build_ours(options.folder)
    size = int(podman("image", "inspect", "--format", "{{.Size}}", OURS))
    base = int(podman("image", "inspect", "--format", "{{.Size}}", PYTHON))
    say(f"image {size / 1e6:.0f} MB, of which the base is {base / 1e6:.0f} MB")
    try:
        if options.profile != "cluster":
            say("== docker compose up")
            try_one(podman, options.port)
            remove(podman, options.port)
        if options.profile != "cpu":
            say("== docker compose --profile cluster up")
            if not podman.has(CADDY):
                with timed(f"stand-in for {CADDY}"):
                    run = ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]
                    make_stand_in(
                        CADDY,
                        ["caddy", "libcap2-bin"],
                        "setcap cap_net_bind_service=+ep /usr/bin/caddy",
                        run,
                        options.folder,
                    )
            if not podman.has(POSTGRES):
                with timed(f"stand-in for {POSTGRES}"):
                    finish = (
                        "rm -rf /var/lib/postgresql/* && install -d -o postgres -g postgres /var/lib/postgresql/data"
                    )
                    make_stand_in(POSTGRES, ["postgresql-15"], finish, ["entry"], options.folder)
            try_cluster(podman, options.port)
    finally:
        remove(podman, options.port)
    say("all as promised")


if __name__ == "__main__":
    main()
