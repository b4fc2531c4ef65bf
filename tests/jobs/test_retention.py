"""What is old goes, what is young or still needed stays."""

from datetime import timedelta

import pytest
from sqlmodel import select

from jobs.access_rows import AuditRow
from jobs.models import AnswerRow, EventRow, JobRow, PromptRow, Status, now
from jobs.retention import BATCH, Retention, let_go
from jobs.webhook_rows import DeliveryRow, DeliveryStatus, WebhookRow

OLD, YOUNG = now() - timedelta(days=31), now() - timedelta(days=29)


def job(session, id_, status, at):
    session.add(JobRow(id=id_, spec={}, status=status, created_at=at, finished_at=at))
    session.flush()
    session.add(EventRow(job_id=id_, type="done", created_at=at))
    session.add(
        PromptRow(job_id=id_, generation=1, dev_accuracy=1.0, kind="text", text="x", content=b"x")
    )


@pytest.fixture
def filled(database):
    with database.writing() as session:
        job(session, "old", Status.SUCCEEDED, OLD)
        job(session, "young", Status.FAILED, YOUNG)
        job(session, "open", Status.PAUSED, OLD)
        session.add(WebhookRow(id="wh", url="", events=[], secret=""))
        session.flush()
        for status in DeliveryStatus:
            session.add(
                DeliveryRow(
                    id=status,
                    webhook_id="wh",
                    type="",
                    job_id="old",
                    body="",
                    status=status,
                    created_at=OLD,
                )
            )
        session.add(AnswerRow(key="young", body="", created_at=YOUNG))
        session.add_all(
            AnswerRow(key=f"{n}", body="", created_at=OLD) for n in range(2 * BATCH + 1)
        )
    return database


def left(database, column):
    with database.reading() as session:
        return sorted(session.exec(select(column)).all())


def test_nothing_goes_unless_somebody_wants_it(filled):
    assert let_go(filled, Retention()) == {}
    assert left(filled, JobRow.id) == ["old", "open", "young"]
    assert len(left(filled, AnswerRow.key)) == 2 * BATCH + 2


def test_ended_jobs_go_with_all_they_hold(filled):
    assert let_go(filled, Retention(jobs=30)) == {"jobs": 1}
    for column in (JobRow.id, EventRow.job_id, PromptRow.job_id):
        assert left(filled, column) == ["open", "young"]
    assert let_go(filled, Retention(jobs=30)) == {"jobs": 0}


def test_events_of_ended_jobs_go_and_the_jobs_stay(filled):
    assert let_go(filled, Retention(events=30)) == {"events": 1, "deliveries": 2}
    assert left(filled, JobRow.id) == ["old", "open", "young"]
    assert left(filled, EventRow.job_id) == ["open", "young"]
    assert left(filled, DeliveryRow.id) == ["pending"]


def test_answers_go_in_batches(filled):
    assert let_go(filled, Retention(answers=30)) == {"answers": 2 * BATCH + 1}
    assert left(filled, AnswerRow.key) == ["young"]


def test_the_audit_log_goes_by_its_own_days(filled):
    with filled.writing() as session:
        for at, project in ((OLD, "default"), (OLD, "other"), (YOUNG, "other")):
            session.add(
                AuditRow(
                    project=project,
                    at=at,
                    who="",
                    verb="POST",
                    route="",
                    object_id="",
                    status=200,
                    request_id="",
                )
            )
    assert let_go(filled, Retention(events=30, answers=30, jobs=30)).keys().isdisjoint({"audit"})
    assert len(left(filled, AuditRow.id)) == 3
    assert let_go(filled, Retention(audit=30)) == {"audit": 2}
    assert left(filled, AuditRow.at) == [YOUNG]


def test_the_day_counts(filled):
    later = now() + timedelta(days=2)
    assert let_go(filled, Retention(jobs=30), at=later) == {"jobs": 2}
    assert left(filled, JobRow.id) == ["open"]
