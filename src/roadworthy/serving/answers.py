"""What the service says: the JSON bodies as pydantic models, which is also what OpenAPI shows."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

EXAMPLE: JsonDict = {
    "task": "car",
    "model_version": 3,
    "predictions": [
        {
            "filename": "street.jpg",
            "label": "car",
            "probability": 0.974,
            "sure": True,
            "probabilities": {"not_car": 0.026, "car": 0.974},
        }
    ],
}


class Answer(BaseModel):
    """The answer to one image."""

    filename: str
    label: str
    probability: float = Field(ge=0, le=1, description="Of the label, calibrated")
    sure: bool = Field(description="False: let a person look at it")
    probabilities: dict[str, float] = Field(description="Of every label")


class TaskAnswer(BaseModel):
    """The answers of one task's champion, in the order of the files."""

    model_config = ConfigDict(protected_namespaces=(), json_schema_extra={"example": EXAMPLE})

    task: str
    model_version: int = Field(description="Number in the registry")
    predictions: list[Answer]


class AllAnswers(BaseModel):
    """The answers of every task (`task=all`)."""

    results: list[TaskAnswer]


class TaskSummary(BaseModel):
    """One task in `/tasks`."""

    model_config = ConfigDict(protected_namespaces=())

    task: str
    model_version: int
    kind: str
    labels: list[str]


class TaskInfo(TaskSummary):
    """All that is known about the champion of one task."""

    digest: str = Field(description="SHA-256 of the bundle")
    engine: str
    input: dict[str, Any]
    threshold: float | None
    temperature: float
    metrics: dict[str, float] = Field(description="On the test split")
    lineage: dict[str, Any] | None
    limits: dict[str, int] = Field(description="Largest file in bytes, largest image in pixels")


class Info(BaseModel):
    """`/info`."""

    service: str = "roadworthy"
    version: str
    limits: dict[str, int] = Field(description="Of one request")
    tasks: dict[str, TaskInfo]


class RefusalBody(BaseModel):
    """Every answer with a status of 400 and above."""

    error: str = Field(description="One word for programs")
    message: str = Field(description="What was wrong")
    hint: str = Field(description="What to do next")
    request_id: str
