"""How much of a job's budget is gone: the nearest of its walls says it."""

import pytest

from app.schemas import JobPublic
from jobs.models import JobRow, Status, UsageRow
from tests.jobs.conftest import COLORS

USED = UsageRow(job_id="job-1", tokens_in=300, tokens_out=100, cost=5 * 10**11)


@pytest.mark.parametrize(
    ("walls", "status", "fraction"),
    [
        ({}, Status.RUNNING, 0.1),
        ({"tokens": 500}, Status.RUNNING, 0.8),
        ({"tokens": 500, "cost": 0.55}, Status.RUNNING, 0.5 / 0.55),
        ({"seconds": 40.0}, Status.RUNNING, 0.5),
        ({"seconds": 10.0}, Status.RUNNING, 1.0),
        ({"tokens": 500}, Status.SUCCEEDED, 1.0),
    ],
)
def test_the_nearest_wall_tells_the_progress(walls, status, fraction):
    task = {"template": "{prompt} {text}", "verbalizer": {"blue": "blue", "red": "red"}}
    spec = {**COLORS, "task": task, "budget": {"queries": 1000, **walls}}
    job = JobRow(id="job-1", spec=spec, status=status, queries=100, seconds=20.0)
    assert JobPublic.of(job, usage=USED).progress.fraction == pytest.approx(fraction)
