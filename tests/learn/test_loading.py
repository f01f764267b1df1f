"""Batches: the same whoever asks and whenever, broken videos replaced, and no process left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from nonlocal_core.errors import TrainingFailed, UnusableListing
from nonlocal_core.learn.clips import Augmentation, training_clip
from nonlocal_core.learn.listing import Example, Listing, read_listing
from nonlocal_core.learn.loading import batches, permutation
from nonlocal_core.video import normalise
from tests.learn.films import SPEC, broken_film, colour_film, count_film

ROOT = Path(__file__).parents[2]
AUGMENTATION = Augmentation(short_sides=(33, 40))


@pytest.fixture(scope="module")
def listing(tmp_path_factory):
    """Five films of their own classes."""
    folder = tmp_path_factory.mktemp("films")
    films = [count_film(folder / f"{i}.avi", 20 + 10 * i) for i in range(5)]
    return Listing(tuple(Example(film, (i,)) for i, film in enumerate(films)), tuple("abcde"), "single")


def loaded(listing, *, batch=2, first=0, last=4, workers=0, seed=7, **part):
    return list(
        batches(listing, SPEC, AUGMENTATION, seed=seed, batch=batch, first=first, last=last, workers=workers, **part)
    )


def same(some, others):
    return len(some) == len(others) and all(
        torch.equal(a.clips, b.clips) and torch.equal(a.targets, b.targets) and a.broken == b.broken
        for a, b in zip(some, others, strict=True)
    )


def test_a_batch_holds_the_normalised_clips_of_its_draws(listing):
    (batch,) = loaded(listing, first=3, last=4)

    order = permutation(5, 7, 1)  # of the second epoch, which begins with draw 5
    for row, draw in enumerate((6, 7)):
        example = listing.examples[order[draw - 5]]
        clip = training_clip(example.path, SPEC, AUGMENTATION, np.random.default_rng([7, draw]))
        assert np.array_equal(batch.clips[row].numpy(), normalise(clip, SPEC.mean, SPEC.std)[0])
        assert batch.targets[row] == order[draw - 5]
    assert batch.clips.shape == (2, 3, 8, 32, 32)
    assert (batch.clips.dtype, batch.targets.dtype) == (torch.float32, torch.int64)


def test_films_of_a_folder_without_labels_are_loaded_without_targets():
    shipped = read_listing(ROOT / "app" / "samples")

    (batch,) = loaded(shipped, batch=3, last=1, workers=1)

    assert batch.targets.shape == (3, 0)
    assert batch.clips.std((1, 2, 3, 4)).min() > 0.1  # real pictures, in H.264
    assert batch.broken == ()


def test_any_number_of_workers_loads_the_same(listing):
    alone = loaded(listing)

    assert same(alone, loaded(listing, workers=1))
    assert same(alone, loaded(listing, workers=2))
    assert not same(alone, loaded(listing, seed=8))


def test_a_resumed_run_gets_the_batches_it_missed(listing):
    assert same(loaded(listing)[2:], loaded(listing, first=2, workers=1))


def test_processes_together_get_what_one_gets(listing):
    whole = loaded(listing, batch=4)

    parts = [loaded(listing, batch=4, rank=rank, processes=2) for rank in (0, 1)]

    for alone, *shared in zip(whole, *parts, strict=True):
        assert torch.equal(alone.clips, torch.cat([part.clips for part in shared]))
        assert torch.equal(alone.targets, torch.cat([part.targets for part in shared]))


def test_every_epoch_shows_every_video_once_in_another_order(listing):
    targets = torch.cat([batch.targets for batch in loaded(listing, batch=3, last=5)]).tolist()

    epochs = [targets[start : start + 5] for start in (0, 5, 10)]  # batches of 3 lie across them

    assert all(sorted(epoch) == [0, 1, 2, 3, 4] for epoch in epochs)
    assert len(set(map(tuple, epochs))) == 3


def test_loading_leaves_torchs_own_random_numbers_alone(listing):
    before = torch.get_rng_state()

    loaded(listing, last=1)
    loaded(listing, last=1, workers=1)

    assert torch.equal(before, torch.get_rng_state())


def test_a_broken_video_gives_way_to_the_next_and_is_named(tmp_path):
    films = [
        broken_film(tmp_path / "0.mp4"),
        broken_film(tmp_path / "1.mp4"),
        colour_film(tmp_path / "2.avi", (9, 9, 9)),
    ]
    listing = Listing(tuple(Example(film, (i,)) for i, film in enumerate(films)), tuple("abc"), "single")

    epoch = [each for workers in (0, 1) for each in loaded(listing, batch=3, last=1, workers=workers)]

    for batch in epoch:
        assert batch.targets.tolist() == [2, 2, 2]
        assert sorted(batch.broken) == [str(films[0]), str(films[1]), str(films[1])]  # 0 -> 1 -> 2, and 1 -> 2


def test_the_videos_after_the_last_are_the_first(tmp_path):
    films = [colour_film(tmp_path / "0.avi", (9, 9, 9)), broken_film(tmp_path / "1.mp4")]
    listing = Listing(tuple(Example(film, ()) for film in films), (), "none")

    (batch,) = loaded(listing, last=1)

    assert batch.broken == (str(films[1]),)
    assert batch.targets.shape == (2, 0)


@pytest.mark.parametrize("workers", [0, 1])
def test_when_nothing_can_be_read_it_says_so_in_plain_words(tmp_path, workers):
    listing = Listing((Example(broken_film(tmp_path / "0.mp4"), ()), Example(tmp_path / "gone.mp4", ())), (), "none")

    with pytest.raises(UnusableListing, match=r"^none of the 2 videos can be read; the last: .*\.mp4: ") as caught:
        loaded(listing, workers=workers)
    assert "Traceback" not in str(caught.value)


def test_what_cannot_be_shared_or_is_empty_is_refused(listing):
    with pytest.raises(TrainingFailed, match="3 clips cannot be shared evenly by 2"):
        loaded(listing, batch=3, processes=2)
    with pytest.raises(UnusableListing, match="empty"):
        loaded(Listing((), (), "none"))


def descendants(pid):
    """Process ids of all that a process started, and they."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def all_ended(pids, *, within_s=15.0):
    end = time.monotonic() + within_s
    while time.monotonic() < end and any(map(is_running, pids)):
        time.sleep(0.05)
    return not any(map(is_running, pids))


