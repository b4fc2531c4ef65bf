"""The commands about endpoints: what can be tuned for, and models behind an API."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gradless import facts, options, output
from gradless.session import SETTINGS, AsJson, Url, session

EndpointId = Annotated[str, typer.Argument(metavar="ID", help="The endpoint's id.")]

app = typer.Typer(
    help="Look at an endpoint, add a model behind an API, ask it again, remove it.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings=SETTINGS,
)


def endpoints(as_json: AsJson = False, url: Url = None) -> None:
    """List the models that can be tuned for.

    \b
    Example:
      gradless endpoints
    """
    with session(url) as client:
        found = client.endpoints()
        if as_json:
            output.as_json(found)
        else:
            output.endpoints_table(found)


@app.command()
def add(
    endpoint: EndpointId,
    model: Annotated[str, typer.Option(help="The model's name, as its server knows it.")],
    base_url: Annotated[
        str | None,
        typer.Option(help="Address of the server's /v1; several replicas: commas between."),
    ] = None,
    key_variable: Annotated[
        str | None,
        typer.Option(help="Variable of the service's environment with the key; never the key."),
    ] = None,
    input_price: Annotated[float | None, typer.Option(help="Of 10^6 tokens read.")] = None,
    output_price: Annotated[float | None, typer.Option(help="Of 10^6 tokens written.")] = None,
    currency: Annotated[str | None, typer.Option(help="Of the prices; else USD.")] = None,
    kind: Annotated[str, typer.Option(help="openai: any OpenAI-compatible server.")] = "openai",
    setting: Annotated[list[str] | None, typer.Option("--set", help="name=value; repeat.")] = None,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Register a model behind an API and show what it can do: about 20 short requests.

    \b
    Examples:
      gradless endpoint add local --model qwen3-0.6b --base-url http://127.0.0.1:8080/v1
      gradless endpoint add hosted --model m --base-url https://api.example.com/v1 \\
          --key-variable MY_API_KEY --input-price 0.1 --output-price 0.4
      gradless endpoint add slow --model m --base-url http://10.0.0.7/v1 --set concurrency=8
    """
    given: dict[str, Any] = {
        "base_url": base_url,
        "key_variable": key_variable,
        "input_price": input_price,
        "output_price": output_price,
        "currency": currency,
    }
    with session(url) as client:
        given |= options.settings(setting or [])
        output.record(
            client.add_endpoint(endpoint, kind, model, **given), as_json, facts.endpoint_rows
        )


@app.command()
def show(endpoint: EndpointId, as_json: AsJson = False, url: Url = None) -> None:
    """Print what is known of an endpoint: its settings, and every fact found by asking it.

    \b
    Example:
      gradless endpoint show hosted
    """
    with session(url) as client:
        output.record(client.endpoint(endpoint), as_json, facts.endpoint_rows)


@app.command()
def probe(endpoint: EndpointId, as_json: AsJson = False, url: Url = None) -> None:
    """Ask an API again what it can do, after its server has changed; a few short requests.

    \b
    Example:
      gradless endpoint probe hosted
    """
    with session(url) as client:
        output.record(client.probe(endpoint), as_json, facts.endpoint_rows)


@app.command()
def remove(endpoint: EndpointId, url: Url = None) -> None:
    """Forget an endpoint. Jobs that have ended keep their results, but cannot predict any more.

    \b
    Example:
      gradless endpoint remove hosted
    """
    with session(url) as client:
        client.delete_endpoint(endpoint)
        output.say(f"{endpoint} is removed")
