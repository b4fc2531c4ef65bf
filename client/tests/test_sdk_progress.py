"""What a waiting user sees."""

from __future__ import annotations

import io

from gradless import progress, types

RUNNING = types.JobState.model_validate(
    {
        "id": "job_1",
        "status": "running",
        "progress": {"queries": 1000, "budget": 4000, "fraction": 0.25, "seconds_left": 75.0},
        "incumbent": {"generation": 1, "dev_accuracy": 0.8},
    }
)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_wait_writes_plain_lines_to_a_file(client):
    log = io.StringIO()
    client.tune().wait(progress=log)
    assert log.getvalue().splitlines() == [
        "job_01  queued  0 of 4,000 queries (0 %)",
        "job_01  running  0 of 4,000 queries (0 %)",
        "job_01  succeeded  4,000 of 4,000 queries (100 %), dev accuracy 0.900",
    ]


def test_a_wait_without_a_terminal_writes_to_standard_error(client, capsys):
    client.tune().wait()
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "succeeded" in printed.err
    assert "\x1b" not in printed.err


def test_lines_come_at_a_calm_rate():
    log, now = io.StringIO(), [0.0]
    lines = progress.Lines(log, clock=lambda: now[0])
    for now[0] in range(25):
        lines(RUNNING)
    said = "job_1  running  1,000 of 4,000 queries (25 %), dev accuracy 0.800, 1 min 15 s left"
    assert log.getvalue().splitlines() == [said] * 3


def test_a_terminal_gets_a_bar(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    terminal = Terminal()
    with progress.showing(terminal) as show:
        show(RUNNING)
    drawn = terminal.getvalue()
    assert "\x1b[" in drawn
    assert "1,000 of 4,000 queries (25 %), dev accuracy 0.800, 1 min 15 s left" in drawn


def test_no_progress_is_silent(client, capsys):
    client.tune().wait(progress=False)
    assert capsys.readouterr() == ("", "")
