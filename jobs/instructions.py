"""The instruction that a search over texts starts from. Searches nothing, asks no model."""

from jobs.methods.base import Problem
from jobs.task import Task

LONGEST_LIST = 1_000  # characters of label words that are still named


def generic_instruction(task: Task) -> str:
    """A plain instruction that names the label words, unless there are too many to read.

    >>> generic_instruction(Task("{prompt} {text}", {"neg": "bad", "pos": "great"}))
    'Read the text carefully. Decide which answer fits it best: bad or great.'
    """
    words = [" ".join(word.split()) for word in task.words]
    named = " or ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
    choice = f": {named}" if named and len(named) <= LONGEST_LIST else ""
    return f"Read the text carefully. Decide which answer fits it best{choice}."


def starting_text(given: str, problem: Problem) -> str:
    """The text given, or else the job's baseline, or else a generic one: the first with words."""
    texts = (given, problem.baseline, generic_instruction(problem.task))
    return next(text for text in texts if text.strip())
