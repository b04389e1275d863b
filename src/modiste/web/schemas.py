"""What the API answers, as its description has it."""

from pydantic import BaseModel


class ClassProbability(BaseModel):
    """A label and how probable it is."""

    label: str
    probability: float


class PredictionResponse(BaseModel):
    """What a model says of one picture, or why it says nothing."""

    file: str = ""
    label: str | None
    probability: float | None
    top: list[ClassProbability]
    model: str
    error: str | None
    preview: str | None = None
    heatmap: str | None = None


class ErrorResponse(BaseModel):
    """Why there is no prediction."""

    error: str
    request_id: str


class Status(BaseModel):
    """How the service is."""

    status: str


class Sample(BaseModel):
    """A picture to try."""

    file: str
    label: str


class ModelInfo(BaseModel):
    """A model that answers; its scores are what its file says of itself: on which images, how many, how good."""

    model: str
    labels: list[str]
    size: int
    channels: int
    scores: dict[str, dict[str, float]]


class ServiceInfo(BaseModel):
    """The models that answer, and pictures to try."""

    models: list[ModelInfo]
    version: str
    samples: list[Sample]
