"""What the service says: the JSON bodies as pydantic models, which is also what OpenAPI shows."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from roadworthy.bundle.figures import Figure

EXAMPLE: JsonDict = {
    "task": "car",
    "model_version": 3,
    "predictions": [
        {
            "id": "8f14e45fceea467aa5e1c0e2f3b6d7a1",
            "filename": "street.jpg",
            "label": "car",
            "probability": 0.974,
            "sure": True,
            "probabilities": {"not_car": 0.026, "car": 0.974},
        }
    ],
}
INSPECTED: JsonDict = {
    "steps": [
        {
            "task": "detector",
            "version": 2,
            "does": "where the cars are",
            "figures": {"scenes_average_precision": {"value": 0.934, "low": 0.895, "high": 0.962}},
        },
        {
            "task": "police",
            "version": 3,
            "does": "police of each",
            "figures": {"accuracy": {"value": 0.947, "low": 0.914, "high": 0.973}},
        },
    ],
    "unknown": ["errors add up: a car that is missed is not asked about"],
    "scenes": [
        {
            "filename": "street.jpg",
            "width": 640,
            "height": 426,
            "cars": [
                {
                    "box": {"left": 81.0, "top": 230.5, "right": 219.0, "bottom": 290.0},
                    "score": 0.981,
                    "answers": {"police": {"label": "police", "probability": 0.993, "sure": True}},
                }
            ],
        }
    ],
}


class Answer(BaseModel):
    """The answer to one image."""

    id: str = Field(description="Names this image's answers, for /feedback")
    filename: str
    label: str
    probability: float = Field(ge=0, le=1, description="Of the label, calibrated")
    sure: bool = Field(description="False: let a person look at it")
    probabilities: dict[str, float] = Field(description="Of every label, or of the top_k")


class TaskAnswer(BaseModel):
    """The answers of one task's champion, in the order of the files."""

    model_config = ConfigDict(protected_namespaces=(), json_schema_extra={"example": EXAMPLE})

    task: str
    model_version: int = Field(description="Number in the registry")
    predictions: list[Answer]


class AllAnswers(BaseModel):
    """The answers of every task (`task=all`)."""

    results: list[TaskAnswer]


class Box(BaseModel):
    """A place in an image, pixels from its left upper corner."""

    left: float
    top: float
    right: float
    bottom: float


class CarAnswer(BaseModel):
    """What one champion says of one car."""

    label: str
    probability: float = Field(ge=0, le=1, description="Of the label, calibrated on whole images")
    sure: bool = Field(description="False: let a person look at it")


class FoundCar(BaseModel):
    """One car, and what was said of it."""

    box: Box
    score: float = Field(ge=0, le=1, description="Probability that a car is there, calibrated")
    answers: dict[str, CarAnswer] = Field(description="By task")


class InspectedScene(BaseModel):
    """One image, the surest car first."""

    filename: str
    width: int
    height: int
    cars: list[FoundCar]


class StepInfo(BaseModel):
    """One champion at work, and what its own test measured."""

    task: str
    version: int = Field(description="Number in the registry")
    does: str
    figures: dict[str, Figure]


class Inspection(BaseModel):
    """The answer of `/inspect`, the scenes in the order of the files."""

    model_config = ConfigDict(json_schema_extra={"example": INSPECTED})

    steps: list[StepInfo] = Field(description="Who was at work, and how good each is")
    unknown: list[str] = Field(description="What nobody measured, in plain sentences")
    scenes: list[InspectedScene]


class TaskSummary(BaseModel):
    """One task in `/tasks`."""

    model_config = ConfigDict(protected_namespaces=())

    task: str
    model_version: int
    kind: str
    labels: list[str]
    searches: bool = Field(description="Whether /inspect can find things with it")


class TaskInfo(TaskSummary):
    """All that is known about the champion of one task."""

    digest: str = Field(description="SHA-256 of the bundle")
    engine: str
    input: dict[str, Any]
    threshold: float | None
    sure: float = Field(description="Below this probability an answer is not sure")
    temperature: float
    metrics: dict[str, float] = Field(description="On the test split")
    lineage: dict[str, Any] | None
    limits: dict[str, int] = Field(description="Largest file in bytes, largest image in pixels")


class Info(BaseModel):
    """`/info`."""

    service: str = "roadworthy"
    version: str
    limits: dict[str, int | bool] = Field(
        description="Of one request; whether addresses and feedback are taken"
    )
    tasks: dict[str, TaskInfo]


class RefusalBody(BaseModel):
    """Every answer with a status of 400 and above."""

    error: str = Field(description="One word for programs")
    message: str = Field(description="What was wrong")
    hint: str = Field(description="What to do next")
    request_id: str


REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": RefusalBody, "description": "The body is no form"},
    401: {"model": RefusalBody, "description": "No key, or not one of ours"},
    403: {"model": RefusalBody, "description": "An address that is not fetched from"},
    404: {"model": RefusalBody, "description": "No such task"},
    408: {"model": RefusalBody, "description": "The body took too long to arrive"},
    413: {"model": RefusalBody, "description": "Too large, or too many files"},
    422: {"model": RefusalBody, "description": "No file, or not a usable image"},
    429: {"model": RefusalBody, "description": "Too many requests at once"},
}
