"""A search told in part: some of its generations, its incumbents, its best candidates.

Whatever is asked for is picked by the database: a search may have tens of thousands.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

from sqlalchemy import case, func
from sqlmodel import Session, col, select

from jobs.database import Database
from jobs.models import GenerationRow, TimingRow
from jobs.store import generations_of, get_job

Timed: TypeAlias = tuple[GenerationRow, TimingRow]
number_, text_ = col(GenerationRow.number), col(GenerationRow.text)
became_ = number_ == col(GenerationRow.incumbent_generation)  # the champion is the new incumbent


class Generations:
    """Reads the generations of jobs, each with its timing; raises NoSuchJob."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def picked(self, job_id: str, points: int, *, after: int = 0) -> list[Timed]:
        """At most so many, evenly spread, the first and the last among them; the oldest first."""
        ends = select(func.min(number_), func.max(number_)).where(
            GenerationRow.job_id == job_id, number_ > after
        )
        with self._database.reading() as session:
            get_job(session, job_id)
            first, last = session.exec(ends).one()
            return [] if first is None else _at(session, job_id, spread(first, last, points))

    def incumbents(self, job_id: str, *, after: int = 0, limit: int = 100) -> list[Timed]:
        """Those whose champion became the incumbent, the oldest first."""
        return self._read(job_id, became_, number_ > after, order=[number_], limit=limit)

    def steps(self, job_id: str, points: int) -> list[Timed]:
        """The incumbents, or so many of them, and the last generation: the incumbent's curve."""
        of_job = GenerationRow.job_id == job_id
        rising = select(number_).where(of_job, became_).order_by(number_)
        with self._database.reading() as session:
            get_job(session, job_id)
            found = session.exec(rising).all()
            last = session.exec(select(func.max(number_)).where(of_job)).one()
            kept = [found[i] for i in spread(0, len(found) - 1, points)] if found else []
            return _at(session, job_id, [*kept, last])

    def candidates(self, job_id: str, *, limit: int = 20) -> list[Timed]:
        """Different champions, the best by dev loss first.

        The same words count once, as they were measured first: the best of several measurements
        would be the luckiest. What is no text is never the same.
        """
        alike = text_, case((text_.is_(None), number_), else_=0)
        firsts = select(func.min(number_)).where(GenerationRow.job_id == job_id).group_by(*alike)
        order = [col(GenerationRow.dev_loss).nulls_last(), number_]
        return self._read(job_id, number_.in_(firsts), order=order, limit=limit)

    def elapsed(self, job_id: str, numbers: Sequence[int]) -> dict[int, float]:
        """Seconds of tuning until each of these generations, the baseline's included."""
        whole = func.sum(TimingRow.seconds)
        of_job = TimingRow.job_id == job_id
        upto = select(TimingRow.number, whole.over(order_by=col(TimingRow.number)).label("upto"))
        table = upto.where(of_job).subquery()
        asked = select(table.c.number, table.c.upto).where(table.c.number.in_(numbers))
        with self._database.reading() as session:
            job = get_job(session, job_id)
            before = job.seconds - (session.exec(select(whole).where(of_job)).one() or 0.0)
            return {number: before + seconds for number, seconds in session.exec(asked)}

    def _read(self, job_id: str, *conditions: Any, order: Sequence[Any], limit: int) -> list[Timed]:
        query = generations_of(job_id).where(*conditions).order_by(*order).limit(limit)
        with self._database.reading() as session:
            get_job(session, job_id)
            return list(session.exec(query))


def _at(session: Session, job_id: str, numbers: Sequence[int]) -> list[Timed]:
    among = generations_of(job_id).where(number_.in_(numbers))
    return list(session.exec(among.order_by(number_)))


def spread(first: int, last: int, points: int) -> list[int]:
    """At most so many numbers from `first` to `last`, both among them; two points at least.

    >>> spread(1, 10, 4), spread(1, 3, 60)
    ([1, 4, 7, 10], [1, 2, 3])
    """
    return sorted({first + round(k * (last - first) / (points - 1)) for k in range(points)})
