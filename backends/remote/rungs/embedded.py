"""Label scores behind a soft prompt: the query is sent as vectors, its tokens are known here."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from backends.base import BackendRefused, Query
from backends.remote import asking
from backends.remote.asking import Embedded, gap
from backends.remote.embeds import Embeddings
from backends.remote.facts import Facts
from backends.remote.parsing import Answer
from backends.remote.pool import Request
from backends.remote.rungs.base import Asking, after_refused, floor
from backends.remote.rungs.graded import name_tokens, named_tokens

Tokens = tuple[int, ...]


@dataclass(frozen=True)
class Behind:
    """One request a query where labels are one token, one more for each further token of a label.

    Tokens are asked for by number, and labels are cut as the model's own tokenizer cuts them behind
    the text. Where a server takes no numbers, they are looked up among its likeliest tokens.
    """

    facts: Facts
    embeddings: Embeddings

    def asks(self, query: Query, labels: Sequence[str]) -> Asking:
        if refusal := after_refused([query]):
            raise BackendRefused(refusal)
        head, lead = gap(query.before)
        cuts = [self._cut(head, lead + label) for label in labels]
        soft = None if query.soft is None else query.soft[0]
        steps = _steps(cuts)
        answers = yield [
            self._next(self.embeddings.prompt(head, soft, said), ids) for said, ids in steps.items()
        ]
        nats: dict[Tokens, float] = {}
        for (said, ids), values in zip(steps.items(), answers, strict=True):
            nats |= {(*said, token): value for token, value in zip(ids, values, strict=True)}
        return [sum(nats[cut[:end]] for end in range(1, len(cut) + 1)) for cut in cuts]

    def _cut(self, head: str, end: str) -> Tokens:
        """The label's tokens behind the text, or alone where the two would share one."""
        start, whole = self.embeddings.ids(head), self.embeddings.ids(head + end)
        return whole[len(start) :] if whole[: len(start)] == start else self.embeddings.ids(end)

    def _next(self, prompt: Embedded, ids: Sequence[int]) -> Request[list[float]]:
        """The log-probabilities of these tokens as the next one."""
        if self.facts.named:
            read, fields = partial(named_tokens, ids=ids), name_tokens(ids)
        else:
            read = partial(_looked_up, ids=ids)
            fields = {"logprobs": self.facts.logprobs, "return_tokens_as_token_ids": True}
        heat = self.facts.score_temperature
        return asking.request(self.facts, prompt, read, most=1, temperature=heat, **fields)


def _steps(cuts: Sequence[Tokens]) -> dict[Tokens, list[int]]:
    """What has been said of a label -> the tokens that may come next."""
    steps: dict[Tokens, set[int]] = {}
    for cut in cuts:
        for end, token in enumerate(cut):
            steps.setdefault(cut[:end], set()).add(token)
    return {said: sorted(ids) for said, ids in steps.items()}


def _looked_up(answer: Answer, ids: Sequence[int]) -> list[float]:
    position = asking.likeliest(answer, 1)
    told = dict(position.top)
    return [told.get(f"token_id:{token}", floor(position)) for token in ids]
