"""The rows of TRUST.md and what shows each: tests by their address, as pytest has them.

A `test_*.py` runs with all tests, a `campaign_*.py` only by `make trust`. TRUST.md has no S11 and no F13.
"""

from __future__ import annotations

from typing import NamedTuple

HERE = "tests/trust"
QUEUE, WORKER = "tests/app/jobs/test_faults.py", "tests/app/jobs/test_worker.py"
HOSTILE, LIBRARY = "tests/video/test_hostile.py", "tests/app/test_library.py"


class Promise(NamedTuple):
    """One row; `unshown` says why a row, or a part of it, is shown by nothing."""

    row: str
    words: str
    evidence: tuple[str, ...]
    unshown: str = ""


PROMISES = (
    Promise("S1", "playlists open nothing", ("tests/video/test_playlists.py",)),
    Promise("S2", "the white lists test themselves",
            ("tests/video/test_locks.py",
             f"{HERE}/test_broken_storage.py::test_s2_a_server_whose_decoder_is_not_locked_does_not_start")),
    Promise("S3", "bombs: verdict in 2 s, child < 1 GB, server as before",
            (f"{HERE}/test_bad_input.py::test_s3_bombs_are_judged_soon_with_the_child_below_a_gigabyte_and_the_server_as_it_was",
             f"{HOSTILE}::test_a_header_that_claims_a_huge_number_of_frames_is_not_believed",
             f"{HOSTILE}::test_a_film_of_very_many_frames_is_cut",
             f"{HOSTILE}::test_a_decode_that_takes_too_long_is_ended")),
    Promise("S4", "10 000 mutated films",
            (f"{HERE}/campaign_mutants.py", f"{HOSTILE}::test_mutated_films_get_a_verdict")),
    Promise("S5", "odd videos: a defined answer each", ("tests/video/test_decode.py", "tests/video/test_probe.py")),
    Promise("S6", "a malicious checkpoint runs nothing",
            ("tests/zoo/test_unpickle.py", "tests/zoo/test_containers.py", f"{HERE}/test_headers.py")),
    Promise("S7", "any file name is stored under our id", (f"{HERE}/test_bad_input.py::test_s7_",)),
    Promise("S8", "names, labels, errors are shown as text",
            (f"{HERE}/test_bad_input.py::test_s8_", f"{HERE}/test_script.py")),
    Promise("S9", "cross-site writes refused", (f"{HERE}/test_access.py::test_s9_",)),
    Promise("S10", "foreign Host 400, 127.0.0.1, key in constant time", (f"{HERE}/test_access.py::test_s10_",)),
    Promise("S12", "a 200 kB header is 400", (f"{HERE}/test_bad_input.py::test_s12_",)),
    Promise("S13", "500 half-open connections", (f"{HERE}/test_bad_clients.py::test_s13_",)),
    Promise("S14", "JSON and numbers without end: 4xx", (f"{HERE}/test_bad_input.py::test_s14_",)),
    Promise("S15", "ids are neither guessed nor listed", (f"{HERE}/test_access.py::test_s15_",)),
    Promise("S16", "every route as described, no 5xx", (f"{HERE}/campaign_api_schema.py",)),
    Promise("F1", "kill -9 of the worker, 20 times",
            (f"{HERE}/campaign_kills.py::test_f1_f2_every_job_ends_done_once_whatever_is_killed_and_when",
             f"{QUEUE}::test_kill_9_in_mid_job_at_random_moments_ends_with_every_job_done_once")),
    Promise("F2", "kill -9 of the server, listeners resume",
            (f"{HERE}/campaign_kills.py::test_f2_a_listener_comes_back_with_its_last_event_id_after_the_server_was_killed",
             "tests/app/test_faults.py::test_a_killed_server_finishes_its_queue_after_the_next_start",
             f"{QUEUE}::test_kill_9_of_server_and_worker_with_a_queue_loses_no_job")),
    Promise("F3", "SIGTERM: exit 0 within 30 s, nothing lost",
            ("tests/app/test_faults.py::test_a_server_that_is_told_to_stop_leaves_within_30_seconds_and_loses_nothing",
             f"{WORKER}::test_a_worker_told_to_stop_gives_its_job_back_and_exits_with_zero",
             f"{WORKER}::test_a_job_that_can_finish_in_the_grace_time_does")),
    Promise("F4", "a deadly job fails after 3 attempts",
            (f"{WORKER}::test_a_job_that_kills_its_worker_is_failed_after_three_attempts_and_the_next_one_runs",)),
    Promise("F5", "disk full: 507, no rest, recovers",
            (f"{HERE}/test_broken_storage.py::test_f5_", f"{HERE}/campaign_storage.py",
             f"{LIBRARY}::test_a_disk_that_is_really_full_refuses_uploads_and_clips_and_recovers")),
    Promise("F6", "out of GPU memory: the processor takes the clip", ("tests/app/jobs/test_gpu_memory.py",)),
    Promise("F7", "20 kill -9 of a writer lose nothing acknowledged",
            (f"{QUEUE}::test_20_times_kill_9_of_a_writer_lose_nothing_acknowledged",)),
    Promise("F8", "a damaged database is named at start",
            (f"{HERE}/test_broken_storage.py::test_f8_", f"{LIBRARY}::test_a_damaged_database_is_named")),
    Promise("F9", "a damaged artefact is named, no wrong numbers", (f"{HERE}/test_broken_storage.py::test_f9_",)),
    Promise("F10", "a client leaves in mid-upload", (f"{HERE}/test_bad_clients.py::test_f10_",)),
    Promise("F11", "slow readers slow nobody", (f"{HERE}/test_bad_clients.py::test_f11_",)),
    Promise("F12", "the clock jumps an hour", (f"{HERE}/test_clock.py",)),
    Promise("F14", "cancel while queued, running, done",
            (f"{WORKER}::test_cancelling_a_queued_job_means_it_never_runs",
             f"{WORKER}::test_cancelling_a_running_job_stops_it_soon_and_leaves_no_artefact",
             f"{WORKER}::test_cancelling_a_finished_job_is_refused")),
    Promise("F15", "a worker gone for ever: its job is done by the other",
            (f"{HERE}/campaign_workers.py", "tests/app/jobs/test_heartbeat.py", "tests/app/test_database_away.py")),
    Promise("L1", "200 clicks/s: p50 <= 5 ms, p99 <= 50 ms", (f"{HERE}/campaign_load.py::test_l1_",)),
    Promise("L2", "200 uploads of 20 MB at once, server < 300 MB", (f"{HERE}/campaign_load.py::test_l2_",)),
    Promise("L3", "a full queue: 429 in 50 ms", (f"{HERE}/test_bad_clients.py::test_l3_",)),
    Promise("L4", "200 listeners beside clicks: p99 < 100 ms", (f"{HERE}/campaign_load.py::test_l4_",)),
    Promise("L5", "soak: memory < 5 %, no orphans", (f"{HERE}/campaign_load.py::test_l5_",)),
)  # fmt: skip


def files_of(promises: tuple[Promise, ...]) -> list[str]:
    """The test files that show them, each once."""
    return sorted({address.split("::")[0] for promise in promises for address in promise.evidence})
