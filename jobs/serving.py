"""Answers with a tuned prompt, by the very code that scored it, in a process of its own."""

import multiprocessing
import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field

from backends.base import Billed, Generates, Usage
from jobs import prompts
from jobs.answering import label_scores
from jobs.models import EndpointRow
from jobs.objective import probabilities
from jobs.opening import open_endpoint
from jobs.prompts import Kind
from jobs.task import Task

WATCH = 1.0  # seconds between two looks at whether the service still lives


@dataclass(frozen=True)
class Answer:
    """The likeliest label of one input and how likely each label is, or the text written to it."""

    label: str | None = None
    probabilities: Mapping[str, float] = field(default_factory=dict)
    text: str | None = None


@dataclass(frozen=True)
class Served:
    """All that is needed to answer: plain data, so that it can be sent to another process."""

    endpoint: EndpointRow
    task: Task
    kind: Kind
    content: bytes  # prompts.dumps


def answer(served: Served, inputs: Sequence[Mapping[str, str]]) -> list[Answer]:
    """The label of each input, or the text in a task with a metric.

    Raises:
        BackendError: the model could not answer.
    """
    task, backend = served.task, open_endpoint(served.endpoint)
    prompt = prompts.loads(served.kind, served.content)
    if task.metric is not None:
        assert isinstance(backend, Generates)  # the job was admitted for it
        queries = [task.query(prompt, each) for each in inputs]
        return [Answer(text=text) for text in backend.generate(queries, max_tokens=task.max_tokens)]
    scores = label_scores(backend, task, [(prompt, each) for each in inputs])
    return [
        Answer(
            task.labels[int(row.argmax())],
            {label: float(p) for label, p in zip(task.labels, row, strict=True)},
        )
        for row in probabilities(scores)
    ]


class Tab:
    """An account that anybody may pay from and that remembers no answer."""

    def __init__(self) -> None:
        self.spent = Usage()

    def recall(self, keys: Sequence[str]) -> Mapping[str, str]:
        return {}

    def reserve(self, most: Usage) -> None:
        pass

    def settle(self, reserved: Usage, spent: Usage, answer: tuple[str, str] | None = None) -> None:
        self.spent += spent


@dataclass(frozen=True)
class Said:
    """Answers, and what they have cost where the model is behind an API."""

    answers: list[Answer]
    usage: Usage | None


def said(served: Served, inputs: Sequence[Mapping[str, str]]) -> Said:
    """As `answer`, with the bill."""
    backend, tab = open_endpoint(served.endpoint), Tab()
    if not isinstance(backend, Billed):
        return Said(answer(served, inputs), None)
    backend.bill_to(tab)
    return Said(answer(served, inputs), tab.spent)


class Predictor:
    """One process that answers, started when first asked and again if it dies."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._lock = threading.Lock()

    def answer(self, served: Served, inputs: Sequence[Mapping[str, str]]) -> list[Answer]:
        """As `answer`, but the model is loaded and asked outside this process."""
        return self.said(served, inputs).answers

    def said(self, served: Served, inputs: Sequence[Mapping[str, str]]) -> Said:
        """As `answer`, with the bill."""
        try:
            return self._running().submit(said, served, inputs).result()
        except BrokenProcessPool:  # it was killed: once more, in a new one
            self.close()
            return self._running().submit(said, served, inputs).result()

    def close(self) -> None:
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)

    def _running(self) -> ProcessPoolExecutor:
        with self._lock:
            if self._pool is None:
                spawn = multiprocessing.get_context("spawn")  # never fork beside torch's threads
                self._pool = ProcessPoolExecutor(1, spawn, _follow_parent, (os.getpid(),))
            return self._pool


def _follow_parent(parent: int) -> None:
    """Ends this process soon after the service has gone, however it went."""

    def watch() -> None:
        pause = threading.Event()
        while os.getppid() == parent:
            pause.wait(WATCH)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
