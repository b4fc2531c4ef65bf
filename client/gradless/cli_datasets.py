"""The commands about datasets: what can be tuned on, and rows of your own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gradless import facts, output
from gradless.session import SETTINGS, AsJson, Url, session

DatasetId = Annotated[str, typer.Argument(metavar="ID", help="The dataset's id.")]

app = typer.Typer(
    help="Look at a dataset, add one of your own, delete it.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings=SETTINGS,
)


def datasets(as_json: AsJson = False, url: Url = None) -> None:
    """List the datasets that can be tuned on.

    \b
    Example:
      gradless datasets
    """
    with session(url) as client:
        found = client.datasets()
        if as_json:
            output.as_json(found)
        else:
            output.datasets_table(found)


@app.command()
def add(
    file: Annotated[Path, typer.Argument(help="csv, tsv or jsonl; a zip of images.")],
    name: Annotated[str | None, typer.Option(help="Its id; else from the file's name.")] = None,
    text_column: Annotated[
        list[str] | None, typer.Option(help="An input; repeat. Else all columns that are left.")
    ] = None,
    label_column: Annotated[str | None, typer.Option(help="The labels; else label.")] = None,
    target_column: Annotated[
        str | None, typer.Option(help="Texts to be generated, in place of labels.")
    ] = None,
    split_column: Annotated[
        str | None, typer.Option(help="train, dev or test of each row; else split.")
    ] = None,
    shots: Annotated[
        int | None, typer.Option(help="Rows of each label for train, and for dev; else 16.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of the draw of the splits; else 0.")] = None,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Upload rows, which are checked and split; all or none are stored.

    \b
    Examples:
      gradless dataset add mail.csv --text-column subject --text-column body --label-column queue
      gradless dataset add news.csv --target-column headline
      gradless dataset add digits.zip --shots 16
    """
    given: dict[str, Any] = {
        "name": name,
        "text_columns": text_column or None,
        "label_column": label_column,
        "target_column": target_column,
        "split_column": split_column,
        "shots": shots,
        "seed": seed,
    }
    with session(url) as client:
        output.record(client.upload(file, **given), as_json, facts.dataset_rows)


@app.command()
def show(dataset: DatasetId, as_json: AsJson = False, url: Url = None) -> None:
    """Print what is known of a dataset: its columns, labels and splits.

    \b
    Example:
      gradless dataset show tickets
    """
    with session(url) as client:
        output.record(client.dataset(dataset), as_json, facts.dataset_rows)


@app.command()
def remove(dataset: DatasetId, url: Url = None) -> None:
    """Delete a dataset. Jobs that have ended keep their results.

    \b
    Example:
      gradless dataset remove mail
    """
    with session(url) as client:
        client.delete_dataset(dataset)
        output.say(f"{dataset} is removed")
