"""What the API answers, as its description has it."""

from pydantic import BaseModel


class Share(BaseModel):
    """A label and how probable it is."""

    label: str
    probability: float


class Told(BaseModel):
    """What a model says of one picture, or why it says nothing."""

    file: str = ""
    label: str | None
    probability: float | None
    top: list[Share]
    model: str
    error: str | None
    sees: str | None = None
    heatmap: str | None = None


class Wrong(BaseModel):
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


class Known(BaseModel):
    """A model that answers; its scores are what its file says of itself: on which images, how many, how good."""

    model: str
    labels: list[str]
    size: int
    channels: int
    scores: dict[str, dict[str, float]]


class About(BaseModel):
    """The models that answer, and pictures to try."""

    models: list[Known]
    version: str
    samples: list[Sample]
