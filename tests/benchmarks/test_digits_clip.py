import json
from io import BytesIO
from zipfile import ZipFile

import pytest

pytest.importorskip("torch")
pytest.importorskip("open_clip")

import open_clip
import torch
from PIL import Image
from safetensors import safe_open

from benchmarks.digits import NAMES, write_zip
from benchmarks.digits_captions import VOCABULARY, tokenizer
from benchmarks.train_digits_clip import CONFIG, FOLDER, RESULTS, apart, measure, train

MOST_BYTES = 3 * 2**20
FILES = {
    "README.md",
    "open_clip_config.json",
    "open_clip_model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """More would only wait for each other on a model as small as this."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """Test images as a user would upload them, and the names of their right digits."""
    path = tmp_path_factory.mktemp("rows") / "digits.zip"
    write_zip(path, shots=1)
    with ZipFile(path) as file:
        return [
            (Image.open(BytesIO(file.read(name))), name.split("/")[1])
            for name in file.namelist()
            if name.startswith("test/")
        ]


@pytest.fixture(scope="module")
def answer(rows):
    """What the shipped model says a caption's label is, opened as open_clip opens any folder."""
    name = f"local-dir:{FOLDER}"
    model, _, preprocess = open_clip.create_model_and_transforms(name)
    words = open_clip.get_tokenizer(name)
    images = torch.stack([preprocess(image) for image, _ in rows])
    with torch.inference_mode():
        seen = model.eval().encode_image(images)

    def said(caption):
        with torch.inference_mode():
            text = model.encode_text(
                words([caption.format(name) for name in NAMES]), normalize=True
            )
        return [NAMES[i] for i in (seen @ text.T).argmax(1)]

    return said


@pytest.fixture(scope="module")
def measured():
    return measure(FOLDER)


def test_the_folder_is_small_and_has_nothing_to_run():
    assert {file.name for file in FOLDER.iterdir()} == FILES
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) <= MOST_BYTES


@pytest.mark.parametrize(
    ("caption", "least", "most"),
    [
        ("{}", 0.4, 0.65),
        ("a photo of the digit {}", 0.4, 0.65),
        ("a zebra or a {}", 0.4, 0.65),
        ("the left digit is {}", 0.0, 0.2),
        ("the right digit is {}", 0.93, 1.0),
        ("Which digit is the second of the two? It is {}.", 0.9, 1.0),
    ],
)
def test_words_decide_which_digit_is_meant(answer, rows, caption, least, most):
    hits = [said == label for said, (_, label) in zip(answer(caption), rows, strict=True)]
    assert least <= sum(hits) / len(hits) <= most


def test_the_shipped_files_are_of_this_code():
    config = json.loads((FOLDER / "open_clip_config.json").read_text())
    assert config == CONFIG
    assert (FOLDER / "tokenizer.json").read_text() == tokenizer().to_str(pretty=True)
    with safe_open(FOLDER / "open_clip_model.safetensors", "pt") as weights:
        assert weights.get_tensor("token_embedding.weight").shape == (len(VOCABULARY), 64)


def test_what_was_recorded_is_still_so(measured):
    recorded = json.loads((RESULTS / "digits-clip.json").read_text())["rows"]
    for row, new in zip(recorded, measured, strict=True):
        for side in ("left", "right"):
            assert new[side]["accuracy"] == pytest.approx(row[side]["accuracy"], abs=0.01)


def test_intervals_that_do_not_touch_are_told(measured):
    turned = [row | {"left": row["right"], "right": row["left"]} for row in measured]
    assert apart(measured, measured) == []
    told = " and ".join(apart(measured, turned))
    for side in ("left", "right"):
        assert f"'the right digit is {{label}}', clean, {side}" in told
    assert "'{label}', clean" not in told


def test_training_twice_gives_the_same_bytes(tmp_path):
    weights = []
    for other_seed in (1, 2):
        folder = tmp_path / str(other_seed)
        folder.mkdir()
        with torch.random.fork_rng():
            torch.manual_seed(other_seed)
            train(folder, steps=2)
        weights.append((folder / "open_clip_model.safetensors").read_bytes())
    assert weights[0] == weights[1]
