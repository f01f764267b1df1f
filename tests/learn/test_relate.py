"""Theta and phi by what moves: the closed form and both losses longhand, a fit that helps, and the whole command."""

import argparse
from dataclasses import replace

import numpy as np
import pytest
import torch

import nonlocal_core as nl
from nonlocal_core.affinity.capture import recorded_affinities
from nonlocal_core.cli import run
from nonlocal_core.commands.relating import declare_relate
from nonlocal_core.errors import InvalidSpec, TrainingFailed
from nonlocal_core.learn.closed_form import SHRINKAGE, Cells, closed_form, mutual, pooled, sampled
from nonlocal_core.learn.relate import (
    TRACK,
    Projections,
    Relation,
    assembled,
    carried,
    descend,
    fit,
    keys_near,
    loss_of,
    queries_on_it,
    related_spec,
    track_loss,
)
from nonlocal_core.learn.windows import Scene
from nonlocal_core.zoo.cards import DEFAULT
from nonlocal_core.zoo.checkpoint import read_checkpoint, write_checkpoint
from tests.learn.films import SPEC
from tests.learn.moving import square_films

STEPS, SIDE, CHANNELS = 4, 8, 8


@pytest.fixture
def make_scene(tmp_path):
    """A scene in which a block of 3x3 cells goes right, marked in channel 1; channels 2 and on hold places and noise.

    Channel 0 is strong and says nothing, so raw features relate badly.
    """

    def make(seed, *, moves=True, steps=STEPS):
        random = np.random.default_rng(seed)
        x = random.standard_normal((steps, SIDE, SIDE, CHANNELS)) * 0.3
        x[..., 0] *= 10
        x[..., 2:] += random.standard_normal((1, SIDE, SIDE, CHANNELS - 2))
        moving = torch.zeros(steps, SIDE, SIDE)
        for t in range(steps if moves else 0):
            moving[t, 2:5, t : t + 3] = 1
            x[t, 2:5, t : t + 3, 1] += 2
        file = tmp_path / f"{seed}.npy"
        np.save(file, x.astype(np.float16))
        keys = torch.nn.functional.avg_pool2d(moving[:, None], 2)[:, 0]
        return Scene(file, moving, keys, torch.zeros(2 * steps - 1, 4, 4, 2), understood=True)

    return make


def relation_of(scene, inner=5):
    """A relation at its closed form, then shaken, so that theta and phi differ."""
    random = np.random.default_rng(0)
    relation = Relation(closed_form(sampled([scene], random), inner))
    torch.manual_seed(0)
    for parameter in relation.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return relation


def cells_of(random, pairs=30, channels=4):
    left, right, queries, keys = (random.standard_normal((pairs, channels)).astype(np.float32) for _ in range(4))
    right = 0.7 * left + 0.5 * right * [1, 2, 3, 4]
    return [part.astype(np.float32) for part in (left, right, 2 * queries + 1, keys - 3)]


# The closed form


def test_the_closed_form_is_what_the_formula_says_longhand():
    left, right, queries, keys = arrays = cells_of(np.random.default_rng(0))

    found = closed_form(Cells(*map(torch.from_numpy, arrays)), 2)

    query_mean, key_mean = queries.mean(0), keys.mean(0)
    within = np.zeros((4, 4))
    for a, b in zip(left.astype(float), right.astype(float), strict=True):
        difference = (a - query_mean) - (b - key_mean)
        within += np.outer(difference, difference) / 2 / len(left)
    within += SHRINKAGE * np.diag(within).mean() * np.eye(4)
    total = np.zeros((4, 4))
    for cell in [*(queries - query_mean).astype(float), *(keys - key_mean).astype(float)]:
        total += np.outer(cell, cell) / 60
    # Fisher's directions: S_t v = ratio S_w v, with v S_w v = 1; the two of highest ratio, up to their sign.
    ratios, vectors = np.linalg.eig(np.linalg.inv(within) @ total)
    best = vectors.T[np.argsort(-ratios)[:2]]
    best = best / np.sqrt(np.einsum("nc,cd,nd->n", best, within, best))[:, None]
    spread = ((queries - query_mean) @ best.T @ best @ (keys - key_mean).T).std(ddof=1)
    expected = best * np.sqrt(1.2 / spread)
    actual = (found.directions @ found.whitening).numpy()
    assert np.allclose(found.query_mean, query_mean, atol=1e-6)
    assert np.allclose(found.key_mean, key_mean, atol=1e-6)
    assert np.allclose(np.abs(actual), np.abs(expected), atol=1e-4)
    assert np.allclose(actual.T @ actual, expected.T @ expected, atol=1e-4)


