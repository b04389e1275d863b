"""Options, JSON bodies and response bodies of the API, as its OpenAPI description lists them."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from modiste.web.samples import Sample


class PredictionOptions(BaseModel):
    """The options of a request: in its query, as fields of its form, or in its JSON body."""

    model_config = ConfigDict(extra="forbid")

    top: Annotated[int, Field(ge=1, le=100, description="an integer from 1 to 100")] = 3
    preview: Annotated[bool, Field(description="true or false")] = False
    heatmap: Annotated[bool, Field(description="true or false")] = False
    model: Annotated[str, Field(description="the name of a model in /about")] = ""


class JsonPhoto(PredictionOptions):
    """A photo as JSON: in base64 or as a data URL, with the name that its prediction is to have, and the options."""

    image: Annotated[str, Field(description="a photo in base64 or as a data URL")]
    file: Annotated[str, Field(description="a file name")] = ""


class ClassProbability(BaseModel):
    """A class and its probability."""

    label: str
    probability: float


class PredictionResponse(BaseModel):
    """The prediction for one photo, or the reason why there is none."""

    file: str = ""
    label: str | None
    probability: float | None
    top: list[ClassProbability]
    model: str
    error: str | None
    preview: str | None = None
    heatmap: str | None = None


class ErrorResponse(BaseModel):
    """An error and the id of the request."""

    error: str
    request_id: str


class Status(BaseModel):
    """The state of the service."""

    status: str


class ModelInfo(BaseModel):
    """A loaded model.

    `scores` holds the metrics in its file by split, with the number of images as `n`; `label_groups` the classes that
    photos often do not tell apart, such as kinds of shoe; with `can_abstain`, some images are "none of these".
    """

    name: str
    class_names: list[str]
    label_groups: list[list[str]]
    image_size: int
    channels: int
    can_abstain: bool
    scores: dict[str, dict[str, float]]


class ServiceInfo(BaseModel):
    """The loaded models, the version of modiste, the bundled samples, and the media types of photos that are read."""

    models: list[ModelInfo]
    version: str
    samples: list[Sample]
    photo_types: list[str]
