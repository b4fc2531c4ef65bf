"""The small models of every family, each made and opened once."""

from functools import cache

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from backends.local.causal import Causal
from backends.local.masked import Masked
from backends.local.seq2seq import Seq2Seq
from tests.backends.local import tiny


def pytest_configure(config):
    config.addinivalue_line("markers", "hub: loads real models, by network; see test_hub.py")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Two slow each other down in small models, where others compute."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def kind_of(family):
    return Causal if family in tiny.CAUSAL else Seq2Seq if family in tiny.SEQ2SEQ else Masked


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory):
    """Family -> the folder with its model."""
    return cache(lambda family: str(tiny.build(family, tmp_path_factory.mktemp(family))))


@pytest.fixture(scope="session")
def opened(folder_of):
    """Family -> our backend."""
    return cache(lambda family: kind_of(family)(folder_of(family), threads=2))


@pytest.fixture(scope="session")
def plain(folder_of):
    """Family -> the same weights and tokenizer, as transformers loads them."""
    from transformers import (
        AutoModelForCausalLM,
        AutoModelForMaskedLM,
        AutoModelForSeq2SeqLM,
        AutoTokenizer,
    )

    heads = {Masked: AutoModelForMaskedLM, Causal: AutoModelForCausalLM}

    @cache
    def load(family):
        head = heads.get(kind_of(family), AutoModelForSeq2SeqLM)
        model = head.from_pretrained(folder_of(family)).eval()
        return model, AutoTokenizer.from_pretrained(folder_of(family))

    return load