def test_cells_that_are_all_alike_cannot_be_related():
    alike = torch.ones(9, 4)

    with pytest.raises(TrainingFailed, match="no two cells of these videos differ"):
        closed_form(Cells(alike, alike, alike, alike), 2)


def test_pairs_are_cells_that_find_each_other_within_a_cell():
    random = np.random.default_rng(1)
    queries, keys = random.standard_normal((4, 6, 3)), random.standard_normal((2, 3, 3))
    unit = [x.reshape(-1, 3) / np.linalg.norm(x.reshape(-1, 3), axis=1, keepdims=True) for x in (queries, keys)]
    expected = []
    for i, query in enumerate(unit[0]):
        j = max(range(6), key=lambda j: query @ unit[1][j])
        back = max(range(24), key=lambda b: unit[0][b] @ unit[1][j])
        if abs(back // 6 - i // 6) <= 1 and abs(back % 6 - i % 6) <= 1:
            expected.append((i, j))

    left, right = mutual(torch.from_numpy(queries), torch.from_numpy(keys))

    assert 0 < len(expected) < 24
    assert np.allclose(left, queries.reshape(-1, 3)[[i for i, _ in expected]])
    assert np.allclose(right, keys.reshape(-1, 3)[[j for _, j in expected]])


def test_pairs_are_of_different_times_and_their_keys_are_pooled(make_scene):
    scene = make_scene(0)
    x, keys = scene.features.float(), pooled(scene.features)

    cells = sampled([scene], np.random.default_rng(0))

    def times(rows, source):
        return [int((source.flatten(1, 2) == row).all(-1).any(1).nonzero()[0]) for row in rows]

    gaps = np.subtract(times(cells.right, keys), times(cells.left, x))
    assert set(gaps.tolist()) == {1, 2}  # of four steps: an eighth and a quarter are one, a half is two
    assert keys[1, 2, 3].tolist() == x[1, 4:6, 6:8].amax((0, 1)).tolist()


# The losses


def test_queries_on_what_moves_look_for_what_moves_at_other_times(make_scene):
    scene = make_scene(3)
    relation = relation_of(scene)
    t = 1

    with torch.no_grad():
        keys = relation.keys(scene)
        loss = loss_of(relation, scene, keys, t, np.random.default_rng(5))
        # `some` draws the queries first; all nine are taken, so only the state of the generator has to follow.
        random = np.random.default_rng(5)
        random.permutation(9)
        tracked = TRACK * track_loss(relation, scene, keys, t, random)

        found = relation.projections()
    x, others = scene.features.numpy().astype(float), [0, 2, 3]
    phi = pooled(scene.features)[others].flatten(0, 2).numpy() @ found.phi_weight.T.numpy() + found.phi_bias.numpy()
    moving = scene.moving_keys[others].flatten().numpy()
    terms = []
    for row in range(2, 5):
        for column in range(t, t + 3):
            theta = found.theta_weight.numpy() @ x[t, row, column] + found.theta_bias.numpy()
            weights = np.exp(phi @ theta)
            terms.append(-np.log((weights / weights.sum() * (moving + 1e-6)).sum()))
    assert float(loss - tracked) == pytest.approx(np.mean(terms), rel=1e-3)


def test_a_query_must_be_on_what_moves_and_something_must_move_at_other_times(make_scene):
    scene = make_scene(0)
    halves = replace(scene, moving=scene.moving * torch.tensor([0.7, 0.69, 1, 1])[:, None, None] + 1e-6)
    alone = scene.moving_keys.clone()
    alone[1:] = 0

    assert queries_on_it(halves, 0).tolist() == [8 * row + column for row in (2, 3, 4) for column in (0, 1, 2)]
    assert queries_on_it(halves, 1).tolist() == []
    assert queries_on_it(replace(scene, moving_keys=alone), 0).tolist() == []


def test_places_are_carried_from_frame_to_frame_and_back():
    flow = torch.zeros(3, 4, 4, 2)
    flow[0, 0, 0] = torch.tensor([0.25, 0.0])  # frame 0 to 1: from the first cell to the one on its right
    flow[1, 0, 1] = torch.tensor([0.0, 0.5])
    flow[1, 0, 0] = torch.tensor([0.9, 0.9])  # not on the way
    place = torch.tensor([[0.1, 0.1]])

    assert carried(flow, place, 0, 2)[0].tolist() == pytest.approx([0.35, 0.6])
    assert carried(flow, place, 0, 0).equal(place)
    # Backwards the flow of the frame before is read where the place is now, not where it came from.
    assert carried(flow, torch.tensor([[0.1, 0.1]]), 1, 0)[0].tolist() == pytest.approx([-0.15, 0.1])


@pytest.mark.parametrize(("rows", "columns"), [(8, 8), (7, 5)])
def test_keys_near_a_place_have_their_centre_within_a_key_of_it(rows, columns):
    places = np.random.default_rng(0).random((50, 2))

    near = keys_near(torch.from_numpy(places).float(), rows, columns).numpy()

    expected = [
        [
            abs(y * rows / 2 - (h + 0.5)) < 0.99 and abs(x * columns / 2 - (w + 0.5)) < 0.99
            for h in range(rows // 2)
            for w in range(columns // 2)
        ]
        for x, y in places
    ]
    assert near.tolist() == expected


def test_following_the_flow_is_lost_where_phi_lies_elsewhere(make_scene):
    scene = make_scene(0)
    relation = relation_of(scene)

    def loss(where):
        """All affinity of every query on the keys for which `where` is true of their column."""
        keys = torch.zeros(STEPS, 4, 4, 5)
        keys[:, :, where] = 1
        relation.queries = lambda cells: torch.full((len(cells), 5), 20.0)
        return float(track_loss(relation, flowing, keys.flatten(1, 2), 0, np.random.default_rng(0)))

    flowing = replace(scene, flow=scene.flow + torch.tensor([1.0, 0.0]))  # everything leaves at once to the right
    assert loss([0]) == 0  # so nothing is asked
    flowing = replace(scene, flow=torch.zeros_like(scene.flow))
    assert loss([0, 1, 2, 3]) == pytest.approx(np.log(16 / 4), abs=0.5)  # about four of sixteen keys are near
    assert loss([0]) > 5


@pytest.mark.parametrize(("t", "reached"), [(0, 3), (STEPS - 1, 0)], ids=["forward", "back"])
def test_the_flow_is_followed_forward_to_later_steps_and_back_to_earlier_ones(make_scene, t, reached):
    scene = replace(make_scene(0), flow=torch.tensor([0.1, 0.0]).expand(7, 4, 4, 2))
    relation = relation_of(scene)
    relation.queries = lambda cells: torch.full((len(cells), 5), 2.0)
    losses = {}
    for column in (0, 3):
        keys = torch.zeros(STEPS, 4, 4, 5)
        keys[:, :, column] = 1  # all affinity lies there
        losses[column] = track_loss(relation, scene, keys.flatten(1, 2), t, np.random.default_rng(0))

    assert min(losses, key=losses.get) == reached


def test_projections_are_the_relation_of_features_as_they_are(make_scene):
    scene = make_scene(0)
    relation = relation_of(scene)

    found = relation.projections()

    x, keys = scene.features.float().flatten(0, 2), pooled(scene.features).flatten(1, 2)
    with torch.no_grad():
        assert torch.allclose(relation.queries(x), x @ found.theta_weight.T + found.theta_bias, atol=1e-5)
        assert torch.allclose(relation.keys(scene), keys @ found.phi_weight.T + found.phi_bias, atol=1e-5)


def test_the_pull_is_the_square_of_how_far_the_weights_have_gone(make_scene):
    relation = Relation(relation_of(make_scene(0)).start)
    assert relation.pull() == 0

    relation.phi.weight.data[2, 1] += 0.5  # of five rows; means over the columns

    assert relation.pull().item() == pytest.approx(0.25 / CHANNELS)


# The fit


def test_a_fit_raises_the_held_back_mass_and_lowers_the_loss(make_scene):
    scenes, held_back = [make_scene(n) for n in range(8)], [make_scene(n) for n in range(8, 10)]
    held_back.append(replace(make_scene(10), understood=False))  # not measured

    found = fit(scenes, held_back, inner=4, steps=40, random=np.random.default_rng(0), tell=print)

    assert found.before.queries == found.after.queries == 2 * STEPS * 9
    assert found.after.chance == pytest.approx(9 / 64)
    assert found.after.mass > 1.1 * found.before.mass > found.after.chance
    assert found.after.loss < found.before.loss


def test_the_pull_holds_the_weights_near_the_closed_form(make_scene, monkeypatch):
    scenes, gone = [make_scene(n) for n in range(2)], []
    for pull in (0.0, 100.0):
        monkeypatch.setattr("nonlocal_core.learn.relate.PULL", pull)
        relation = Relation(relation_of(scenes[0]).start)
        descend(relation, scenes, steps=20, random=np.random.default_rng(0), tell=print)
        gone.append(relation.pull().item())

    assert gone[1] < 0.5 * gone[0]


def test_a_fit_is_the_same_for_the_same_seed_and_another_for_another(make_scene):
    scenes = [make_scene(n) for n in range(3)]

    def weights(seed):
        torch.manual_seed(seed + 17)  # torch's own generator must not matter
        found = fit(scenes, (), inner=4, steps=3, random=np.random.default_rng(seed % 2), tell=print)
        return found.projections.theta_weight

    assert weights(0).equal(weights(2))
    assert not weights(0).equal(weights(1))


def test_without_steps_the_closed_form_stays(make_scene):
    found = fit([make_scene(0)], [make_scene(1)], inner=4, steps=0, random=np.random.default_rng(0), tell=print)

    assert found.projections.theta_weight.equal(found.projections.phi_weight)
    assert found.after == found.before


def test_nothing_held_back_is_nan_and_no_error(make_scene):
    found = fit([make_scene(0)], (), inner=4, steps=1, random=np.random.default_rng(0), tell=print)

    assert np.isnan([found.after.loss, found.after.mass, found.after.chance]).all()
    assert found.after.queries == 0


def test_a_fit_needs_something_that_moves_and_two_time_steps(make_scene):
    def fitted(scene):
        return fit([scene], (), inner=4, steps=1, random=np.random.default_rng(0), tell=print)

    with pytest.raises(TrainingFailed, match="in none of 1 windows something is seen to move"):
        fitted(make_scene(0, moves=False))
    with pytest.raises(InvalidSpec, match="single time step"):
        fitted(make_scene(0, steps=1))


# The network and the command

STAGE = "mixed_3c"  # 480 channels


@pytest.fixture(scope="module")
def small_file(tmp_path_factory):
    """I3D as it ships, without blocks, for clips of 16 frames of 64 px."""
    shipped = read_checkpoint(DEFAULT.weights)
    small = {"frames": 16, "stride": 1, "size_px": 64, "short_side_px": 64, "blocks": ()}
    header = replace(shipped.header, spec=DEFAULT.spec.model_copy(update=small))
    path = tmp_path_factory.mktemp("small") / "small.safetensors"
    write_checkpoint(path, replace(shipped, header=header))
    return path


@pytest.fixture(scope="module")
def small(small_file):
    return nl.load_model(small_file)


def test_fitted_blocks_relate_as_fitted_and_change_nothing(small):
    random = np.random.default_rng(0)
    weights = [torch.from_numpy(0.02 * random.standard_normal((6, 480), np.float32)) for _ in range(2)]
    found = Projections(weights[0], torch.randn(6), weights[1], torch.randn(6))
    clip = torch.from_numpy(random.standard_normal((1, 3, 16, 64, 64), np.float32))
    features = []
    handle = small.stages[STAGE].register_forward_hook(lambda _m, _i, out: features.append(out[0].permute(1, 2, 3, 0)))

    model = assembled(small, related_spec(small.spec, [STAGE, STAGE], 6), {STAGE: found}, random)

    with torch.no_grad(), recorded_affinities(model) as affinities:
        assert model(clip).equal(small(clip))
    handle.remove()
    theta = features[0] @ found.theta_weight.T + found.theta_bias
    phi = pooled(features[0]) @ found.phi_weight.T + found.phi_bias
    assert torch.allclose(affinities[STAGE].theta[0].permute(1, 2, 3, 0), theta, atol=1e-4)
    assert torch.allclose(affinities[STAGE].phi[0].permute(1, 2, 3, 0), phi, atol=1e-4)
    assert model.blocks[STAGE].g.weight.std().item() == pytest.approx(480**-0.5, rel=0.1)


def relate(*arguments):
    parser = argparse.ArgumentParser()
    declare_relate(parser.add_subparsers())
    return run(parser, ["relate", *map(str, arguments)])


def test_the_command_relates_films_of_moving_squares(small, small_file, tmp_path, capsys):
    pytest.importorskip("cv2")
    films, scratch = square_films(tmp_path / "films", 5), tmp_path / "scratch"
    scratch.mkdir()
    asked = ["--model", small_file, "--blocks", STAGE, "--inner", "16", "--scratch", scratch, "--restore", "0"]
    asked += ["--closed-form"]  # of no stage

    for name in ("a", "b"):
        assert relate(films, "--out", tmp_path / f"{name}.safetensors", *asked, "--steps", "20", "--seed", "3") == 0

    printed = capsys.readouterr()
    assert "4 windows to fit (4 with something that moves by itself), 1 held back" in printed.err
    table = printed.out.splitlines()
    loss, lower, mass, higher = (float(table[1].split()[n]) for n in (1, 3, 4, 6))
    assert lower < loss
    assert higher > mass > float(table[1].split()[7])  # chance
    first, second = (read_checkpoint(tmp_path / f"{name}.safetensors") for name in ("a", "b"))
    assert all((first.tensors[name] == second.tensors[name]).all() for name in first.tensors)
    (block,) = first.header.spec.blocks
    assert (block.after, block.kind, block.inner_channels, block.norm) == (STAGE, "embedded_gaussian", 16, "affine")
    assert first.header.labels == small.labels
    assert first.header.provenance["videos"] == "5"
    assert first.header.provenance["seed"] == "3"
    assert first.header.provenance["data"] == "films"
    assert list(scratch.iterdir()) == []
    clip = torch.randn(1, 3, 16, 64, 64)
    with torch.no_grad():
        assert nl.load_model(tmp_path / "a.safetensors")(clip).equal(small(clip))


def test_stages_may_stay_where_the_closed_form_puts_them(small_file, tmp_path):
    pytest.importorskip("cv2")
    films, out = square_films(tmp_path / "films", 2), tmp_path / "out.safetensors"
    asked = ["--model", small_file, "--blocks", "mixed_3c", "mixed_4b", "--inner", "8", "--steps", "2"]

    assert relate(films, "--out", out, *asked, "--restore", "0", "--closed-form", "mixed_3c") == 0

    tensors = read_checkpoint(out).tensors
    alike = {name: (tensors[f"blocks.{name}.theta.weight"] == tensors[f"blocks.{name}.phi.weight"]).all()
             for name in ("mixed_3c", "mixed_4b")}  # fmt: skip
    assert alike == {"mixed_3c": True, "mixed_4b": False}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--blocks", "mixed_4b", "mixed_9z"], "no stage mixed_9z for a block; blocks may follow mixed_3b"),
        (["--blocks", "mixed_4b", "mixed_3c", "--inner", "481"], "--inner 481 is more than the 480 channels"),
        (["--out", "missing/a.safetensors"], "no folder missing"),
        (["--scratch", "missing"], "no folder missing"),
    ],
)
def test_what_cannot_work_is_refused_before_the_work(small_file, tmp_path, capsys, monkeypatch, asked, said):
    pytest.importorskip("cv2")
    monkeypatch.chdir(tmp_path)
    films = square_films(tmp_path / "films", 1)

    assert relate(films, "--out", "a.safetensors", "--model", small_file, *asked) == 1

    assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["films"]


@pytest.mark.parametrize("option", ["--inner", "--windows"])
def test_numbers_start_at_one(option, capsys):
    with pytest.raises(SystemExit):
        relate("films", "--out", "a.safetensors", option, "0")

    assert "'0' is not a number from 1 on" in capsys.readouterr().err


def test_the_spec_keeps_all_but_its_blocks():
    spec = related_spec(SPEC, ["mixed_4b", "mixed_3c"], 7)

    assert [block.after for block in spec.blocks] == ["mixed_4b", "mixed_3c"]
    assert spec.model_copy(update={"blocks": ()}) == SPEC
