"""A model behind any OpenAI-compatible server, by the powers that its probe has found."""

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.base import Account, BackendRefused, Query
from backends.remote import asking
from backends.remote.asking import Embedded
from backends.remote.connection import connect, tokenize
from backends.remote.embeds import Embeddings
from backends.remote.facts import Facts
from backends.remote.ladder import Ladder, rungs
from backends.remote.parsing import Position
from backends.remote.probe import probe
from backends.remote.rungs.base import after_refused, together
from backends.remote.rungs.chosen import standard_error
from backends.remote.rungs.embedded import Behind
from backends.watching import Heard

_SOFT = "soft prompts need a server with prompt_embeds and the option `embeddings`"


def open_remote(model: str, probed: Mapping[str, Any] | None = None, **options: Any) -> "Remote":
    """The backend of a model: a `SoftRemote` where the probe found that vectors are taken.

    Args:
        model: as the server names it.
        probed: what `probe` found, with the same options; None: it is asked now.
        options: those of the kind "openai" in registry.KINDS.

    Raises:
        BackendRefused: as `probe`; or `scores` names a rung that does not work.
        BackendUnavailable: nobody answers.
    """
    found = probe(model, **options) if probed is None else probed
    soft = options.get("embeddings") is not None and found.get("prompt_embeds") is not None
    return (SoftRemote if soft else Remote)(model, found, **options)


class Remote:
    """Scores labels by the best rung that works, and writes texts. `rung` names it."""

    def __init__(
        self,
        model: str,
        probed: Mapping[str, Any] | None = None,
        *,
        route: str = "auto",
        scores: str = "auto",
        samples: int = 16,
        **options: Any,
    ) -> None:
        """Opens the connections. Arguments and errors are those of `open_remote`."""
        asked = {"route": route, "scores": scores, "samples": samples, **options}
        facts = Facts.from_json(probe(model, **asked) if probed is None else probed)
        if route not in ("auto", facts.route):
            raise BackendRefused(f"route={route!r}: the probe found {facts.route!r}, probe again")
        self.facts = facts
        self.samples = samples
        self._pool = connect(model, **options)
        cut = lru_cache(65_536)(partial(tokenize, self._pool, model))
        every = rungs(facts, cut, samples)
        kept = [rung for rung in every if scores in ("auto", rung.name)]
        if not kept:
            self._pool.close()
            reason = (facts.missing or {}).get(scores, "the probe did not find it")
            raise BackendRefused(f"scores={scores!r} does not work: {reason}")
        self._ladder = Ladder(kept, self._pool.send)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.facts.model!r}, rung={self.rung!r})"

    @property
    def rung(self) -> str:
        """The key in registry.RUNGS of the rung that the last labels were scored on."""
        return self._ladder.rung

    def score(self, queries: Sequence[Query], labels: Sequence[str]) -> NDArray[np.float64]:
        """Label scores, nats, shape (n_queries, n_labels): see the class of the rung.

        Raises:
            BackendRefused: no rung takes these labels, or a query has a soft prompt.
            BackendUnavailable: the server does not answer, or not as its route promises.
        """
        _refuse_soft(queries)
        return self._ladder.score(queries, labels)

    def standard_error(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Nats that these scores may be off by chance; 0 where nothing was drawn."""
        if self.rung == "samples":
            return standard_error(scores, self.samples)
        return np.zeros_like(scores)

    def generate(
        self,
        queries: Sequence[Query],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        samples: Sequence[int] | None = None,
    ) -> list[str]:
        numbers = [0] * len(queries) if samples is None else samples
        asked = [
            asking.answer(self.facts, prompt, number, max_tokens, temperature)
            for prompt, number in zip(self._prompts(queries), numbers, strict=True)
        ]
        return [text.strip() for text in self._pool.send(asked)]

    def rank(self, queries: Sequence[Query], k: int) -> list[Mapping[str, float]]:
        """As `RanksVocabulary.rank`; tokens that differ by the space around them are one word."""
        if not self.facts.logprobs:
            raise BackendRefused("the server tells no likely tokens: nothing can be ranked")
        listed = min(k, self.facts.logprobs)
        asked = [asking.next_token(self.facts, prompt, listed) for prompt in self._prompts(queries)]
        return [_words(position, k) for position in self._pool.send(asked)]

    def bill_to(self, account: Account) -> None:
        self._pool.account = account

    def watch(self, heard: Heard | None) -> None:
        self._pool.heard = heard

    def close(self) -> None:
        """Gives the connections back."""
        self._pool.close()

    def _prompts(self, queries: Sequence[Query]) -> list[str | Embedded]:
        """What is sent so that a query is continued."""
        if refusal := after_refused(queries):
            raise BackendRefused(refusal)
        return [self._prompt(query) for query in queries]

    def _prompt(self, query: Query) -> str | Embedded:
        _refuse_soft([query])
        return asking.place(self.facts, query.before)[0]


class SoftRemote(Remote):
    """A remote model that takes soft prompts, sent as vectors with the text's own embeddings."""

    def __init__(
        self, model: str, probed: Mapping[str, Any], *, embeddings: str, **options: Any
    ) -> None:
        """Reads the embedding table, and opens the connections."""
        self._embeddings = Embeddings(embeddings)
        super().__init__(model, probed, **options)
        self._behind = Behind(self.facts, self._embeddings)

    @property
    def prompt_shape(self) -> tuple[int, int]:
        return 1, self._embeddings.hidden

    @cached_property
    def embedding_std(self) -> float:
        return float(self._embeddings.table.std())

    def embed(self, text: str) -> NDArray[np.float32]:
        return self._embeddings.embed(text)

    def nearest_words(self, vectors: NDArray[np.float32]) -> list[tuple[str, float]]:
        return self._embeddings.nearest(vectors)

    def score(self, queries: Sequence[Query], labels: Sequence[str]) -> NDArray[np.float64]:
        """As `Remote.score`; queries with a soft prompt are sent as vectors, the others as text."""
        soft = [index for index, query in enumerate(queries) if query.soft is not None]
        text = [index for index, query in enumerate(queries) if query.soft is None]
        scores = np.empty((len(queries), len(labels)))
        scores[text] = super().score([queries[index] for index in text], labels)
        behind = [self._checked(queries[index]) for index in soft]
        if soft:
            askings = [self._behind.asks(query, labels) for query in behind]
            scores[soft] = together(askings, self._pool.send)
        return scores

    def _prompt(self, query: Query) -> str | Embedded:
        if query.soft is None:
            return super()._prompt(query)
        head, _ = asking.gap(self._checked(query).before)
        return self._embeddings.prompt(head, query.soft[0])

    def _checked(self, query: Query) -> Query:
        """The query, if its soft prompt can be sent."""
        soft = np.asarray(query.soft, np.float32)
        wanted = f"(1, n_tokens, {self._embeddings.hidden})"
        if soft.ndim != 3 or (soft.shape[0], soft.shape[2]) != self.prompt_shape:
            raise BackendRefused(f"soft prompt of shape {soft.shape}: {wanted} is wanted")
        if not np.isfinite(soft).all():
            raise BackendRefused("some numbers of a soft prompt are not finite")
        return query


def _refuse_soft(queries: Sequence[Query]) -> None:
    if any(query.soft is not None for query in queries):
        raise BackendRefused(_SOFT)


def _words(position: Position, k: int) -> Mapping[str, float]:
    """Words without the space around them -> nats of all tokens that are this word."""
    words: dict[str, float] = {}
    for token, nats in position.top[:k]:
        word = token.strip()
        words[word] = float(np.logaddexp(words.get(word, -np.inf), nats))
    return words
