"""What is here and what can be had."""

import re
from urllib.parse import urlsplit

import pytest

from nonlocal_core.errors import AmbiguousModel, NotFetched, UnknownModel
from nonlocal_core.zoo.cards import CARDS, card_of, cards_of, weights_path
from nonlocal_core.zoo.checkpoint import Checkpoint, Header, write_checkpoint
from nonlocal_core.zoo.published import DIFFERS, PROJECTS, PUBLISHED


@pytest.fixture
def put(tmp_path):
    """A model file in the models folder, with the default model's spec and what its provenance is to tell."""

    def put(name, folder=tmp_path, **provenance):
        header = Header(CARDS["default"].spec, ("a",), provenance)
        folder.mkdir(exist_ok=True)
        write_checkpoint(weights_path(name, folder), Checkpoint(header, {}))
        return weights_path(name, folder)

    return put


def test_the_paper_s_own_checkpoint_is_in_the_list_as_its_authors_tell():
    card = PUBLISHED["vnl-i3d-nl5-32x2"]

    assert (card.claimed_top1, card.claimed_top5, card.kind, card.blocks) == (74.9, 91.6, "embedded_gaussian", 5)
    assert card.url == "https://dl.fbaipublicfiles.com/video-nonlocal/i3d_nonlocal_32x2_IN_pretrain_400k.pkl"
    assert card.digest is None
    assert any("square root" in text for text in card.differs)


def test_every_line_of_the_table_is_a_card_with_an_address_or_none_at_all():
    assert len(PUBLISHED) == 46
    for card in PUBLISHED.values():
        assert re.fullmatch(r"[a-z0-9-]+", card.name)  # it becomes a file name
        assert card.url is None or urlsplit(card.url).path.endswith("/" + card.file)
        assert (card.kind is None) == (card.blocks == 0)
    assert [card.name for card in PUBLISHED.values() if card.url is None] == ["tusharn-i3d-nl5-32x2"]


@pytest.mark.parametrize("project", ["mm", "gluon", "gluonmx", "gluononnx"])
def test_a_digest_is_the_one_in_the_file_s_name(project):
    cards = [card for card in PUBLISHED.values() if card.project == PROJECTS[project].title]

    assert cards
    for card in cards:
        algorithm, _, digest = (card.digest or "").partition(":")
        assert algorithm == ("sha256" if project == "mm" else "sha1")
        assert digest[:8] in card.file


def test_every_difference_is_said_of_something():
    said = {text for card in PUBLISHED.values() for text in card.differs}

    assert said == set(DIFFERS.values())


def test_a_published_model_that_is_not_here_says_how_to_get_it(tmp_path):
    with pytest.raises(NotFetched, match="nonlocal-lens models fetch psf-i3d-nl5-8x8"):
        card_of("psf-i3d-nl5-8x8", tmp_path)


def test_a_fetched_model_is_found_by_its_name_and_carries_its_authors_claims(tmp_path, put):
    put("psf-i3d-nl5-8x8", published="psf-i3d-nl5-8x8")

    card = card_of("psf-i3d-nl5-8x8", tmp_path)

    assert card.claimed_top1 == 74.0
    assert card.source == "PySlowFast, I3D_NLN_8x8_R50.pkl"
    assert "the paper has no such factor" in card.notes[0] + card.notes[1]


def test_random_weights_are_called_that(put, tmp_path):
    put("untrained", weights="random", notes="Made for a test.")

    card = card_of("untrained", tmp_path)

    assert card.random_weights
    assert card.summary.startswith("Random weights")
    assert card.notes == ("Made for a test.",)


def test_people_see_the_name_of_a_file_and_not_its_path(put, tmp_path):
    path = put("mine", tmp_path / "far")

    assert list(cards_of(("default", str(path)), tmp_path)) == ["default", "mine"]


def test_two_files_of_one_name_are_refused(put, tmp_path):
    paths = [str(put("mine", tmp_path / folder)) for folder in ("a", "b")]

    with pytest.raises(AmbiguousModel, match="'mine'"):
        cards_of(paths, tmp_path)


def test_an_unknown_name_tells_what_is_here(put, tmp_path):
    put("mine")

    with pytest.raises(UnknownModel, match="one of default, i3d-observers, mine"):
        card_of("i4d", tmp_path)
