"""Projects: every SQL statement about them. What one sees is in `jobs/scope.py`."""

from collections.abc import Sequence

from sqlmodel import col, select

from jobs.access_rows import ProjectRow
from jobs.catalog import ID, BadId, IdTaken
from jobs.database import Database
from jobs.models import DEFAULT


class NoSuchProject(LookupError):
    """No project of this id is the caller's."""

    def __init__(self, id_: str) -> None:
        super().__init__(f"no project {id_[:100]!r}; leave the header out for your own")


class Projects:
    """All projects of a service; none is ever deleted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, id_: str) -> ProjectRow:
        """A project with nothing in it.

        Raises:
            BadId: the id is none.
            IdTaken: there is one of this id.
        """
        if not ID.fullmatch(id_):
            raise BadId(
                f"{id_!r} cannot be a project's id; wanted 1 to 64 small letters, digits, dots, "
                "dashes or underscores, beginning with a letter or digit"
            )
        row = ProjectRow(id=id_)
        with self._database.writing() as session:
            if session.get(ProjectRow, id_) is not None:
                raise IdTaken(f"there is already a project {id_!r}; choose another id")
            session.add(row)
        return row

    def add_default(self) -> None:
        """The project of whoever names none; does nothing where it is."""
        if not self.has(DEFAULT):
            self.add(DEFAULT)

    def all(self) -> Sequence[ProjectRow]:
        with self._database.reading() as session:
            return session.exec(select(ProjectRow).order_by(col(ProjectRow.id))).all()

    def has(self, id_: str) -> bool:
        with self._database.reading() as session:
            return session.get(ProjectRow, id_) is not None
