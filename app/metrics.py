"""Numbers for Prometheus: what the web process counts, and what the workers leave in files beside their clips.

A worker is a process of its own, so it writes its numbers to DATA/metrics/<worker>.prom at the end of each job, whole,
as node_exporter's text files are; `GET /metrics` gives them all, with the worker's name. They start at 0 with it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
    write_to_textfile,
)
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH"})
FAST_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)
JOB_S = (0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 30, 60, 120, 300, 600)
MEMORY_BYTES = tuple(mega * 1_000_000 for mega in (50, 75, 100, 150, 200, 300, 500, 750, 1000, 1500))


class Watched(Protocol):
    """A worker, as far as a scrape asks about it."""

    @property
    def ready(self) -> bool: ...  # noqa: D102
    @property
    def starts(self) -> int: ...  # noqa: D102


class WebMetrics:
    """What the web process knows.

    Args:
        clips: answers how many clips are in each state, and is asked at each scrape.
        worker: tells whether it takes jobs, and how often it was started.
        folder: where the workers' files are.
    """

    def __init__(self, clips: Callable[[], Mapping[str, int]], worker: Watched, folder: Path) -> None:
        disable_created_metrics()
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "lens_requests", "Requests by route and status.", ("method", "route", "status"), registry=self._registry
        )
        self._latency = Histogram(
            "lens_request_seconds", "Until the response started.", ("route",), buckets=FAST_S, registry=self._registry
        )
        self.queries = Histogram(
            "lens_query_seconds", "To answer one question.", buckets=FAST_S, registry=self._registry
        )
        self._registry.register(_States(clips, worker))
        self._registry.register(_WorkerFiles(folder))
        ProcessCollector(registry=self._registry)  # memory and descriptors of this process

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request; see `RequestLog`."""
        self._requests.labels(method if method in METHODS else "other", route, status).inc()
        self._latency.labels(route).observe(seconds)

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self._registry)


class JobMetrics:
    """What a worker knows, kept in one file.

    Args:
        path: of the file, None for nowhere.
    """

    def __init__(self, path: Path | None = None) -> None:
        disable_created_metrics()
        self._path = path
        self._registry = CollectorRegistry()
        self._jobs = Counter("lens_jobs", "Jobs that ended.", ("kind", "outcome"), registry=self._registry)
        self._seconds = Histogram(
            "lens_job_seconds", "From start to end of a job.", ("kind",), buckets=JOB_S, registry=self._registry
        )
        self._stages = Histogram(
            "lens_job_stage_seconds", "Stages of an analysis.", ("stage",), buckets=JOB_S, registry=self._registry
        )
        self._rejections = Counter(
            "lens_decode_rejections", "Videos that could not be used.", ("reason",), registry=self._registry
        )
        self._children = Histogram(
            "lens_decoder_child_peak_bytes", "Resident memory of decoder children at their largest, shared pages too.",
            ("task",), buckets=MEMORY_BYTES, registry=self._registry,
        )  # fmt: skip
        ProcessCollector(namespace="lens_worker", registry=self._registry)

    def ended(self, kind: str, outcome: str, seconds: float) -> None:
        """A job has ended: `outcome` is done, cancelled, or the class of its error."""
        self._jobs.labels(kind, outcome).inc()
        self._seconds.labels(kind).observe(seconds)
        self._write()

    def stage(self, stage: str, seconds: float) -> None:
        """An analysis has left that stage."""
        self._stages.labels(stage).observe(seconds)

    def rejected(self, reason: str) -> None:
        """A video was refused; `reason` is the class of the error."""
        self._rejections.labels(reason).inc()

    def child_ended(self, task: str, peak_bytes: int) -> None:
        """A decoder child is gone; see `nonlocal_core.video.isolation.watch_children`."""
        self._children.labels(task).observe(peak_bytes)

    def _write(self) -> None:
        if self._path is None:
            return
        with contextlib.suppress(OSError):  # a full disk must not fail a job that is done
            self._path.parent.mkdir(exist_ok=True)
            write_to_textfile(str(self._path), self._registry)


def metrics_folder(data: Path) -> Path:
    """Where workers keep their numbers."""
    return data / "metrics"


def worker_file(data: Path, worker: str) -> Path:
    """Where the worker of that name keeps its numbers."""
    return metrics_folder(data) / f"{worker}.prom"


class _States(Collector):
    """Read at each scrape, kept nowhere."""

    def __init__(self, clips: Callable[[], Mapping[str, int]], worker: Watched) -> None:
        self._clips = clips
        self._worker = worker

    def describe(self) -> Iterable[Metric]:
        """Nothing: the registry would otherwise collect at once, before there is a database."""
        return ()

    def collect(self) -> Iterator[Metric]:
        clips = Metric("lens_clips", "Clips by state; queued is the length of the queue.", "gauge")
        for state, count in self._clips().items():
            clips.add_sample("lens_clips", {"state": state}, count)
        yield clips
        up = Metric("lens_worker_ready", "Whether the worker of this server takes jobs.", "gauge")
        up.add_sample("lens_worker_ready", {}, float(self._worker.ready))
        yield up
        started = Metric("lens_worker_starts", "Times the worker was started.", "counter")
        started.add_sample("lens_worker_starts_total", {}, self._worker.starts)
        yield started


class _WorkerFiles(Collector):
    """All workers' families, each once, with a label that tells whose a number is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def describe(self) -> Iterable[Metric]:
        """Nothing yet; see `_States`."""
        return ()

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        for path in sorted(self._folder.glob("*.prom")):
            with contextlib.suppress(OSError, ValueError):  # gone, or not written by us: the others still count
                for found in list(text_string_to_metric_families(path.read_text(encoding="utf-8"))):
                    family = families.setdefault(found.name, Metric(found.name, found.documentation, found.type))
                    family.samples += [
                        sample._replace(labels={**sample.labels, "worker": path.stem}) for sample in found.samples
                    ]
        yield from families.values()
