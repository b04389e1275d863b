"""The service: the page, the API, health and metrics, around one predictor and one queue."""

import logging
import re
from collections.abc import Sequence
from functools import partial
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

import modiste
from modiste.inference.model import Model, Predictor
from modiste.labels import FASHION_MNIST
from modiste.web import http_error
from modiste.web.http_error import HttpError
from modiste.web.middleware import RequestMiddleware, ServiceMetrics
from modiste.web.prediction_task import PredictionTask
from modiste.web.request_reader import FORM, PICTURES, RequestReader
from modiste.web.schemas import ErrorResponse, ModelInfo, PredictionResponse, Sample, ServiceInfo, Status
from modiste.web.work_queue import WorkQueue

log = logging.getLogger(__name__)

TYPES = {
    "html": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
    "png": "image/png",
    "jpg": "image/jpeg",
}

LABELS = {re.sub(r"\W+", "-", label.lower()): label for label in FASHION_MNIST}
"""What the samples are, by the stem of their files."""

BODY = {
    "required": True,
    "content": {
        **{kind: {"schema": {"type": "string", "format": "binary"}} for kind in PICTURES},
        FORM: {
            "schema": {
                "type": "object",
                "properties": {"file": {"type": "array", "items": {"type": "string", "format": "binary"}}},
            }
        },
    },
}
"""Of `/predict`, for the API's description: the body is read as it arrives, so it is no argument."""

ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorResponse, "description": "No proper request"},
    408: {"model": ErrorResponse, "description": "Too slow"},
    413: {"model": ErrorResponse, "description": "Too large"},
    415: {"model": ErrorResponse, "description": "No JPEG, PNG or WebP"},
    422: {"model": ErrorResponse, "description": "Truncated, damaged, too small or too many pixels"},
    503: {"model": ErrorResponse, "description": "Busy or stopping; see Retry-After"},
}


def create(predictor: Predictor, queue: WorkQueue, hosts: Sequence[str] = ()) -> RequestMiddleware:
    """Make the application.

    Args:
        predictor: answers.
        queue: where pictures wait for it.
        hosts: names that a browser may know the service by; another one is refused, as it may be a stranger's page.
            Left out: every name will do.
    """
    app = FastAPI(title="modiste", version=modiste.__version__, docs_url=None, redoc_url=None)
    metrics = ServiceMetrics()
    metrics.in_use.set_function(lambda: queue.in_use)
    _predict(app, predictor, queue, metrics)
    _health(app, queue, metrics)
    _about(app, [_model_info(model) for model in predictor.models])
    _pages(app)
    _error_handlers(app)
    return RequestMiddleware(app, metrics, [route.path for route in app.routes if hasattr(route, "path")], hosts)


def _predict(app: FastAPI, predictor: Predictor, queue: WorkQueue, metrics: ServiceMetrics) -> None:
    reader = RequestReader()

    @app.post(
        "/predict",
        response_model=PredictionResponse | list[PredictionResponse],
        responses=ERROR_RESPONSES,
        openapi_extra={"requestBody": BODY},
        summary="Say what is on pictures",
    )
    async def predict(
        request: Request,
        top: Annotated[int, Query(ge=1, le=100)] = 3,
        preview: bool = False,
        heatmap: bool = False,
        model: str = "",
    ) -> Response:
        """Send one picture as the body and get its prediction, or a form with one or many files and get a list.

        Left out, `model` is the one that fits each picture; `/about` has their names.
        """
        task = PredictionTask(_named(predictor, model), top, preview, heatmap)
        async with reader.pictures(request) as (pictures, is_form):
            answers = await queue.submit([partial(task, picture) for picture in pictures], task.cost)
        refusals = [error for _, error in answers if error]
        if refusals and not is_form:
            raise refusals[0]
        records = [record for record, _ in answers]
        for record in records:
            if record["label"] is not None:
                metrics.predictions.labels(record["model"], record["label"]).inc()
        status = refusals[0].status if len(refusals) == len(answers) else 200
        return JSONResponse(records if is_form else records[0], status)


def _health(app: FastAPI, queue: WorkQueue, metrics: ServiceMetrics) -> None:
    @app.get("/health/live", summary="Whether the process answers")
    async def live() -> Status:
        return Status(status="live")

    @app.get("/health/ready", responses={503: {"model": ErrorResponse}}, summary="Whether pictures are taken")
    async def ready() -> Status:
        if queue.closing:
            raise HttpError(503, "The service is stopping. Ask another one.")
        return Status(status="ready")

    @app.get("/metrics", response_class=Response, summary="Metrics for Prometheus")
    async def prometheus() -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _about(app: FastAPI, models: list[ModelInfo]) -> None:
    # a photo is no sample of what a network of product pictures can do
    kinds = (".png", ".jpg") if any(model.channels == 3 for model in models) else (".png",)
    samples = [_sample(file) for file in _samples() if file.name.endswith(kinds)]

    @app.get("/about", summary="The models that answer")
    async def about() -> ServiceInfo:
        return ServiceInfo(models=models, version=modiste.__version__, samples=samples)


def _named(predictor: Predictor, name: str) -> Predictor:
    """The model of that name alone, or all that may answer where none is named."""
    if not name:
        return predictor
    for model in predictor.models:
        if model.name == name:
            return model
    known = ", ".join(model.name for model in predictor.models)
    raise HttpError(400, f"There is no such model. Take one of {known}.")


def _model_info(model: Model) -> ModelInfo:
    return ModelInfo(
        model=model.name,
        labels=list(model.class_names),
        size=model.image_size,
        channels=model.channels,
        scores=model.scores,
    )


def _samples() -> list[Traversable]:
    """The bundled samples, photos last."""
    files = (resources.files("modiste") / "assets" / "samples").iterdir()
    chosen = (file for file in files if file.name.endswith((".png", ".jpg")))
    return sorted(chosen, key=lambda file: (file.name.endswith(".jpg"), file.name))


def _sample(file: Traversable) -> Sample:
    return Sample(file=f"samples/{file.name}", label=LABELS[file.name.rpartition(".")[0]])


def _pages(app: FastAPI) -> None:
    """Everything in `static/` and the samples, read once: what is not there cannot be asked for."""
    for file in (resources.files("modiste") / "web" / "static").iterdir():
        _page(app, {"index.html": "/", "docs.html": "/docs"}.get(file.name, f"/{file.name}"), file)
    for file in _samples():
        _page(app, f"/samples/{file.name}", file)


def _page(app: FastAPI, path: str, file: Traversable) -> None:
    content, kind = file.read_bytes(), TYPES[file.name.rpartition(".")[2]]

    @app.api_route(path, methods=["GET", "HEAD"], include_in_schema=False)
    async def get() -> Response:
        return Response(content, media_type=kind)


def _error_handlers(app: FastAPI) -> None:
    """Every failure is told in the one form; nothing of the machine or of the client's own bytes is in it."""

    @app.exception_handler(HttpError)
    async def tell(request: Request, error: HttpError) -> Response:
        return http_error.response(error, request.state.request_id)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        return await tell(request, HttpError(error.status_code, f"{error.detail}. See /docs.", error.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        names = ", ".join(sorted({str(each["loc"][-1]) for each in error.errors()} & {"top", "preview", "heatmap"}))
        return await tell(request, HttpError(400, f"The value of {names or 'a parameter'} cannot be used. See /docs."))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        # the server logs the error itself; the id leads to it
        log.error("request %s failed", request.state.request_id)
        return await tell(request, HttpError(500, "The service failed. Tell its owner the id of this request."))
