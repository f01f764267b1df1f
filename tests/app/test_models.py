"""One video, two networks: asked again without another upload, each with its card."""

import pytest

API = "/api/v1/clips"


@pytest.fixture(scope="module")
def two(two_models_server, sample):
    """A server of two models, and a clip of the default one, done."""
    clip_id = two_models_server.upload(sample).json()["id"]
    assert two_models_server.finish(clip_id)["state"] == "done"
    return two_models_server, clip_id


def test_a_model_file_has_a_card_with_its_stem_and_no_path(two):
    server, _ = two
    default, late = server.http.get("/api/v1/models").json()["models"]

    assert (default["name"], default["default"], default["random_weights"]) == ("default", True, False)
    assert (late["name"], late["default"], late["random_weights"]) == ("late-blocks", False, True)
    assert [block["after"] for block in late["spec"]["blocks"]] == ["mixed_4e", "mixed_4f"]
    assert "weights" not in late


def test_the_same_video_is_asked_again_of_another_model_without_an_upload(two):
    server, clip_id = two
    response = server.http.post(f"{API}/{clip_id}/again", params={"model": "late-blocks"})
    assert response.status_code == 202

    again = server.finish(response.json()["id"])

    assert again["state"] == "done"
    assert again["model"] == "late-blocks"
    assert again["id"] != clip_id
    first = server.clip(clip_id)
    assert all(again[key] == first[key] for key in ("sha256", "filename", "bytes", "video", "start_s"))
    videos = [server.data / "clips" / clip / "video" for clip in (clip_id, again["id"])]
    assert videos[0].samefile(videos[1])
    blocks = server.http.get(f"{API}/{again['id']}/blocks").json()["blocks"]
    assert [block["name"] for block in blocks] == ["mixed_4e", "mixed_4f"]
    assert server.http.post(f"{API}/{clip_id}/again", params={"model": "late-blocks"}).status_code == 200


def test_another_start_is_another_clip_and_the_same_one_is_known(two):
    server, clip_id = two
    other = server.http.post(f"{API}/{clip_id}/again", params={"start_s": 0.5})

    assert other.status_code == 202
    assert other.json()["start_s"] == 0.5
    assert server.http.post(f"{API}/{clip_id}/again").json()["id"] == clip_id
    assert server.http.delete(f"{API}/{other.json()['id']}").status_code == 204
    assert server.http.get(f"{API}/{clip_id}/frames.jpg").status_code == 200


@pytest.mark.parametrize(
    ("params", "status"), [({"model": "i4d"}, 404), ({"start_s": "nan"}, 422), ({"start_s": -1}, 422)]
)
def test_a_bad_wish_is_refused_in_words(two, params, status):
    server, clip_id = two
    response = server.http.post(f"{API}/{clip_id}/again", params=params)

    assert response.status_code == status
    assert response.json()["error"]["message"]
    assert list((server.data / "uploads").iterdir()) == []


def test_a_clip_that_is_not_there_cannot_be_asked_again(two):
    server, _ = two

    assert server.http.post(f"{API}/nobody/again").status_code == 404


def test_a_form_without_javascript_asks_again_too(two):
    server, clip_id = two
    response = server.http.post(f"/clips/{clip_id}/again", data={"model": "default"})

    assert response.status_code == 303
    assert response.headers["location"] == f"/clips/{clip_id}"
