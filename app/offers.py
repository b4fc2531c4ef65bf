"""What there is to choose from, as it leaves the service: one class an object. No SQL, no HTTP."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from backends.registry import Kind
from jobs.endpoints import endpoint_capabilities
from jobs.methods import Method
from jobs.metrics import Metric
from jobs.models import DatasetRow, EndpointRow, ExampleRow


class MethodPublic(BaseModel):
    object: Literal["method"] = "method"
    name: str
    title: str
    summary: str
    citation: str
    needs: list[str]
    presets: dict[str, dict[str, Any]]
    schema_: dict[str, Any] = Field(serialization_alias="schema")

    @classmethod
    def of(cls, name: str, method: type[Method]) -> "MethodPublic":
        presets = {
            preset: method.with_preset(preset).model_dump(exclude={"name", "preset"})
            for preset in method.presets
        }
        return cls(
            name=name,
            title=method.title,
            summary=method.summary,
            citation=method.citation,
            needs=sorted(method.needs),
            presets=presets,
            schema_=method.model_json_schema(),
        )


class MetricPublic(BaseModel):
    object: Literal["metric"] = "metric"
    name: str
    title: str
    summary: str
    schema_: dict[str, Any] = Field(serialization_alias="schema")

    @classmethod
    def of(cls, name: str, metric: type[Metric]) -> "MetricPublic":
        return cls(
            name=name,
            title=metric.title,
            summary=metric.summary,
            schema_=metric.model_json_schema(),
        )


class BackendPublic(BaseModel):
    object: Literal["backend"] = "backend"
    kind: str
    summary: str
    capabilities: list[str]

    @classmethod
    def of(cls, name: str, kind: Kind) -> "BackendPublic":
        return cls(kind=name, summary=kind.summary, capabilities=sorted(kind.capabilities))


class EndpointPublic(BaseModel):
    object: Literal["endpoint"] = "endpoint"
    id: str
    kind: str
    model: str
    options: dict[str, Any]
    capabilities: list[str]
    probed: dict[str, Any] | None
    built_in: bool
    created_at: datetime

    @classmethod
    def of(cls, row: EndpointRow) -> "EndpointPublic":
        return cls(**row.model_dump(), capabilities=endpoint_capabilities(row))


class SplitPublic(BaseModel):
    rows: int
    per_label: dict[str, int]  # empty where the rows have targets


class DatasetPublic(BaseModel):
    object: Literal["dataset"] = "dataset"
    id: str
    filename: str
    task: Literal["classification", "generation"]
    columns: list[str]
    image_column: str  # the one whose values are names of images; empty: there are none
    labels: list[str]
    n_rows: int
    splits: dict[str, SplitPublic]
    split_source: str
    shots: int | None
    seed: int | None
    sha256: str
    built_in: bool
    created_at: datetime

    @classmethod
    def of(cls, row: DatasetRow) -> "DatasetPublic":
        splits = {
            name: SplitPublic(
                rows=sum(counts.values()),
                per_label={label: counts[label] for label in row.labels},
            )
            for name, counts in row.counts.items()
        }
        return cls(
            **row.model_dump(exclude={"counts"}),
            task="classification" if row.labels else "generation",
            splits=splits,
            n_rows=sum(split.rows for split in splits.values()),
        )


class RowPublic(BaseModel):
    object: Literal["row"] = "row"
    number: int
    split: str
    inputs: dict[str, str]  # of an image its name, for /api/datasets/{id}/images/{name}
    label: str  # or the target

    @classmethod
    def of(cls, row: ExampleRow) -> "RowPublic":
        return cls(**row.model_dump(exclude={"dataset_id"}))
