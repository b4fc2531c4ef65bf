import pytest

from optimizers.edits import delete
from optimizers.phrases import Cut

MARKS = ' ,.:;()"-\n'


def without_x(text):
    """The text without its word x; what else it has of words is one phrase on either side."""
    before, _, behind = text.partition("x")
    head, tail = before.rstrip(MARKS), behind.lstrip(MARKS)
    gaps = [before[len(head) :], behind[: len(behind) - len(tail)]]
    phrases = ("x",)
    if head:
        phrases, gaps = (head, *phrases), ["", *gaps]
    if tail:
        phrases, gaps = (*phrases, tail), [*gaps, ""]
    whole = Cut(phrases, tuple(gaps))
    assert whole.text == text
    return delete(whole, phrases.index("x")).text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a x b", "a b"),
        ("a, x, b", "a, b"),
        ("a x, b", "a, b"),
        ("a. x, b", "a. b"),
        ("a, x. b", "a. b"),
        ("a: x, b", "a: b"),
        ("a - x, b", "a - b"),
        ("a\nx b", "a\nb"),
        ("a x\n\nb", "a\n\nb"),
        ("a    x\nb", "a\nb"),
        ("x b", "b"),
        ("Please, x", "Please"),
        ("x, b", "b"),
        ("a, x.", "a."),
        ("a. x", "a."),
        ("a: x", "a"),
        ("a the x:", "a the:"),
        ("a (x) b", "a b"),
        ('a "x" b', "a b"),
        ('a ("x") b', "a b"),
        ("a (x b", "a (b"),
        ("a (x, b", "a (b"),
        ("a, x) b", "a) b"),
        ("a: (x), b", "a: b"),
        ("- x\n- b", "- b"),
        ("- x. b", "b"),
        ("x - b", "b"),
        ("x\n- b", "b"),
        ("a:\n- x\n- b", "a:\n- b"),
        ("a, x", "a"),
        ("  x b ", "  b "),
        ("a x  ", "a  "),
    ],
)
def test_what_is_left_reads_well(text, wanted):
    assert without_x(text) == wanted
