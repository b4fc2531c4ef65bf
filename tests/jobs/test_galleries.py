import json
import struct

import pytest
from sqlmodel import select

import jobs.images
from jobs.catalog import IdTaken, NoSuchDataset, NoSuchImage, Upload
from jobs.datasets import BadDataset, Reading
from jobs.galleries import read_gallery
from jobs.models import ImageRow
from jobs.pictures import NO_PICTURES
from jobs.readers import BadFile
from tests.hostile_zips import HOSTILE
from tests.image_files import COLORS, SIZES, in_classes, in_splits, picture, zipped

SPLITS = zipped(in_splits())
JUNK = {
    "__MACOSX/train/red/._0.png": b"x",
    ".DS_Store": b"x",
    "train/red/.hidden": b"x",
    "train/Thumbs.db": b"x",
    "train/": b"",
}


def upload(data, name="pets.zip"):
    return Upload(name, data)


def rows(files):
    return [dict(row) for row in read_gallery(zipped(files)).rows]


def name(data):
    return jobs.images.Album().add(data).name


def test_splits_and_labels_by_folders():
    files = in_splits()
    table = read_gallery(zipped(files))
    assert (table.columns, table.image_column) == (("image", "label", "split"), "image")
    assert {(row["split"], row["label"], row["image"]) for row in table.rows} == {
        (*path.split("/")[:2], name(data)) for path, data in files.items()
    }
    assert {image.data for image in table.images.values()} == set(files.values())


def test_labels_by_folders():
    table = read_gallery(zipped(in_classes(3)))
    assert table.columns == ("image", "label")
    assert [row["label"] for row in table.rows] == ["blue"] * 3 + ["red"] * 3


def test_the_order_in_the_zip_is_of_no_account():
    files = in_splits()
    assert rows(files) == rows(dict(reversed(files.items())))


@pytest.mark.parametrize("more", [{}, JUNK])
@pytest.mark.parametrize("prefix", ["", "my pets/", "./"])
def test_junk_and_a_folder_around_everything_are_passed_over(prefix, more):
    packed = {prefix + path: data for path, data in {**more, **in_splits()}.items()}
    assert rows(packed) == rows(in_splits())


def test_a_split_is_no_folder_around_everything():
    only_train = {path: data for path, data in in_splits().items() if path.startswith("train")}
    assert {row["split"] for row in rows(only_train)} == {"train"}


MANIFEST = [
    {"image": "files/a.png", "label": "yes", "caption": "one, two"},
    {"image": "b.jpg", "label": "no", "caption": "three"},
    {"image": "b.jpg", "label": "yes", "caption": "four"},
]
A, B = picture(color="red"), picture("JPEG", "blue")


@pytest.mark.parametrize("prefix", ["", "pets/"])
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_rows_of_a_manifest(kind, prefix):
    lines = ["label,caption,image"]
    lines += ['{label},"{caption}",{image}'.format(**row) for row in MANIFEST]
    if kind == "jsonl":
        lines = [json.dumps(row) for row in MANIFEST]
    files = {f"manifest.{kind}": "\n".join(lines).encode(), "files/a.png": A, "b.jpg": B}
    files["unused.txt"] = b"nobody names it"
    table = read_gallery(zipped({prefix + path: data for path, data in files.items()}))
    assert table.columns[0] == "image" and set(table.columns) == {"image", "label", "caption"}
    names = {"files/a.png": name(A), "b.jpg": name(B)}
    assert list(table.rows) == [{**row, "image": names[row["image"]]} for row in MANIFEST]
    assert table.images.keys() == set(names.values())


def test_an_image_that_many_rows_name_is_read_once(monkeypatch):
    monkeypatch.setattr(jobs.images, "ALBUM_BYTES", len(A))
    lines = ["image,label", *(f"a.png,label {n}" for n in range(5))]
    table = read_gallery(zipped({"manifest.csv": "\n".join(lines).encode(), "a.png": A}))
    assert {row["image"] for row in table.rows} == {name(A)} == table.images.keys()


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_zips_are_refused_and_leave_nothing(case, catalog, database):
    data, words = HOSTILE[case]
    with pytest.raises(BadFile) as refused:
        catalog.add_dataset("bad", upload(data), Reading())
    assert all(word in str(refused.value) for word in words), refused.value
    with pytest.raises(NoSuchDataset):
        catalog.dataset("bad")
    assert stored(database, "bad") == {}


