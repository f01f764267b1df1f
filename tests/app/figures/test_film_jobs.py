"""What becomes of a film that is asked for, without a worker: the files and the task."""

from __future__ import annotations

import pytest

from app.clips_table import NewClip
from app.jobs.film_task import FilmTask
from app.jobs.films import Films, FilmShelf, StoredFilm
from app.metrics import JobMetrics
from app.problems import FilmNotFound, QueueFull
from app.uploads import Received
from nonlocal_core.affinity.store import AffinityStore
from nonlocal_core.zoo.cards import CARDS

LINK = "block=mixed_4c&q=2.5.7"


@pytest.fixture
def clip_id(library, tmp_path, analysis):
    (tmp_path / "upload").write_bytes(b"video")
    new = NewClip("two-cups.mp4", "default", 0.0, sample=False, expires_at=None)
    record, _ = library.add(Received(tmp_path / "upload", "ab" * 32, 5), new, lambda *_: None)
    origin = {"id": record.id, "model": "default", "filename": "two-cups.mp4", "sha256": "ab" * 32, "start_s": "0.0"}
    AffinityStore(library.root).write(record.id, analysis, origin)
    return record.id


@pytest.fixture
def films(engine, library):
    films = Films(engine, library, limit=2)
    yield films
    films.close()


@pytest.fixture
def work(library):
    """The worker's part, for one film."""
    task = FilmTask(library, AffinityStore(library.root), CARDS, JobMetrics())
    return lambda clip_id, film: task.run(f"{clip_id}/{film.id}")


def test_the_same_link_in_the_same_format_is_the_same_film(films, clip_id):
    first, created = films.submit(clip_id, LINK, "mp4")
    again, created_again = films.submit(clip_id, f"?{LINK}", "mp4")
    other, _ = films.submit(clip_id, LINK, "gif")

    assert (created, created_again) == (True, False)
    assert first.id == again.id != other.id


def test_a_film_is_made_once_and_nothing_else_is_left(films, work, clip_id):
    film, _ = films.submit(clip_id, LINK, "mp4")

    work(clip_id, film)

    assert films.get(clip_id, film.id).state == "done"
    made = films.path(clip_id, film.id, "mp4")
    written = made.stat().st_mtime_ns
    work(clip_id, film)
    assert made.stat().st_mtime_ns == written
    assert films.submit(clip_id, LINK, "mp4")[1] is False
    assert {path.name for path in made.parent.iterdir()} == {f"{film.id}.json", f"{film.id}.mp4"}
    with pytest.raises(FilmNotFound):
        films.path(clip_id, film.id, "gif")


def test_a_cancelled_film_stops_at_its_next_frame_and_can_be_asked_for_again(
    films, work, library, clip_id, monkeypatch
):
    film, _ = films.submit(clip_id, LINK, "mp4")
    shelf, looks = FilmShelf(library), []

    def stopped(self, *film_of_clip):
        looks.append(film_of_clip)
        if len(looks) == 3:
            shelf.stop(*film_of_clip)
        return real(self, *film_of_clip)

    real = FilmShelf.is_stopped
    monkeypatch.setattr(FilmShelf, "is_stopped", stopped)
    work(clip_id, film)

    assert films.get(clip_id, film.id).state == "cancelled"
    assert len(looks) < 10
    assert not [path for path in library.folder(clip_id).glob("films/*") if "mp4" in path.name]
    assert films.submit(clip_id, LINK, "mp4")[0].state == "queued"
    work(clip_id, film)
    assert films.get(clip_id, film.id).state == "done"


def at_look(monkeypatch, number, deed):
    """When the job looks for the `number`th time whether it was cancelled, `deed()` was done just before."""
    real, looks = FilmShelf.is_stopped, []

    def looked(self, *film_of_clip):
        looks.append(1)
        if len(looks) == number:
            deed()
        return real(self, *film_of_clip)

    monkeypatch.setattr(FilmShelf, "is_stopped", looked)


def jobs_of(films):
    return len(films._client.list_workflows())


def test_a_film_that_is_cancelled_and_asked_for_again_before_its_job_looks_goes_on(films, work, clip_id, monkeypatch):
    film, _ = films.submit(clip_id, LINK, "mp4")

    def cancel_and_ask():
        assert films.cancel(clip_id, film.id).state == "cancelled"
        assert films.submit(clip_id, LINK, "mp4")[0].state == "running"

    at_look(monkeypatch, 4, cancel_and_ask)
    work(clip_id, film)

    assert (films.get(clip_id, film.id).state, jobs_of(films)) == ("done", 1)


