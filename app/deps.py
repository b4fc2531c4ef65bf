"""What routes are handed: the parts of the running service, by name."""

from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends, Query, Request

from app.metrics import Metrics
from app.settings import Settings
from jobs.catalog import Catalog
from jobs.database import Database
from jobs.serving import Predictor
from jobs.store import JobStore
from jobs.supervisor import Supervisor
from jobs.webhooks import Webhooks


@dataclass(frozen=True, eq=False)
class Service:
    """Everything `create_app` puts together; there is no module-level state."""

    settings: Settings
    store: JobStore
    catalog: Catalog
    predictor: Predictor
    supervisor: Supervisor
    database: Database
    metrics: Metrics

    def of(self, project: str) -> "Service":
        """The same as one project sees it: whatever reads or writes goes by this database."""
        database = self.database.of(project)
        return replace(self, database=database, store=JobStore(database), catalog=Catalog(database))


def _whole(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


WholeDep = Annotated[Service, Depends(_whole)]  # of all projects: for operators alone


def _service(request: Request, whole: WholeDep) -> Service:
    return whole.of(request.state.caller.project)


ServiceDep = Annotated[Service, Depends(_service)]


def _store(service: ServiceDep) -> JobStore:
    return service.store


def _catalog(service: ServiceDep) -> Catalog:
    return service.catalog


def _webhooks(service: ServiceDep) -> Webhooks:
    return Webhooks(service.database)


# An integer that databases hold (2**63 is too much), and that stays itself as a floating-point
# number, which is how the OpenAPI document writes bounds.
LARGEST = 9 * 10**18
Seen = Annotated[int, Query(ge=0, le=LARGEST, description="number of the last one seen")]
StoreDep = Annotated[JobStore, Depends(_store)]
CatalogDep = Annotated[Catalog, Depends(_catalog)]
WebhooksDep = Annotated[Webhooks, Depends(_webhooks)]