def test_what_a_header_says_of_a_size_is_not_believed():
    files = in_classes()
    true, false = (struct.pack("<I", size) for size in (len(files["red/0.png"]), 4_000_000_000))
    assert true in zipped(files)
    boasting = read_gallery(zipped(files).replace(true, false))
    assert boasting == read_gallery(zipped(files))


def test_all_images_together_have_a_limit(catalog, monkeypatch):
    monkeypatch.setattr(jobs.images, "ALBUM_BYTES", 1000)
    with pytest.raises(BadFile, match=r"'\w+/\w+/\d.png': one too many"):
        catalog.add_dataset("pets", upload(SPLITS), Reading())


def stored(database, id_):
    with database.reading() as session:
        found = session.exec(select(ImageRow).where(ImageRow.dataset_id == id_)).all()
    return {row.name: row for row in found}


def test_a_dataset_of_images_is_stored_with_them(catalog, database):
    row = catalog.add_dataset("pets", upload(SPLITS), Reading())
    assert (row.columns, row.image_column, row.labels) == (["image"], "image", ["blue", "red"])
    assert row.counts == {split: dict.fromkeys(COLORS, n) for split, n in SIZES.items()}
    images = stored(database, "pets")
    assert {image.data for image in images.values()} == set(in_splits().values())
    example = catalog.rows("pets")[0]
    kept = images[example.inputs["image"]]
    assert (kept.media_type, kept.width, kept.height) == ("image/png", 8, 6)
    assert catalog.image("pets", kept.name) == kept
    pictures = catalog.pictures("pets")
    assert pictures.column == "image"
    assert pictures.files == {image.name: image.data for image in images.values()}
    assert catalog.pictures("colors") is NO_PICTURES
    with pytest.raises(NoSuchImage, match="has no image 'x'"):
        catalog.image("pets", "x")
    with pytest.raises(NoSuchDataset, match="no dataset 'cats'"):
        catalog.image("cats", kept.name)
    catalog.delete_dataset("pets")
    assert stored(database, "pets") == {}


def test_the_same_images_again_are_no_error_and_others_are(catalog, database):
    first = catalog.add_dataset("pets", upload(SPLITS), Reading())
    assert catalog.add_dataset("pets", upload(SPLITS), Reading()) == first
    files = in_splits()
    files["test/red/0.png"] = picture(color=(9, 9, 9))
    with pytest.raises(IdTaken):
        catalog.add_dataset("pets", upload(zipped(files)), Reading())
    assert len(stored(database, "pets")) == len(in_splits())


def test_the_names_of_images_as_texts_are_another_dataset(catalog):
    row = catalog.add_dataset("pets", upload(SPLITS), Reading())
    lines = [
        f"{each.inputs['image']},{each.label},{each.split}"
        for each in catalog.rows("pets", limit=100)
    ]
    table = "\n".join(["image,label,split", *lines]).encode()
    told = catalog.add_dataset("names", Upload("names.csv", table), Reading())
    assert (told.columns, told.counts) == (row.columns, row.counts)
    assert (told.image_column, told.sha256 == row.sha256) == ("", False)


def test_shots_are_drawn_as_of_rows(catalog):
    zip_ = upload(zipped(in_classes(5)))
    row = catalog.add_dataset("pets", zip_, Reading(shots=2, seed=4))
    assert (row.split_source, row.shots, row.seed) == ("drawn", 2, 4)
    assert row.counts["test"] == {"blue": 1, "red": 1}
    with pytest.raises(BadDataset, match="'blue' has 5 rows; 16 shots need"):
        catalog.add_dataset("more", zip_, Reading())


def test_the_image_needs_no_naming_among_the_texts(catalog):
    lines = ["image,label,caption,source"]
    files = in_classes(3)
    lines += [f"{path},{path[:3]},a {n},b" for n, path in enumerate(files)]
    files["manifest.csv"] = "\n".join(lines).encode()
    reading = Reading(shots=1, text_columns=("caption",))
    row = catalog.add_dataset("pets", upload(zipped(files)), reading)
    assert (row.columns, row.image_column) == (["image", "caption"], "image")


def test_a_zip_of_the_service_s_own_is_built_in(catalog, monkeypatch, tmp_path):
    (tmp_path / "pets.zip").write_bytes(SPLITS)
    monkeypatch.setattr("jobs.catalog.BUILT_IN", tmp_path)
    monkeypatch.setattr("jobs.catalog.BUILT_IN_DATASETS", ("pets.zip",))
    catalog.add_built_ins()
    catalog.add_built_ins()
    assert catalog.dataset("pets").built_in and len(catalog.pictures("pets").files) == 14