def test_a_film_that_is_asked_for_again_as_its_job_stops_is_begun_again_by_that_job(
    films, work, library, clip_id, monkeypatch
):
    film, _ = films.submit(clip_id, LINK, "mp4")
    real = FilmShelf.let_go

    def too_late(self, *film_of_clip):
        assert films.submit(clip_id, LINK, "mp4") == (films.get(clip_id, film.id), True)
        return real(self, *film_of_clip)

    monkeypatch.setattr(FilmShelf, "let_go", too_late)
    at_look(monkeypatch, 4, lambda: FilmShelf(library).stop(clip_id, film.id))
    work(clip_id, film)

    assert (films.get(clip_id, film.id).state, jobs_of(films)) == ("done", 1)


def test_a_film_that_is_asked_for_again_when_its_job_has_stopped_but_not_ended_gets_another_job(films, work, clip_id):
    film, _ = films.submit(clip_id, LINK, "mp4")
    films.cancel(clip_id, film.id)
    work(clip_id, film)  # DBOS does not know yet that it has stopped
    assert films.get(clip_id, film.id).state == "cancelled"

    again, created = films.submit(clip_id, LINK, "mp4")

    assert (again.state, created, jobs_of(films)) == ("queued", True, 2)
    work(clip_id, film)
    assert films.get(clip_id, film.id).state == "done"


def test_a_film_that_a_library_of_old_has_cancelled_is_still_cancelled(films, library, clip_id):
    film, _ = films.submit(clip_id, LINK, "mp4")
    (library.folder(clip_id) / "films" / f"{film.id}.stop").touch()

    assert films.get(clip_id, film.id).state == "cancelled"


def test_a_film_that_kills_its_worker_is_given_up(films, work, library, clip_id):
    film, _ = films.submit(clip_id, LINK, "mp4")
    FilmShelf(library).write(clip_id, film.model_copy(update={"state": "running", "attempts": 3}))

    work(clip_id, film)

    assert films.get(clip_id, film.id).error.code == "WorkerDied"


def test_a_film_that_cannot_be_drawn_says_why_and_may_be_tried_again(films, work, library, clip_id):
    film, _ = films.submit(clip_id, LINK, "gif")
    (library.folder(clip_id) / "analysis" / "frames.jpg").write_bytes(b"not a picture")

    work(clip_id, film)

    assert films.get(clip_id, film.id).state == "failed"
    assert films.get(clip_id, film.id).error.code == "DamagedAnalysis"
    assert films.submit(clip_id, LINK, "gif")[1] is True


def test_a_film_goes_with_its_clip_even_while_it_is_made(films, work, library, clip_id, monkeypatch):
    film, _ = films.submit(clip_id, LINK, "mp4")
    real, looks = FilmShelf.is_stopped, []

    def deleting(self, *film_of_clip):
        looks.append(1)
        if len(looks) == 3:
            library.delete(clip_id)
        return real(self, *film_of_clip)

    monkeypatch.setattr(FilmShelf, "is_stopped", deleting)
    work(clip_id, film)

    assert not library.folder(clip_id).exists()


def test_no_more_films_wait_than_may_wait(films, clip_id):
    films.submit(clip_id, LINK, "mp4")
    films.submit(clip_id, LINK, "gif")

    with pytest.raises(QueueFull):
        films.submit(clip_id, f"{LINK}&k=3", "mp4")


def test_the_oldest_films_are_forgotten(library, clip_id):
    shelf = FilmShelf(library)
    asked = [StoredFilm.of(f"{LINK}&k={k}", "mp4") for k in range(1, 5)]
    for film in asked:
        shelf.write(clip_id, film)
        shelf.path(clip_id, film).write_bytes(b"film")

    shelf.forget_oldest(clip_id, 2)

    left = [film for film in asked if shelf.find(clip_id, film.id)]
    assert left == asked[2:] or len(left) == 2  # file systems with coarse times may keep others
    assert len(list((library.folder(clip_id) / "films").iterdir())) == 4


@pytest.mark.parametrize("film_id", ["", "../../x", "0" * 24, "é" * 24])
def test_a_strange_id_is_no_film(films, clip_id, film_id):
    with pytest.raises(FilmNotFound):
        films.get(clip_id, film_id)
