from collections import Counter
from io import BytesIO
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

from benchmarks.digits import LOOKS, NAMES, PIXELS, pairs, write_zip
from benchmarks.digits_captions import END, LENGTH, SIDES, VOCABULARY, template, tokenizer

DRAWINGS = {"model": 1077, "train": 160, "dev": 160, "test": 400}


def drawn(part):
    """Every drawing of a part, as its pixels."""
    images = pairs(part, DRAWINGS[part], 0).images[:, 8:24]
    return {half.tobytes() for image in images for half in (image[:, :16], image[:, 16:])}


def test_no_drawing_is_in_two_parts():
    parts = [drawn(part) for part in DRAWINGS]
    assert sum(map(len, parts)) == len(set().union(*parts)) == sum(DRAWINGS.values()) == 1797


def test_an_image_shows_the_digits_it_is_said_to_show():
    one, other = (pairs("test", 400, seed) for seed in (0, 1))
    for half, side in ((slice(0, 16), "left"), (slice(16, 32), "right")):
        known = {
            image[:, half].tobytes(): digit
            for image, digit in zip(one.images, getattr(one, side), strict=True)
        }
        for image, digit in zip(other.images, getattr(other, side), strict=True):
            assert known[image[:, half].tobytes()] == digit


@pytest.mark.parametrize("n", [10, 40, 160])
def test_right_digits_are_spread_evenly(n):
    assert np.bincount(pairs("dev", n, 5).right).tolist() == [n // 10] * 10


def test_left_and_right_are_independent():
    made = pairs("test", 400, 0)
    assert 20 <= (made.left == made.right).sum() <= 60  # 40 expected


def test_a_seed_is_an_image():
    first, again, other = (pairs("train", 20, seed).images for seed in ((7, 1), (7, 1), (7, 2)))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_dataset_has_a_folder_for_each_label(tmp_path):
    write_zip(tmp_path / "digits.zip", shots=2, seed=3)
    with ZipFile(tmp_path / "digits.zip") as file:
        names = file.namelist()
        dates = {info.date_time[:3] for info in file.infolist()}
        images = [Image.open(BytesIO(file.read(name))) for name in names]
    folders = Counter(name.rpartition("/")[0] for name in names)
    assert folders == {
        f"{part}/{name}": shots
        for part, shots in (("train", 2), ("dev", 2), ("test", 40))
        for name in NAMES
    }
    assert dates == {(1980, 1, 1)}
    assert {(image.format, image.size) for image in images} == {("PNG", (PIXELS, PIXELS))}


def test_the_label_is_the_right_digit(tmp_path):
    write_zip(tmp_path / "digits.zip", shots=1, seed=3)
    test = pairs("test", 400, 0)
    known = dict(zip((image[:, 16:].tobytes() for image in test.images), test.right, strict=True))
    with ZipFile(tmp_path / "digits.zip") as file:
        for name in file.namelist():
            if name.startswith("test/"):
                image = np.asarray(Image.open(BytesIO(file.read(name))))
                assert name.split("/")[1] == NAMES[known[image[:, 16:].tobytes()]]


def test_the_same_arguments_write_the_same_bytes(tmp_path):
    files = [tmp_path / name for name in ("first", "again", "seed", "look")]
    for file, seed, look in zip(
        files, (3, 3, 4, 3), ("clean", "clean", "clean", "faded"), strict=True
    ):
        write_zip(file, shots=1, seed=seed, look=look)
    first, again, *others = (file.read_bytes() for file in files)
    assert first == again
    assert first not in others


@pytest.mark.parametrize("wrong", [{"shots": 0}, {"shots": 17}, {"look": "blue"}])
def test_no_dataset_of_what_there_is_not(tmp_path, wrong):
    with pytest.raises(ValueError, match=str(*wrong.values())):
        write_zip(tmp_path / "digits.zip", **wrong)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("look", LOOKS)
def test_a_look_keeps_darker_darker(look):
    shades = np.arange(256, dtype=np.uint8)
    assert (np.diff(LOOKS[look](shades).astype(int)) >= 0).all()


def test_captions_are_of_words_that_the_tokenizer_knows_and_fit():
    words, random = tokenizer(), np.random.default_rng(0)
    end = VOCABULARY.index(END)
    for side in ("left", "right", "either"):
        for effort in (0.0, 0.5, 1.0):
            for _ in range(200):
                caption = template(side, effort, random)
                ids = words.encode(caption.replace("{label}", "seven")).ids
                assert len(ids) <= LENGTH, caption
                assert ids[-1] == end == max(ids), caption
                assert caption.count("{label}") == 1


@pytest.mark.parametrize(("side", "other"), [("left", "right"), ("right", "left")])
def test_a_caption_names_its_side_and_no_other(side, other):
    random = np.random.default_rng(0)
    for _ in range(200):
        words = template(side, 1.0, random).replace(":", " ").split()
        assert set(words) & set(SIDES[side])
        assert not set(words) & set(SIDES[other])


def test_a_caption_of_either_names_none_or_both():
    random = np.random.default_rng(0)
    named = {
        (bool(words & {*SIDES["left"]}), bool(words & {*SIDES["right"]}))
        for words in (set(template("either", 1.0, random).split()) for _ in range(200))
    }
    assert named == {(False, False), (True, True)}


def test_the_easiest_captions():
    random = np.random.default_rng(0)
    made = {template(side, 0.0, random) for side in ("left", "right", "either") for _ in range(50)}
    assert made == {"left {label}", "right {label}", "{label}"}


def test_words_are_known_whatever_their_case_and_others_are_unknown():
    assert tokenizer().encode("The RIGHT zebra.").tokens == [
        "<start>",
        "the",
        "right",
        "<unknown>",
        ".",
        "<end>",
    ]


def test_no_word_is_there_twice():
    assert len(VOCABULARY) == len(set(VOCABULARY))
