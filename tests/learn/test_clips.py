"""Clips: every random choice of training, and the views of every protocol, written out longhand."""

import numpy as np
import pytest
from pydantic import ValidationError

from nonlocal_core.errors import QueryError, UnreadableVideo
from nonlocal_core.learn.clips import (
    PROTOCOLS,
    Augmentation,
    Protocol,
    evaluation_views,
    three_crops,
    training_clip,
    view_frames,
)
from nonlocal_core.video import decode_frames
from tests.learn.films import SPEC, broken_film, count_film, ramp_film

PLAIN = Augmentation(short_sides=(36, 36), flip=False)


def numbers_of(clip):
    """Frame numbers of a clip of `count_film`."""
    assert (clip == clip[:, :1, :1, :1]).all()
    return (clip[:, 0, 0, 0] // 2).tolist()


def drawn(path, augmentation, seed, spec=SPEC):
    return training_clip(path, spec, augmentation, np.random.default_rng(seed))


def test_a_training_clip_keeps_every_stride_th_frame_from_anywhere_it_fits(tmp_path):
    film, spec = count_film(tmp_path / "a.avi", 26), SPEC.model_copy(update={"stride": 3})

    found = {tuple(numbers_of(drawn(film, PLAIN, seed, spec))) for seed in range(25)}

    assert found == {tuple(range(start, start + 24, 3)) for start in (0, 1, 2)}  # 8 * 3 of 26 frames


def test_a_short_video_starts_at_its_beginning_and_repeats_its_last_frame(tmp_path):
    film = count_film(tmp_path / "a.avi", 10)

    for seed in range(5):
        assert numbers_of(drawn(film, PLAIN, seed)) == [0, 2, 4, 6, 8, 9, 9, 9]


def test_resize_square_and_mirror_are_random_and_nothing_else_happens_to_the_pixels(tmp_path):
    film, augmentation = ramp_film(tmp_path / "a.avi"), Augmentation(short_sides=(33, 36))
    pictures = {side: decode_frames(film, np.array([0]), short_side=side).rgb[0] for side in (33, 34, 35, 36)}

    def origin(clip):
        """The short side, the place of the square and whether it is mirrored; there must be exactly one such."""
        return next(
            (side, top, left, step)
            for side, rgb in pictures.items()
            for top in range(side - 32 + 1)
            for left in range(rgb.shape[1] - 32 + 1)
            for step in (1, -1)
            if np.array_equal(rgb[top : top + 32, left : left + 32][:, ::step], clip[0])
        )

    clips = [drawn(film, augmentation, seed) for seed in range(40)]
    sides, tops, lefts, steps = (set(values) for values in zip(*map(origin, clips), strict=True))

    assert all((clip == clip[:1]).all() for clip in clips)  # one square for all frames
    assert sides == {33, 34, 35, 36}
    assert tops == {0, 1, 2, 3, 4}
    assert min(lefts) <= 2
    assert max(lefts) >= 17
    assert steps == {1, -1}


def test_a_clip_is_mirrored_only_if_it_may_be(tmp_path):
    film = ramp_film(tmp_path / "a.avi")
    one_side = Augmentation(short_sides=(33, 36), flip=False)

    assert all(drawn(film, one_side, seed)[0, 0, -1, 0] > drawn(film, one_side, seed)[0, 0, 0, 0] for seed in range(9))


def test_the_same_generator_gives_the_same_clip(tmp_path):
    film, augmentation = ramp_film(tmp_path / "a.avi"), Augmentation(short_sides=(33, 60))

    assert np.array_equal(drawn(film, augmentation, 3), drawn(film, augmentation, 3))
    assert not np.array_equal(drawn(film, augmentation, 3), drawn(film, augmentation, 4))


def test_a_short_side_below_the_square_is_refused_before_the_video_is_opened(tmp_path):
    with pytest.raises(QueryError, match=r"short_sides=31,40 must not be smaller than the square of 32 px"):
        drawn(tmp_path / "missing.mp4", Augmentation(short_sides=(31, 40)), 0)


@pytest.mark.parametrize("sides", [(320, 256), (0, 10)])
def test_an_augmentation_of_falling_sides_is_refused(sides):
    with pytest.raises(ValidationError, match="the smaller first"):
        Augmentation(short_sides=sides)


def test_the_defaults_are_the_papers():
    assert Augmentation() == Augmentation(short_sides=(256, 320), flip=True)
    paper = PROTOCOLS["paper"]
    assert (paper.clips, paper.crops, paper.short_side_px, paper.average) == (10, "full", 256, "probabilities")


def frames_of(starts, *, count, clips, frames=4, stride=2):
    spec = SPEC.model_copy(update={"frames": frames, "stride": stride})
    return view_frames(count, spec, Protocol(clips=clips, starts=starts)).tolist()


def test_vnl_starts_at_whole_tenths_and_goes_on_at_the_beginning():
    # int(11 / 4 * i) = 0, 2, 5, 8
    assert frames_of("vnl", count=11, clips=4) == [[0, 2, 4, 6], [2, 4, 6, 8], [5, 7, 9, 0], [8, 10, 1, 3]]


def test_mmaction2_starts_from_the_first_frame_to_the_last_place_that_fits():
    # 8 of 18 frames: starts 0, 10 / 3, 20 / 3, 10
    assert frames_of("mmaction2", count=18, clips=4) == [
        [0, 2, 4, 6], [3, 5, 7, 9], [6, 8, 10, 12], [10, 12, 14, 16],
    ]  # fmt: skip
    assert frames_of("mmaction2", count=18, clips=1) == [[5, 7, 9, 11]]
    assert frames_of("mmaction2", count=5, clips=2) == [[0, 2, 4, 1]] * 2


def test_pyslowfast_spreads_the_frames_over_the_clip_and_never_reaches_the_end():
    # starts 10 / 4 * i = 0, 2.5, 5, 7.5; steps of (8 - 1) / (4 - 1) = 7 / 3; rounded down
    assert frames_of("pyslowfast", count=18, clips=4) == [
        [0, 2, 4, 7], [2, 4, 7, 9], [5, 7, 9, 12], [7, 9, 12, 14],
    ]  # fmt: skip
    assert frames_of("pyslowfast", count=5, clips=2) == [[0, 2, 4, 4]] * 2


@pytest.mark.parametrize("starts", ["vnl", "mmaction2", "pyslowfast"])
@pytest.mark.parametrize("count", [1, 7, 63, 64, 65, 300])
def test_every_formula_stays_inside_every_video(starts, count):
    found = view_frames(count, SPEC, Protocol(starts=starts))

    assert found.shape == (10, 8)
    assert found.min() >= 0
    assert found.max() < count


def places_of_crops(height, width):
    rows, columns = np.mgrid[:height, :width]
    picture = np.stack([rows, columns, columns], -1)[None].astype(np.uint8)  # [1, H, W, 3]
    return [(int(crop[0, 0, 0, 0]), int(crop[0, 0, 0, 1]), crop.shape) for crop in three_crops(picture, 32)]


def test_three_crops_lie_along_the_longer_side_at_0_c_and_2c():
    shape = (1, 32, 32, 3)

    # c = int((45 - 32) / 2) = 6; the shorter side's middle is int((35 - 32) / 2) = 1
    assert places_of_crops(35, 45) == [(1, 0, shape), (1, 6, shape), (1, 12, shape)]
    assert places_of_crops(45, 35) == [(0, 1, shape), (6, 1, shape), (12, 1, shape)]


def test_crops_larger_than_the_frames_are_refused():
    with pytest.raises(QueryError, match="no square of 32 pixels"):
        places_of_crops(31, 45)


def test_views_are_the_frames_of_the_formula_crop_after_crop(tmp_path):
    film = count_film(tmp_path / "a.avi", 30)
    protocol = Protocol(clips=4, crops="three", short_side_px=36, size_px=32)

    views = list(evaluation_views(film, SPEC, protocol))

    expected = view_frames(30, SPEC, protocol).tolist()  # the last clip wraps: its frames rise and fall
    assert [numbers_of(view) for view in views] == [each for each in expected for _crop in range(3)]
    assert {view.shape for view in views} == {(8, 32, 32, 3)}


def test_the_full_view_is_the_whole_frame_and_the_centre_its_middle(tmp_path):
    film = ramp_film(tmp_path / "a.avi")
    small = decode_frames(film, np.array([0]), short_side=36).rgb[0]  # [36, 54, 3]

    (full,) = evaluation_views(film, SPEC, Protocol(clips=1, short_side_px=36))
    (centre,) = evaluation_views(film, SPEC, Protocol(clips=1, crops="centre", short_side_px=36, size_px=32))

    assert np.array_equal(full[0], small)
    assert np.array_equal(centre[0], small[2:34, 11:43])


def test_a_file_that_is_no_video_is_called_unreadable(tmp_path):
    film = broken_film(tmp_path / "a.mp4")

    with pytest.raises(UnreadableVideo):
        evaluation_views(film, SPEC, Protocol())
    with pytest.raises(UnreadableVideo):
        drawn(film, PLAIN, 0)
