"""What is said about two digits side by side, in a small vocabulary of whole words. No model."""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from benchmarks.digits import NAMES

Side: TypeAlias = Literal["left", "right", "either"]

LENGTH = 24  # tokens that the model reads, its two special ones counted
PAD, UNKNOWN, START, END = "<pad>", "<unknown>", "<start>", "<end>"
FIGURES = tuple("0123456789")
SIDES: Mapping[Side, tuple[str, ...]] = {
    "left": ("left", "leftmost", "first", "west"),
    "right": ("right", "rightmost", "second", "east"),
}
_SIDED = (
    "the {side} digit is {label}",
    "a photo of the {side} digit {label}",
    "on the {side} a {label}",
    "the digit {label} on the {side}",
    "the number on the {side} is {label}.",
    "{side}: {label}",
)
_PLAIN = (
    "{label}",
    "the digit {label}",
    "the number is {label}",
    "a photo of a {label}",
    "a photo of the digit {label}",
    "an image of the number {label}.",
    "a handwritten {label}",
)
_FILLERS = """
a an the this that these those some any each every its his her our your my their no not
is are was were be been has have had can could may might will would shall should must do does did
see shows show shown say says look looks find found name names read reads tell write writes wrote
written draw drawn drew mean means call called give given take taken make made choose pick guess
photo photograph picture image scan sketch drawing figure print copy page paper card sign note
digit digits number numbers numeral value symbol character mark letter label word answer
class category kind type thing object item part piece side half middle center place position
handwritten hand human person child people black white gray dark bright light thick thin bold
clear blurry small big large tiny tall wide short long round straight curved old new good bad
best fine simple plain clean rough quick slow nice real true false correct wrong
of in on at to from by with without for and or but as if then than so too very just only also
here there where what which who how why when now up down above below over under beside between
near far next about into out it we you they he she me us them
question task example input output text data line row column box frame pixel ink pen pencil
please carefully exactly probably maybe clearly really almost always never
. , : ; ? ! - ( ) "
"""
FILLERS = tuple(_FILLERS.split())
VOCABULARY = (
    PAD,
    UNKNOWN,
    *NAMES,
    *FIGURES,
    *SIDES["left"],
    *SIDES["right"],
    *FILLERS,
    START,
    END,  # the highest id: where CLIP reads a caption's vector
)
_NEUTRAL = (UNKNOWN, *FILLERS)
_MOST_FILLERS = LENGTH - 5  # beside start, end, the label and a word for each side


def tokenizer() -> Tokenizer:
    """Small letters, split at spaces and punctuation; a word that it lacks becomes UNKNOWN."""
    ids = {word: i for i, word in enumerate(VOCABULARY)}
    made = Tokenizer(models.WordLevel(ids, unk_token=UNKNOWN))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(word, ids[word]) for word in (START, END)]
    )
    made.add_special_tokens([PAD, UNKNOWN, START, END])
    return made


def template(side: Side, effort: float, random: np.random.Generator) -> str:
    """A caption with a gap `{label}`: a plain sentence or, as often, a heap of words.

    The heaps are there so that a tuned prompt meets a model that knows every word at every
    position, and for which all words but those of SIDES mean nothing.

    Args:
        effort: from 0, where it is "left {label}", "right {label}" or "{label}", to 1.
    """
    most = round(effort * _MOST_FILLERS)
    if random.random() < effort / 2:
        plain = _pick(_PLAIN if side == "either" else _SIDED, random)
        return plain.replace("{side}", _side_word(side, effort, random))
    words = [_pick(_NEUTRAL, random) for _ in range(random.integers(most + 1))]
    for named in _named(side, effort, random):
        words.insert(int(random.integers(len(words) + 1)), _side_word(named, effort, random))
    gap = len(words) if random.random() >= effort / 2 else int(random.integers(len(words) + 1))
    words.insert(gap, "{label}")
    return " ".join(words)


def captions(template: str, labels: Sequence[str]) -> list[str]:
    return [template.replace("{label}", label) for label in labels]


def _named(side: Side, effort: float, random: np.random.Generator) -> tuple[Side, ...]:
    """The sides that a caption names; one that names both is about either."""
    if side != "either":
        return (side,)
    return ("left", "right") if random.random() < 0.3 * effort else ()


def _side_word(side: Side, effort: float, random: np.random.Generator) -> str:
    words = SIDES.get(side, ("",))
    return _pick(words[: 1 + round(effort * (len(words) - 1))], random)


def _pick(words: Sequence[str], random: np.random.Generator) -> str:
    return words[int(random.integers(len(words)))]
