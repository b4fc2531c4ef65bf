"""What a project sees: every statement of its sessions is narrowed, every new row is marked.

No store knows of projects. A row is a project's own where its table has a column `project`; rows
that hang on such a one (a job's generations, say) are read after it, and need none.
"""

from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, with_loader_criteria
from sqlmodel import Session, SQLModel

from jobs.models import SHARED


def narrow(session: Session, project: str) -> None:
    """From now on the session sees what is the project's or shared, and adds to the project."""
    tables = tuple(owned())
    seen = (project, SHARED)
    own = [  # rows do not carry it along: they are sent to other processes
        with_loader_criteria(
            table, table.project.in_(seen), include_aliases=True, propagate_to_loaders=False
        )
        for table in tables
    ]

    def see(state: ORMExecuteState) -> None:
        if state.is_select or state.is_update or state.is_delete:
            state.statement = state.statement.options(*own)

    def mark(session: Session, *_: Any) -> None:
        for row in session.new:
            if isinstance(row, tables):
                row.project = project

    event.listen(session, "do_orm_execute", see)
    event.listen(session, "before_flush", mark)


def owned() -> list[Any]:
    """Every table whose rows belong to projects."""
    mappers = SQLModel._sa_registry.mappers
    return [mapper.class_ for mapper in mappers if "project" in mapper.columns]
