import pickle

import numpy as np
import pytest

import jobs.serving
from jobs import prompts
from jobs.prompts import SoftPrompt, TextPrompt
from jobs.serving import Served, answer
from jobs.task import Task
from tests.toy import ToyBackend, confidence

TASK = Task("{prompt} {text}", {"b": "blue", "r": "red"})
VECTORS = np.full((1, 2, 4), 0.75, dtype=np.float32)


def served(catalog, prompt):
    kind, content = prompts.kind_of(prompt), prompts.dumps(prompt)
    return Served(catalog.endpoint("minilm"), TASK, kind, content)


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    toy = ToyBackend()
    monkeypatch.setattr(jobs.serving, "open_endpoint", lambda row: toy)
    return toy


def test_answers_of_a_soft_prompt(catalog, toy):
    inputs = [{"text": "so red"}, {"text": "so blue"}]
    red, blue = answer(served(catalog, SoftPrompt(VECTORS)), inputs)
    assert (red.label, blue.label) == ("r", "b")
    certain = 1 / (1 + np.exp(-confidence(VECTORS)))
    assert red.probabilities == {"b": pytest.approx(1 - certain), "r": pytest.approx(certain)}
    assert toy.calls[0][0].soft.tobytes() == VECTORS.tobytes()


def test_answers_of_a_text_prompt(catalog, toy):
    (only,) = answer(served(catalog, TextPrompt("Say:")), [{"text": "red"}])
    assert only.probabilities == {"b": 0.5, "r": 0.5}
    assert toy.calls[0][0].before == "Say: red"


def test_what_is_served_can_be_sent_to_a_process(catalog):
    original = served(catalog, SoftPrompt(VECTORS))
    sent = pickle.loads(pickle.dumps(original))
    assert sent == original
    assert (sent.endpoint.kind, sent.content) == ("encoder", original.content)
