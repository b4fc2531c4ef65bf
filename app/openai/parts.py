"""What the routes that speak as OpenAI's do are handed, besides what all routes are."""

from typing import Annotated

from fastapi import Depends

from app.deps import ServiceDep
from jobs.history import History
from jobs.names import Names
from jobs.uploads import Uploads


def _names(service: ServiceDep) -> Names:
    return Names(service.database)


def _uploads(service: ServiceDep) -> Uploads:
    return Uploads(service.database, service.catalog)


def _history(service: ServiceDep) -> History:
    return History(service.database)


NamesDep = Annotated[Names, Depends(_names)]
UploadsDep = Annotated[Uploads, Depends(_uploads)]
HistoryDep = Annotated[History, Depends(_history)]
