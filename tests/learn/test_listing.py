"""Listings: five kinds of folders and files, and what is said of those that cannot be used."""

import numpy as np
import pytest

from nonlocal_core.errors import UnusableListing
from nonlocal_core.learn.listing import Example, read_listing


@pytest.fixture
def place(tmp_path):
    """A folder in which files can be made: place("a/b.mp4"), or with text."""

    def make(name, text=""):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return make


def test_folders_are_classes_in_the_order_of_their_names(place, tmp_path):
    for name in ("run/b.mp4", "jump/a.MKV", "run/a.webm", "jump/notes.txt", "empty/none.txt", "readme.txt"):
        place(name)

    listing = read_listing(tmp_path)

    assert listing.labelling == "single"
    assert listing.classes == ("jump", "run")
    assert [(example.path.name, example.targets) for example in listing.examples] == [
        ("a.MKV", (0,)),
        ("a.webm", (1,)),
        ("b.mp4", (1,)),
    ]


def test_a_folder_of_videos_is_unlabelled(place, tmp_path):
    for name in ("b.mp4", "a.mp4", "masks/0.png"):
        place(name)

    listing = read_listing(tmp_path)

    assert (listing.labelling, listing.classes) == ("none", ())
    assert listing.examples == (Example(tmp_path / "a.mp4", ()), Example(tmp_path / "b.mp4", ()))
    assert listing.targets(listing.examples).shape == (2, 0)


def test_videos_beside_class_folders_are_refused(place, tmp_path):
    place("a.mp4")
    place("run/b.mp4")

    with pytest.raises(UnusableListing, match=r"a\.mp4.*run.*either every video"):
        read_listing(tmp_path)


def test_a_csv_of_paths_and_labels_has_one_class_a_video(place, tmp_path):
    place("train/a.mp4")
    place("b.mp4")
    source = place("list.csv", f"\ufefflabel,path\nsurfing water,train/a.mp4\n\nabseiling,{tmp_path}/b.mp4\n")

    listing = read_listing(source)

    assert listing.classes == ("abseiling", "surfing water")
    assert listing.examples == (Example(tmp_path / "train/a.mp4", (1,)), Example(tmp_path / "b.mp4", (0,)))
    assert listing.targets(listing.examples).tolist() == [1, 0]


def test_a_csv_of_several_labels_gives_ones_and_zeros(place, tmp_path):
    place("media/a.mp4")
    source = place("list.csv", "path,labels\na.mp4,run; jump;run\nb.mp4,\nc.mp4,swim\n")

    listing = read_listing(source, videos=tmp_path / "media")

    assert (listing.labelling, listing.classes) == ("multi", ("jump", "run", "swim"))
    assert listing.examples[0].path == tmp_path / "media" / "a.mp4"
    targets = listing.targets(listing.examples)
    assert targets.dtype == np.float32
    assert targets.tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]


def test_charades_own_csv_is_read_with_its_157_classes(place):
    place("46GP8.mp4")
    header = "id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length"
    script = '"A person, cooking."'
    source = place(
        "Charades_v1_test.csv",
        f"{header}\n46GP8,HR43,Kitchen,6,7,Yes,{script},food,{script},c092 11.90 21.20;c147 0.00 12.60;c092 1 2,24.83\n"
        f"N11GT,0KZ7,Stairs,6,7,Yes,{script},food,{script},,18.0\n",
    )

    listing = read_listing(source)

    assert (len(listing.classes), listing.classes[0], listing.classes[156]) == (157, "c000", "c156")
    assert listing.examples == (
        Example(source.parent / "46GP8.mp4", (92, 147)),
        Example(source.parent / "N11GT.mp4", ()),
    )
    assert listing.targets(listing.examples).shape == (2, 157)


def test_given_classes_fix_the_numbers_and_the_order(place):
    place("a.mp4")
    source = place("list.csv", "path,label\na.mp4,run\n")

    listing = read_listing(source, classes=("swim", "run", "jump"))

    assert listing.classes == ("swim", "run", "jump")
    assert listing.examples[0].targets == (1,)


def test_a_label_that_is_no_given_class_is_named_with_its_line(place):
    place("a.mp4")
    source = place("list.csv", "path,label\na.mp4,run\na.mp4,fly\n")

    with pytest.raises(UnusableListing, match=r"list\.csv, line 3: 'fly' is none of the 2 classes \(run, swim\)"):
        read_listing(source, classes=("run", "swim"))


def test_a_folder_that_is_no_given_class_is_named(place, tmp_path):
    place("fly/a.mp4")

    with pytest.raises(UnusableListing, match="folder fly: 'fly' is none of the 4 classes"):
        read_listing(tmp_path, classes=("a", "b", "c", "d"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("video,class\na.mp4,run\n", "has the columns 'video,class', but needs one pair of: path,label; path,labels"),
        ("path,label,labels\na.mp4,run,run\n", "needs one pair"),
        ("path,label\na.mp4\n", "line 2 has no 'label'"),
        ("path,label\na.mp4, \n", "line 2 has an empty label"),
        ("path,labels\na.mp4,\n", "no video of the listing has a label"),
        ("path,label\nmissing.mp4,run\n", r"none of the 1 videos .* is there, such as .*missing\.mp4; see --videos"),
        ("path,label\n", "lists no videos"),
        ("", "needs one pair"),
    ],
)
def test_a_csv_that_cannot_be_used_says_why(place, text, message):
    place("a.mp4")

    with pytest.raises(UnusableListing, match=message):
        read_listing(place("list.csv", text))


def test_what_is_no_listing_at_all_says_so(tmp_path):
    (tmp_path / "empty").mkdir()
    noise = tmp_path / "noise.csv"
    noise.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(UnusableListing, match="neither a folder nor a file"):
        read_listing(tmp_path / "missing")
    with pytest.raises(UnusableListing, match="lists no videos"):
        read_listing(tmp_path / "empty")
    with pytest.raises(UnusableListing, match="cannot be read as a CSV"):
        read_listing(noise)
