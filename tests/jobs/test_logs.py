"""The log's two forms, read back."""

import json
import logging
import sys
from contextlib import contextmanager

import pytest

from jobs.logs import JsonLines, configure

JOB_ID = "job_" + "0a" * 10


def record(message, *arguments, **more):
    made = logging.LogRecord("app.x", logging.WARNING, "x.py", 1, message, arguments, None)
    vars(made).update(more)
    return made


def line(made):
    [text] = JsonLines().format(made).splitlines()
    return json.loads(text)


def test_an_object_a_line():
    found = line(record("job %s: a\nb ü", JOB_ID))
    assert found.pop("time").endswith("+00:00")
    assert found == {
        "level": "warning",
        "logger": "app.x",
        "message": f"job {JOB_ID}: a\nb ü",
        "job_id": JOB_ID,
    }


def test_facts_are_fields():
    found = line(record("GET /", facts={"request_id": "req_1", "status": 200}))
    assert (found["request_id"], found["status"]) == ("req_1", 200)
    assert "job_id" not in found


def test_a_trace_stays_on_its_line():
    try:
        raise KeyError("x")
    except KeyError:
        found = line(record("failed", exc_info=sys.exc_info()))
    assert found["trace"].startswith("Traceback") and "KeyError" in found["trace"]


@contextmanager
def bare_root():
    """The root logger without what pytest has put there, and as it was afterwards."""
    logger = logging.getLogger()
    handlers, level = logger.handlers[:], logger.level
    logger.handlers[:] = []
    try:
        yield
    finally:
        logger.handlers[:] = handlers
        logger.setLevel(level)


@pytest.mark.parametrize("form", ["text", "json"])
def test_both_forms(form, capsys):
    with bare_root():
        configure(form)
        logging.getLogger("app.x").info("hello %d", 1)
        logging.getLogger("app.x").debug("nothing")
        logging.getLogger("alembic.runtime").info("nothing")
    [text] = capsys.readouterr().err.splitlines()
    if form == "json":
        assert json.loads(text)["message"] == "hello 1"
    else:
        assert text.endswith(" INFO app.x hello 1")
