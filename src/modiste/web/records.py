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


class About(BaseModel):
    """The model that answers."""

    model: str
    labels: list[str]
    size: int
    channels: int
    version: str
    samples: list[Sample]
