"""The tiny CLIP of these tests, as we open it and as open_clip does, and images for it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("open_clip")

import open_clip
import torch
from PIL import Image

from backends.base import Query
from backends.clip.model import Clip
from tests.backends.clip import tiny


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """For the plain forwards of these tests: several would wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def make_folder(tmp_path_factory) -> Callable[..., Path]:
    return lambda **changes: tiny.write(tmp_path_factory.mktemp("clip"), **changes)


@pytest.fixture(scope="session")
def folder(make_folder) -> Path:
    return make_folder()


@pytest.fixture(scope="session")
def clip(folder) -> Clip:
    return Clip(str(folder), threads=2)


@pytest.fixture(scope="session")
def reference(folder):
    """The same weights as open_clip opens them: model, preprocessing, tokenizer."""
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    return model.eval(), preprocess, open_clip.get_tokenizer(f"local-dir:{folder}")


@pytest.fixture(scope="session")
def files() -> list[bytes]:
    """Six images of unlike shapes, smooth enough to be told apart."""
    random = np.random.default_rng(1)
    images = [
        Image.fromarray(random.integers(0, 256, (3, 4, 3), dtype=np.uint8)).resize(size)
        for size in [(40, 50), (32, 32), (70, 20), (33, 31), (64, 64), (8, 9)]
    ]
    return [tiny.file_of(image) for image in images]


@pytest.fixture
def queries(files) -> list[Query]:
    return [Query("a photo of a ", ".", image=file) for file in files]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
