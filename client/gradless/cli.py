"""The command `gradless`. It reads options and prints; every deed is the client's."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from gradless import options, output, serve
from gradless.client import Client
from gradless.errors import GradlessError, JobFailed
from gradless.job import Job
from gradless.transport import __version__

INPUTS_PER_REQUEST = 100
INTERRUPTED = 130  # as shells count: 128 + SIGINT

Url = Annotated[
    str | None,
    typer.Option("--url", help="Where the service is; else GRADLESS_URL, else this machine."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="The job's id, such as job_01…")]

app = typer.Typer(
    help="Tune prompts for models you can only call. A key, if one is needed: GRADLESS_API_KEY.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        output.say(f"gradless {__version__}")
        raise typer.Exit


@app.command("serve")
def serve_command(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    data: Annotated[Path | None, typer.Option(help="Folder of the database and files.")] = None,
) -> None:
    """Start the service here; Ctrl-C stops it.

    \b
    Example:
      gradless serve --port 8000 --data ./data
    """
    command = serve.command(host, port, data)
    if command is None:
        output.say(serve.MISSING, error=True)
        raise typer.Exit(1)
    serve.replace_process(command)


@app.command()
def tune(
    dataset: Annotated[str | None, typer.Option(help="Id or file (.csv, .tsv, .jsonl).")] = None,
    endpoint: Annotated[str | None, typer.Option(help="The model to tune for.")] = None,
    method: Annotated[str | None, typer.Option(help="How to search.")] = None,
    preset: Annotated[str | None, typer.Option(help="Settings as a set: fast, paper.")] = None,
    budget: Annotated[int | None, typer.Option(help="Most queries to spend.")] = None,
    baseline: Annotated[str | None, typer.Option(help="Your own prompt, to be beaten.")] = None,
    seed: Annotated[int | None, typer.Option(help="Makes the run repeatable.")] = None,
    name: Annotated[str | None, typer.Option(help="A name to show.")] = None,
    setting: Annotated[list[str] | None, typer.Option("--set", help="name=value; repeat.")] = None,
    spec: Annotated[Path | None, typer.Option(help="A job's spec in JSON; options win.")] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait for the end.")] = False,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Tune a prompt and tell whether it is better than what you had.

    \b
    Examples:
      gradless tune --dataset tickets --method bbt --preset fast --budget 40000
      gradless tune --dataset reviews.csv --baseline "Sentiment:" --set intrinsic_dim=200
      gradless tune --spec job.json --detach
    """
    _tune(locals())


@app.command()
def jobs(
    status: Annotated[str | None, typer.Option(help="Only these: running, failed…")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """List the jobs, newest first.

    \b
    Examples:
      gradless jobs --status running
      gradless jobs --json --limit 1
    """
    with _session(url) as client:
        found = list(islice(client.jobs(status, page_size=min(limit, 100)), limit))
        if as_json:
            output.as_json([job.state for job in found])
        else:
            output.jobs_table(found)


@app.command()
def watch(
    job: JobId,
    timeout: Annotated[float | None, typer.Option(help="Give up after so many seconds.")] = None,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Follow a job to its end and print its result.

    \b
    Example:
      gradless watch job_01
    """
    with _session(url) as client:
        _follow(client, client.job(job), as_json, timeout)


@app.command()
def predict(
    job: JobId,
    texts: Annotated[list[str], typer.Argument(metavar="TEXT…", help="Texts; - reads lines.")],
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Classify texts with a job's best prompt: label, probability and text, tab-separated.

    \b
    Examples:
      gradless predict job_01 "I was charged twice"
      gradless predict job_01 - < texts.txt
    """
    inputs = [text.rstrip("\n") for text in sys.stdin] if texts == ["-"] else texts
    inputs = [text for text in inputs if text.strip()]
    if not inputs:
        raise typer.BadParameter("no text to classify")
    with _session(url) as client:
        _predict(client.job(job), inputs, as_json)


def _tune(given: dict[str, Any]) -> None:
    with _session(given["url"]) as client:
        job = client.submit(_spec(given))
        if not given["detach"]:
            _follow(client, job, given["as_json"])
        elif given["as_json"]:
            output.as_json(job.state)
        else:
            output.say(f"{job.id} {job.status}; watch it with `gradless watch {job.id}`")
            output.say(_dashboard(client, job))


def _predict(job: Job, inputs: Sequence[str], as_json: bool) -> None:
    answers = []
    for start in range(0, len(inputs), INPUTS_PER_REQUEST):
        texts = inputs[start : start + INPUTS_PER_REQUEST]
        made = job.predict(texts)
        answers += made
        for text, answer in zip(texts, made, strict=True):
            if not as_json:
                share = answer.probabilities.get(answer.label)
                output.say(f"{answer}\t{'-' if share is None else f'{share:.3f}'}\t{text}")
    if as_json:
        output.as_json(answers)


@contextmanager
def _session(url: str | None) -> Iterator[Client]:
    """Give a client, and turn errors into messages: exit code 1 for the service's, 2 for ours."""
    try:
        with Client(url) as client:
            yield client
    except GradlessError as error:
        output.say(f"error: {error}", error=True)
        raise typer.Exit(1) from error
    except (ValueError, FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise typer.BadParameter(str(error)) from error


def _spec(given: dict[str, Any]) -> dict[str, Any]:
    """Lay the options over the file, and the file over what one would want."""
    over = {name: given[name] for name in ("dataset", "endpoint", "seed", "name")}
    over["method"] = {"name": given["method"], "preset": given["preset"]}
    over["method"] |= options.settings(given["setting"] or [])
    over["budget"] = {"queries": given["budget"]}
    over["task"] = {"baseline": given["baseline"]}
    base = options.overlaid(options.DEFAULTS, options.read_spec(given["spec"]))
    return options.overlaid(base, over)


def _follow(client: Client, job: Job, as_json: bool, timeout: float | None = None) -> None:
    try:
        job.wait(progress=not as_json, timeout=timeout)
    except JobFailed:
        _show(client, job, as_json)
        raise
    except KeyboardInterrupt:
        output.say(f"{job.id} goes on; watch it with `gradless watch {job.id}`", error=True)
        raise typer.Exit(INTERRUPTED) from None
    _show(client, job, as_json)


def _show(client: Client, job: Job, as_json: bool) -> None:
    if as_json:
        output.as_json(job.state)
    else:
        output.summary(job, _dashboard(client, job))


def _dashboard(client: Client, job: Job) -> str:
    return f"{client.base_url}/jobs/{job.id}"


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
