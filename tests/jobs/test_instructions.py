import pytest

from jobs.instructions import generic_instruction, starting_text
from jobs.methods import Problem
from jobs.task import Split, Task
from tests.toy import ToyBackend

HEAD = "Read the text carefully. Decide which answer fits it best"


def task(*words):
    return Task("{prompt} {text}", {str(i): word for i, word in enumerate(words)})


def problem(baseline):
    return Problem(ToyBackend(), task("bad", "great"), Split((), (), ()), baseline, seed=0)


@pytest.mark.parametrize(
    ("words", "end"),
    [
        (["bad", "great"], ": bad or great."),
        (["a", "b", "c d"], ": a, b or c d."),
        (["  so\n so "], ": so so."),
        (["{x}", "%s"], ": {x} or %s."),
        ([], "."),
        ([f"word {i}" for i in range(200)], "."),
    ],
)
def test_a_generic_instruction_names_the_words(words, end):
    assert generic_instruction(task(*words)) == HEAD + end


@pytest.mark.parametrize(
    ("given", "baseline", "wanted"),
    [
        ("mine", "base", "mine"),
        ("", "base", "base"),
        (" \n", " base ", " base "),
        ("", "", f"{HEAD}: bad or great."),
        (" ", "\t", f"{HEAD}: bad or great."),
    ],
)
def test_the_first_text_with_words_is_the_start(given, baseline, wanted):
    assert starting_text(given, problem(baseline)) == wanted
