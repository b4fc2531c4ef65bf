"""The command `gradless`. It reads options and prints; every deed is the client's."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from gradless import calls, cli_datasets, cli_endpoints, cli_jobs, options, output, serve
from gradless.cli_jobs import JobId, Priority
from gradless.client import Client
from gradless.errors import JobFailed
from gradless.images import is_file
from gradless.job import Job
from gradless.session import SETTINGS, AsJson, Url, session
from gradless.transport import __version__

INPUTS_PER_REQUEST = 100
IMAGES_PER_REQUEST = 8  # they are larger, and a request has a limit
INTERRUPTED = 130  # as shells count: 128 + SIGINT

app = typer.Typer(
    help="Tune prompts for models you can only call. A key, if one is needed: GRADLESS_API_KEY.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=SETTINGS,
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
    dataset: Annotated[str | None, typer.Option(help="Id or file: csv, tsv, jsonl, zip.")] = None,
    endpoint: Annotated[str | None, typer.Option(help="The model to tune for.")] = None,
    method: Annotated[str | None, typer.Option(help="How to search; else shift.")] = None,
    preset: Annotated[str | None, typer.Option(help="Settings as a set: fast, paper.")] = None,
    budget: Annotated[int | None, typer.Option(help="Most queries to spend.")] = None,
    baseline: Annotated[str | None, typer.Option(help="Your own prompt, to be beaten.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Most tokens of an API.")] = None,
    max_cost: Annotated[float | None, typer.Option(help="Most money, as the API's prices.")] = None,
    max_seconds: Annotated[float | None, typer.Option(help="Most seconds of tuning.")] = None,
    cache: Annotated[str | None, typer.Option(help="Of an API: read, refresh or off.")] = None,
    seed: Annotated[int | None, typer.Option(help="Makes the run repeatable.")] = None,
    name: Annotated[str | None, typer.Option(help="A name to show.")] = None,
    priority: Priority = None,
    setting: Annotated[list[str] | None, typer.Option("--set", help="name=value; repeat.")] = None,
    spec: Annotated[Path | None, typer.Option(help="A job's spec in JSON; options win.")] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait for the end.")] = False,
    estimate: Annotated[bool, typer.Option("--estimate", help="Only tell what it takes.")] = False,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Tune a prompt and tell whether it is better than what you had.

    \b
    Examples:
      gradless tune --dataset tickets --budget 40000
      gradless tune --dataset reviews.csv --baseline "Sentiment:" --method bbt --preset paper
      gradless tune --endpoint hosted --method grips --budget 5000 --max-cost 1.50
      gradless tune --spec job.json --detach
      gradless tune --budget 20000 --estimate
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
    with session(url) as client:
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
    with session(url) as client:
        _follow(client, client.job(job), as_json, timeout)


@app.command()
def predict(
    job: JobId,
    texts: Annotated[
        list[str], typer.Argument(metavar="INPUT…", help="Texts or image files; - reads lines.")
    ],
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Answer inputs with a job's best prompt: answer, probability and input, tab-separated.

    \b
    Examples:
      gradless predict job_01 "I was charged twice"
      gradless predict job_01 - < texts.txt
      gradless predict job_02 cat.png dog.jpg
    """
    inputs = [text.rstrip("\n") for text in sys.stdin] if texts == ["-"] else texts
    inputs = [text for text in inputs if text.strip()]
    if not inputs:
        raise typer.BadParameter("nothing to answer")
    with session(url) as client:
        _predict(client.job(job), inputs, as_json)


@app.command()
def export(
    job: JobId,
    format: Annotated[
        str | None, typer.Option(help="json, text, safetensors, peft or vllm.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The file; else named after the job.")] = None,
    url: Url = None,
) -> None:
    """Write a job's best prompt to a file, with all that is needed to use it elsewhere.

    \b
    Examples:
      gradless export job_01 --format peft
      gradless export job_01 --out tickets.safetensors
    """
    with session(url) as client:
        path = out or Path(calls.file_name(job, format or "json"))
        output.say(str(client.job(job).save_prompt(path, format)))


for command in cli_jobs.COMMANDS:
    app.command()(command)
app.command("datasets")(cli_datasets.datasets)
app.add_typer(cli_datasets.app, name="dataset")
app.command("endpoints")(cli_endpoints.endpoints)
app.add_typer(cli_endpoints.app, name="endpoint")


def _tune(given: dict[str, Any]) -> None:
    with session(given["url"]) as client:
        if given["estimate"]:
            return cli_jobs.expected(client.estimate(_spec(given)), given["as_json"])
        job = client.submit(_spec(given), given["priority"] or 0)
        if given["detach"]:
            cli_jobs.started(client, job, given["as_json"])
        else:
            _follow(client, job, given["as_json"])
        return None


def _predict(job: Job, inputs: Sequence[str], as_json: bool) -> None:
    answers = []
    at_once = IMAGES_PER_REQUEST if any(map(is_file, inputs)) else INPUTS_PER_REQUEST
    for start in range(0, len(inputs), at_once):
        texts = inputs[start : start + at_once]
        made = job.predict([Path(text) if is_file(text) else text for text in texts])
        answers += made
        for text, answer in zip(texts, made, strict=True):
            if not as_json:
                share = answer.probabilities.get(str(answer))
                output.say(f"{answer}\t{'-' if share is None else f'{share:.3f}'}\t{text}")
    if as_json:
        output.as_json(answers)


def _spec(given: dict[str, Any]) -> dict[str, Any]:
    """Lay the options over the file, and the file over what one would want."""
    over = {name: given[name] for name in ("dataset", "endpoint", "seed", "name", "cache")}
    over["method"] = {"name": given["method"], "preset": given["preset"]}
    over["method"] |= options.settings(given["setting"] or [])
    over["budget"] = {"queries": given["budget"]}
    over["budget"] |= {wall: given[f"max_{wall}"] for wall in ("tokens", "cost", "seconds")}
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
