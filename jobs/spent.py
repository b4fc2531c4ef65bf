"""What earlier jobs have spent, for the estimates of later ones: one SQL statement."""

from typing import NamedTuple

from sqlmodel import Session, col, select

from jobs.models import JobRow, ReportRow, UsageRow


class Spent(NamedTuple):
    """What one job has spent so far."""

    dataset: str
    queries: int  # on train, dev and test
    timed_queries: int  # of these, on train and dev
    seconds: float  # for the timed ones
    sent: int = 0  # requests to APIs
    recalled: int = 0  # answers that were remembered
    tokens: int = 0  # read and written
    cost: int = 0  # 1 / PICO of the endpoint's currency


def spent_on(session: Session, endpoint: str, limit: int) -> list[Spent]:
    """By the latest jobs on an endpoint, the newest first."""
    on_test = col(ReportRow.body)["usage"]["report_queries"].as_integer()
    query = (
        select(JobRow, UsageRow, on_test)
        .join(UsageRow, col(UsageRow.job_id) == JobRow.id, isouter=True)
        .join(ReportRow, col(ReportRow.job_id) == JobRow.id, isouter=True)
        .where(col(JobRow.spec)["endpoint"].as_string() == endpoint)
        .where(col(JobRow.queries) > 0, col(JobRow.seconds) > 0)
        .order_by(col(JobRow.id).desc())
        .limit(limit)
    )
    return [_spent(*row) for row in session.exec(query)]


def _spent(job: JobRow, usage: UsageRow | None, on_test: int | None) -> Spent:
    spent = Spent(job.spec["dataset"], job.queries + (on_test or 0), job.queries, job.seconds)
    if usage is None:
        return spent
    tokens = usage.tokens_in + usage.tokens_out
    return spent._replace(
        sent=usage.requests, recalled=usage.recalled, tokens=tokens, cost=usage.cost
    )
