"""A model made of arithmetic that writes: it repeats as much as its soft prompt lets through."""

from collections.abc import Sequence

from backends.base import Query
from tests.toy import ToyBackend, confidence


class ToyWriter(ToyBackend):
    """Repeats the first words of what it is shown: all of them with a soft prompt of ones.

    A text prompt that says "all" does as much.
    """

    def generate(
        self,
        queries: Sequence[Query],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        samples: Sequence[int] | None = None,
    ) -> list[str]:
        self.calls.append(list(queries))
        return [_repeated(query, max_tokens) for query in queries]


def _repeated(query: Query, max_tokens: int) -> str:
    words = query.before.split()
    share = 1.0 if words[:1] == ["all"] else max(0.0, confidence(query.soft) / 4)
    return " ".join(words[: min(max_tokens, round(share * len(words)))])