def test_workers_and_their_decoders_end_with_a_loop_that_is_left(listing):
    loaded(listing, last=1)  # this process's own decoder is there, and stays
    before = descendants(os.getpid())
    running = batches(listing, SPEC, AUGMENTATION, seed=0, batch=1, first=0, last=100, workers=2)
    next(running), next(running)
    started = descendants(os.getpid()) - before
    assert len(started) >= 4  # two workers, and each has a decoder process of its own

    running.close()

    assert all_ended(started)
    assert before <= descendants(os.getpid())


LOOP = """
import sys
from pathlib import Path
import torch
from nonlocal_core.learn.listing import read_listing
from nonlocal_core.learn.loading import batches
from tests.learn.films import SPEC
from tests.learn.test_loading import AUGMENTATION

listing = read_listing(Path(sys.argv[1]))
for _ in batches(listing, SPEC, AUGMENTATION, seed=0, batch=1, first=0, last=10**6, workers=2):
    print("loaded", flush=True)
"""


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_a_run_that_is_interrupted_or_killed(listing, ending):
    folder = listing.examples[0].path.parent
    run = subprocess.Popen(
        [sys.executable, "-c", LOOP, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    assert run.stdout is not None
    assert [run.stdout.readline() for _ in range(4)] == [b"loaded\n"] * 4
    started = descendants(run.pid)
    assert len(started) >= 4

    if ending is signal.SIGINT:
        os.killpg(run.pid, ending)  # Ctrl-C goes to the whole group
    else:
        run.kill()

    assert run.wait(timeout=20) != 0
    assert all_ended(started)
    run.stdout.close()
