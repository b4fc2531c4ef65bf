"""What every typed record of the service's answers shares."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class Record(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, told: Any) -> Any:
        """Take the default where the service says null, be it None or an empty list."""
        if not isinstance(told, dict):
            return told
        return {
            key: value
            for key, value in told.items()
            if value is not None or key not in cls.model_fields
        }
