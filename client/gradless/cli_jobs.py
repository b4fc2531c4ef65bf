"""Commands about a job that there is: pause, resume, clone, delete, report; what one will take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gradless import calls, options, output
from gradless.client import Client
from gradless.estimate import Estimate, Range
from gradless.job import Job
from gradless.session import AsJson, Url, session
from gradless.words import duration, money

JobId = Annotated[str, typer.Argument(metavar="JOB", help="The job's id, such as job_01…")]
Priority = Annotated[
    int | None, typer.Option(help="-100 to 100; the highest waits least.", min=-100, max=100)
]


def pause(job: JobId, as_json: AsJson = False, url: Url = None) -> None:
    """Pause a job until it is resumed; what it has found is kept.

    \b
    Example:
      gradless pause job_01
    """
    with session(url) as client:
        paused = client.job(job).pause()
        if as_json:
            output.as_json(paused.state)
        elif paused.status == "paused":
            output.say(f"{job} paused; `gradless resume {job}` lets it go on")
        else:
            output.say(f"{job} {paused.status}; it pauses within seconds")


def resume(job: JobId, as_json: AsJson = False, url: Url = None) -> None:
    """Let a paused job go on: by a person paused, or because its endpoint did not answer.

    \b
    Example:
      gradless resume job_01
    """
    with session(url) as client:
        started(client, client.job(job).resume(), as_json)


def clone(
    job: JobId,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="field=value of the spec, such as budget.queries=9000; repeat."),
    ] = None,
    priority: Priority = None,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Start another job with a job's spec, or with some fields changed.

    \b
    Examples:
      gradless clone job_01 --set seed=1
      gradless clone job_01 --set budget.queries=90000 --set method.preset=paper
    """
    with session(url) as client:
        changes = _nested(options.settings(setting or []))
        started(client, client.job(job).clone(changes, priority or 0), as_json)


def delete(
    job: JobId,
    force: Annotated[bool, typer.Option("--force", help="Also if it waits or runs.")] = False,
    url: Url = None,
) -> None:
    """Delete a job with its prompt, report and history; its dataset stays.

    \b
    Examples:
      gradless delete job_01
      gradless delete job_02 --force
    """
    with session(url) as client:
        client.job(job).delete(force)
        output.say(f"{job} deleted")


def report(
    job: JobId,
    format: Annotated[str | None, typer.Option(help="html, markdown or json.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The file; else named after the job.")
    ] = None,
    url: Url = None,
) -> None:
    """Write a job's report to a file to keep: tuned against baseline, curves, examples, spend.

    \b
    Examples:
      gradless report job_01
      gradless report job_01 --format html -o tickets.html
    """
    with session(url) as client:
        path = out or Path(calls.file_name(job, format or "html", calls.REPORTS))
        output.say(str(client.job(job).save_report(path, format)))


COMMANDS = (pause, resume, clone, delete, report)


def started(client: Client, job: Job, as_json: bool) -> None:
    """Tell of a job that has been put into the queue, and where to watch it."""
    if as_json:
        output.as_json(job.state)
    else:
        output.say(f"{job.id} {job.status}; watch it with `gradless watch {job.id}`")
        output.say(f"{client.base_url}/jobs/{job.id}")


def expected(estimate: Estimate, as_json: bool) -> None:
    """Print what a job would take, and what it could not show."""
    if as_json:
        output.as_json(estimate)
        return
    for name, said in _expected(estimate).items():
        output.say(f"{name:<12} {said}")
    for caution in estimate.warnings:
        output.say(f"warning: {caution}")


def _expected(estimate: Estimate) -> dict[str, str]:
    unknown = "nobody knows: no job on this endpoint has run"
    times, paid, tokens = estimate.seconds, estimate.cost, estimate.tokens
    said = {
        "queries": _range(estimate.queries, "{:,.0f}".format),
        "generations": f"{estimate.generations or 0:,}",
        "time": _range(times, duration) if times else unknown,
    }
    if tokens:
        said["tokens"] = _range(tokens, "{:,.0f}".format)
    if paid:
        said["cost"] = _range(paid, lambda amount: money(amount, estimate.currency or ""))
    for split, effect in estimate.effects.items():
        said[f"seen on {split}"] = f"{effect.points:.1f} points or more, of {effect.rows:,} rows"
    return said


def _range(found: Range | None, shown: Any) -> str:
    if found is None:
        return "-"
    return f"{shown(found.low)} to {shown(found.ceiling)}, typically {shown(found.typical)}"


def _nested(flat: dict[str, Any]) -> dict[str, Any]:
    """Unfold the dots of names.

    Example:
        >>> _nested({"seed": 1, "budget.queries": 9, "budget.cost": 2})
        {'seed': 1, 'budget': {'queries': 9, 'cost': 2}}
    """
    made: dict[str, Any] = {}
    for name, value in flat.items():
        *path, last = name.split(".")
        inner = made
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last] = value
    return made
