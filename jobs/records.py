"""Between a search and its rows: what a generation is in the database, and back again."""

import math
from typing import Any

from backends.base import Backend, TakesSoftPrompts
from jobs import checkpoint, prompts
from jobs.models import CheckpointRow, GenerationRow, PromptRow
from jobs.objective import finite
from jobs.prompts import SoftPrompt
from jobs.search import Generation, Incumbent


def generation_row(job_id: str, queries: int, generation: Generation[Any]) -> GenerationRow:
    champion, incumbent = generation.champion, generation.incumbent
    assert champion is not None and incumbent is not None  # every generation but number 0
    return GenerationRow(
        job_id=job_id,
        number=generation.number,
        queries=queries,
        train_loss=finite(champion.train_loss),
        train_accuracy=champion.train_accuracy,
        population_loss=finite(champion.population_loss),
        dev_loss=finite(champion.dev_loss),
        dev_accuracy=champion.dev_accuracy,
        incumbent_generation=incumbent.generation,
        incumbent_dev_loss=finite(incumbent.dev_loss),
        incumbent_dev_accuracy=incumbent.dev_accuracy,
        internals={name: x for name, x in (generation.internals or {}).items() if math.isfinite(x)},
        allocation=[list(share) for share in (generation.allocation or {}).items()] or None,
        text=champion.text,
    )


def checkpoint_row(job_id: str, queries: int, generation: Generation[Any]) -> CheckpointRow:
    return CheckpointRow(
        job_id=job_id,
        number=generation.number,
        queries=queries,
        state=checkpoint.dumps(generation.state),
    )


def prompt_row(job_id: str, backend: Backend, incumbent: Incumbent | None) -> PromptRow | None:
    if incumbent is None:
        return None
    words = None
    if isinstance(incumbent.prompt, SoftPrompt) and isinstance(backend, TakesSoftPrompts):
        words = backend.nearest_words(incumbent.prompt.vectors[0])
    return PromptRow(
        job_id=job_id,
        generation=incumbent.generation,
        train_loss=finite(incumbent.train_loss),
        dev_loss=finite(incumbent.dev_loss),
        dev_accuracy=incumbent.dev_accuracy,
        kind=prompts.kind_of(incumbent.prompt),
        text=prompts.words_of(incumbent.prompt),
        content=prompts.dumps(incumbent.prompt),
        nearest_words=words,
    )


def incumbent_of(row: PromptRow | None) -> Incumbent | None:
    if row is None:
        return None
    prompt = prompts.loads(row.kind, row.content)  # type: ignore[arg-type]
    train, dev = (math.inf if x is None else x for x in (row.train_loss, row.dev_loss))
    return Incumbent(prompt, row.generation, train, dev, row.dev_accuracy)
