"""What a project sees: every statement of its sessions is narrowed, every new row is marked.

No store knows of projects. A row is a project's own where its table has a column `project`; rows
that hang on such a one (a job's generations, say) are read after it, and need none.
"""

from functools import cache
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, with_loader_criteria
from sqlmodel import Session, SQLModel

from jobs.models import SHARED

PROJECT = "project"  # of a session's `info`


def narrow(session: Session, project: str) -> None:
    """From now on the session sees what is the project's or shared, and adds to the project."""
    session.info[PROJECT] = project


@event.listens_for(Session, "do_orm_execute")
def _see(state: ORMExecuteState) -> None:
    project = state.session.info.get(PROJECT)
    if project is not None and (state.is_select or state.is_update or state.is_delete):
        state.statement = state.statement.options(*_own(project))


@event.listens_for(Session, "before_flush")
def _mark(session: Session, *_: Any) -> None:
    if PROJECT in session.info:
        for row in session.new:
            if isinstance(row, owned()):
                row.project = session.info[PROJECT]


@cache
def _own(project: str) -> list[Any]:
    """Made once a project: SQLAlchemy knows a statement with the same ones again."""
    return [  # rows do not carry it along: they are sent to other processes
        with_loader_criteria(
            table,
            table.project.in_((project, SHARED)),
            include_aliases=True,
            propagate_to_loaders=False,
        )
        for table in owned()
    ]


@cache
def owned() -> tuple[Any, ...]:
    """Every table whose rows belong to projects."""
    mappers = SQLModel._sa_registry.mappers
    return tuple(mapper.class_ for mapper in mappers if "project" in mapper.columns)
