"""What a language model is asked when a phrase is to be put in other words, and its answer."""

from unicodedata import category

from optimizers.phrases import PAIRS, find_words

ROOM = 40  # characters that a short phrase may grow by


def request(instruction: str, phrase: str) -> str:
    """The text to send: it asks for one other wording of a phrase of the instruction."""
    return (
        "Here is an instruction, and a phrase taken from it. Say the phrase in other words, so "
        "that it means the same and fits in its place. Answer with the new phrase alone.\n\n"
        f"Instruction: {instruction}\n\nPhrase: {phrase}\n\nNew phrase:"
    )


def read(answer: str, phrase: str) -> str:
    """The wording in an answer; empty where there is none that could stand for the phrase.

    It is the first line with words in it, without quotes around it and without a full stop, if
    the phrase has none. One that is more than three times as long as the phrase and 40 characters,
    or holds control signs or half a letter, is none.
    """
    lines = (" ".join(line.split()) for line in answer.splitlines())
    line = next((line for line in lines if find_words(line)), "")
    while (bare := _bare(line, phrase)) != line:
        line = bare
    too_long = len(line) > 3 * len(phrase) + ROOM
    strange = any(category(sign) in ("Cc", "Cs") for sign in line)
    return "" if too_long or strange or not find_words(line) else line


def _bare(line: str, phrase: str) -> str:
    """One pair of quotes or one full stop less, if the phrase is not written with them."""
    if len(line) > 1 and PAIRS.get(line[0]) == line[-1] and line[0] != phrase[0]:
        return line[1:-1].strip()
    return line if phrase[-1] == "." else line.removesuffix(".")
