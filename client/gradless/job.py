"""A tuning job in the caller's hands, and what can be done with it. It knows no routes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TextIO

from gradless import calls, types
from gradless.errors import GradlessError
from gradless.follow import BROKEN_STREAM, Follow
from gradless.images import Input
from gradless.progress import Show, showing
from gradless.report import Report
from gradless.transport import Transport
from gradless.view import JobView, drawn, format_of, report_format_of


class Job(JobView):
    """A tuning job. `Client.tune`, `Client.job` and `Client.jobs` give you one.

    Example:
        job = client.tune(dataset="tickets", preset="fast").wait()
        print(job.result, job.predict(["I was charged twice"])[0])
    """

    def __init__(self, transport: Transport, state: types.JobState) -> None:
        super().__init__(state)
        self._transport = transport

    def refresh(self) -> Self:
        """Ask the service for the state of now; returns this same job."""
        self.state = self._transport.send(calls.job(self.id))
        return self

    def wait(self, progress: bool | TextIO = True, timeout: float | None = None) -> Self:
        """Follow the job to its end, showing how far it is; returns this same job.

        Broken connections are mended on the way, and a paused job is awaited too: the progress says
        why it is paused and until when. A cancelled job is returned like a finished one: its best
        prompt is kept. Raises JobFailed with the service's reason, or JobTimeout after
        `timeout` seconds (the job goes on). `progress` may be a file to write plain lines to.

        Example:
            job.wait(progress=False, timeout=600)
        """
        self.refresh()
        with showing(progress) as show:
            follow = Follow(self.state, self, self._transport.address.patience, timeout)
            show(self.state)
            while not follow.ended:
                if follow.streaming:
                    self._listen(follow, show)
                if not follow.ended:
                    time.sleep(follow.pause())
                    self._look(follow)
                    show(self.state)
            show(self.refresh().state)
        return self._ended_well()

    def generations(self, after: int = 0) -> list[types.Generation]:
        """Rounds of the search with a number above `after`, oldest first."""
        return self._transport.every(calls.generations(self.id, after))

    def incumbents(self) -> list[types.Generation]:
        """Return the rounds that found a better prompt, oldest first; `text` has its words.

        Example:
            for better in job.incumbents():
                print(better.queries, better.dev_loss, better.text)
        """
        return self._transport.every(calls.incumbents(self.id))

    def candidates(self, limit: int = 20) -> list[types.Generation]:
        """Return rounds with different champions, the best by dev loss first."""
        return self._transport.send(calls.candidates(self.id, limit))

    def predict(self, inputs: Sequence[Input], baseline: bool = False) -> list[types.Prediction]:
        """Answer with the best prompt so far; `baseline=True` adds the manual prompt's answer.

        An input is a text, or an image as a Path or bytes; a dict of them where there are several
        columns.

        Example:
            for answer in job.predict(["I was charged twice", "The app crashes"]):
                print(answer, answer.probabilities[answer.label])
            print(images_job.predict([Path("cat.png")])[0])
        """
        return self._transport.send(calls.predict(self.id, inputs, baseline))

    def prompt(self) -> types.Prompt:
        """Return the best prompt so far, with all that is needed to use it."""
        return self._transport.send(calls.prompt(self.id))

    def save_prompt(self, path: str | Path, format: str | None = None) -> Path:
        """Write the prompt to a file: .json, .txt (a text prompt) or .safetensors (a soft one).

        With `format` "peft" it is a zip with the folder of an adapter, with "vllm" one with the
        vectors and the few lines that put a text behind them.

        Example:
            job.save_prompt("tickets.safetensors")
            job.save_prompt("tickets.zip", format="peft")
        """
        content = self._transport.send(calls.prompt_file(self.id, format or format_of(path)))
        Path(path).write_bytes(content)
        return Path(path)

    def report(self) -> Report:
        """Return the comparison with the baseline on the test split; Conflict until it exists."""
        return self._transport.send(calls.report(self.id))

    def save_report(self, path: str | Path, format: str | None = None) -> Path:
        """Write the report to a file to keep: .html (one page that needs nothing else), .md, .json.

        Example:
            job.save_report("tickets.html")
        """
        content = self._transport.send(calls.report_file(self.id, format or report_format_of(path)))
        Path(path).write_bytes(content)
        return Path(path)

    def cancel(self) -> Self:
        """Stop the search; the best prompt so far is kept. Conflict if it has already ended."""
        self.state = self._transport.send(calls.cancel(self.id))
        return self

    def pause(self) -> Self:
        """Pause until `resume()`: within seconds if it runs. Conflict if it has already ended.

        What was found is kept, and served; `wait()` goes on waiting.

        Example:
            job.pause()
            job.resume().wait()
        """
        self.state = self._transport.send(calls.pause(self.id))
        return self

    def clone(
        self,
        changes: Mapping[str, Any] | None = None,
        priority: int = 0,
        idempotency_key: str | None = None,
    ) -> Job:
        """Start another job with this one's spec, or with `changes` merged into it.

        None takes a field back to its default; another method or preset brings its own settings.

        Example:
            others = [job.clone({"seed": seed}) for seed in (1, 2, 3)]
            longer = job.clone({"budget": {"queries": 200_000}, "name": None})
        """
        call = calls.clone(self.id, changes or {}, priority, idempotency_key)
        return Job(self._transport, self._transport.send(call))

    def delete(self, force: bool = False) -> None:
        """Delete the job with its prompt, report and history; its dataset stays.

        Conflict while it waits or runs, unless `force` is given.
        """
        self._transport.send(calls.delete(self.id, force))

    def resume(self) -> Self:
        """Let a paused job go on at once, not only at `retry_at`; Conflict if it is not paused.

        Example:
            if job.refresh().status == "paused":
                job.resume().wait()
        """
        self.state = self._transport.send(calls.resume(self.id))
        return self

    def plot(self, name: str = "accuracy", theme: str = "light") -> Any:
        """Draw the job as a plotly Figure: its "accuracy", "loss" or "internals".

        Once it has a report also "comparison", "confusion-tuned" and "confusion-baseline".

        Example:
            job.plot("loss").show()
        """
        return drawn(self._transport.send(calls.figure(self.id, name, theme)))

    def _listen(self, follow: Follow, show: Show) -> None:
        """Read one event stream until it is done or breaks."""
        cause: Exception | None = None
        try:
            with self._transport.stream(follow.stream_call(), follow.silence()) as chunks:
                for chunk in chunks:
                    done = follow.read(chunk)
                    self.state = follow.state
                    show(self.state)
                    if done:
                        return
        except BROKEN_STREAM as error:
            cause = error
        follow.broken(cause)

    def _look(self, follow: Follow) -> None:
        """Ask for the job itself, between two streams or instead of them."""
        try:
            follow.seen(self.refresh().state)
        except GradlessError as error:
            follow.away(error)
