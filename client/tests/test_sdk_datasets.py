"""Datasets from the command line: added, shown, deleted."""

from __future__ import annotations

import asyncio
import json

import pytest
from test_sdk_cli import run

import gradless

ROWS = "subject,body,queue\nrefund,please,A\nhello,there,B\n"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mail.csv"
    path.write_text(ROWS)
    return path


def words(*given):
    said = run(*given)
    assert said.exit_code == 0, said.output
    return " ".join(said.stdout.split())


def test_a_file_is_added_with_its_columns(url, world, file):
    columns = ["--text-column", "subject", "--text-column", "body", "--label-column", "queue"]
    said = words("dataset", "add", file, *columns, "--shots", 4, "--seed", 0)
    sent = dict(world.uploads[0])
    assert (sent.pop("filename"), sent.pop("content")) == ("mail.csv", ROWS)
    assert sent == {
        "text_columns": "subject,body",
        "label_column": "queue",
        "shots": 4,
        "seed": "0",
    }
    for fact in ("dataset up_1", "labels A, B", "train 2 rows (1 A, 1 B)", "file mail.csv"):
        assert fact in said


def test_what_is_not_given_is_not_sent(url, world, file):
    words("dataset", "add", file)
    assert {*world.uploads[0]} == {"filename", "content", "text_columns", "shots"}


def test_datasets_are_a_table_or_json(url):
    assert "tickets - 6 2 2 2 2" in words("datasets")
    assert json.loads(run("datasets", "--json").stdout)[0]["id"] == "tickets"
    assert json.loads(run("dataset", "show", "mail", "--json").stdout)["id"] == "mail"


def test_a_dataset_is_deleted_once_it_is_ones_own(url, world):
    assert words("dataset", "remove", "mail") == "mail is removed"
    assert world.asked("DELETE", "/api/datasets/mail")
    said = run("dataset", "remove", "tickets")
    assert (said.exit_code, "comes with the service" in said.stderr) == (1, True)


def test_a_file_that_is_not_there_is_a_misuse(url, world):
    said = run("dataset", "add", "nowhere.csv")
    assert (said.exit_code, "nowhere.csv" in said.stderr, world.uploads) == (2, True, [])


@pytest.mark.parametrize("command", ["add", "show", "remove"])
def test_help_of_each_teaches_with_an_example(command):
    assert f"  gradless dataset {command} " in run("dataset", command, "--help").output


def test_both_clients_delete(url, world, client):
    async def delete():
        async with gradless.AsyncClient() as other:
            return await other.delete_dataset("mail")

    assert (client.delete_dataset("mail"), asyncio.run(delete())) == (None, None)
    assert len(world.asked("DELETE", "/api/datasets/mail")) == 2
    with pytest.raises(gradless.Conflict):
        client.delete_dataset("tickets")
