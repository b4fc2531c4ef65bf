"""Gradless from Python: tune prompts for models you can only call. The work is the service's.

Example:
    import gradless

    client = gradless.Client()
    job = client.tune(dataset="tickets", preset="fast", budget=40_000)
    print(job.wait().result)
    print(job.predict(["I was charged twice this month"])[0])
"""

from gradless.aio import AsyncClient, AsyncJob
from gradless.client import Client
from gradless.comparison import Comparison, Setting, Verdict
from gradless.errors import (
    APIError,
    AuthenticationError,
    BadRequest,
    Conflict,
    ConnectionFailed,
    GradlessError,
    Invalid,
    JobFailed,
    JobTimeout,
    NotFound,
    PayloadTooLarge,
    PermissionDenied,
    RateLimited,
    ServiceError,
)
from gradless.estimate import Caution, Effect, Estimate, Range
from gradless.job import Job
from gradless.report import Change, Report, Scored
from gradless.transport import __version__
from gradless.types import (
    Baseline,
    Dataset,
    Endpoint,
    Failure,
    Generation,
    Health,
    Incumbent,
    JobProgress,
    JobState,
    Measured,
    Method,
    Metric,
    Prediction,
    Probed,
    Prompt,
    Result,
    Scores,
    Usage,
)

__all__ = [
    "APIError",
    "AsyncClient",
    "AsyncJob",
    "AuthenticationError",
    "BadRequest",
    "Baseline",
    "Caution",
    "Change",
    "Client",
    "Comparison",
    "Conflict",
    "ConnectionFailed",
    "Dataset",
    "Effect",
    "Endpoint",
    "Estimate",
    "Failure",
    "Generation",
    "GradlessError",
    "Health",
    "Incumbent",
    "Invalid",
    "Job",
    "JobFailed",
    "JobProgress",
    "JobState",
    "JobTimeout",
    "Measured",
    "Method",
    "Metric",
    "NotFound",
    "PayloadTooLarge",
    "PermissionDenied",
    "Prediction",
    "Probed",
    "Prompt",
    "Range",
    "RateLimited",
    "Report",
    "Result",
    "Scored",
    "Scores",
    "ServiceError",
    "Setting",
    "Usage",
    "Verdict",
    "__version__",
]
