"""The FastAPI application: the page, the API, health checks and metrics."""

import logging
from collections.abc import Sequence
from functools import partial
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

import modiste
from modiste.imaging.file_format import is_heic_supported
from modiste.inference.model import Predictor
from modiste.web.admission import Admission
from modiste.web.http_error import HttpError, error_response, from_validation_errors, list_errors, stopping
from modiste.web.middleware import RequestMiddleware, ServiceMetrics
from modiste.web.prediction_task import PredictionTask
from modiste.web.request_reader import (
    FORM_TYPE,
    HEIC_TYPES,
    JSON_TYPE,
    OCTET_STREAM,
    PHOTO_TYPES,
    RequestReader,
    Upload,
)
from modiste.web.samples import find_samples, sample_files
from modiste.web.schemas import (
    ErrorResponse,
    JsonPhoto,
    ModelInfo,
    PredictionOptions,
    PredictionResponse,
    ServiceInfo,
    Status,
)
from modiste.web.work_queue import WorkQueue

log = logging.getLogger(__name__)

MEDIA_TYPES = {
    "html": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
    "png": "image/png",
    "jpg": "image/jpeg",
}

BINARY = {"type": "string", "format": "binary"}
FORM_SCHEMA = {
    "type": "object",
    "properties": {
        "file": {"type": "array", "items": BINARY},
        **PredictionOptions.model_json_schema()["properties"],
    },
}
PREDICT_BODY = {
    "required": True,
    "content": {
        **{each: {"schema": BINARY} for each in PHOTO_TYPES},
        FORM_TYPE: {"schema": FORM_SCHEMA},
        JSON_TYPE: {"schema": JsonPhoto.model_json_schema()},
    },
}
"""OpenAPI description of the body of `/predict`, which FastAPI cannot derive: it is read as a stream."""

ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorResponse, "description": "Invalid request"},
    403: {"model": ErrorResponse, "description": "Sent by a page of another site"},
    408: {"model": ErrorResponse, "description": "Body received too slowly"},
    413: {"model": ErrorResponse, "description": "Body too large"},
    415: {"model": ErrorResponse | list[PredictionResponse], "description": "Not a JPEG, PNG or WebP file"},
    422: {
        "model": ErrorResponse | list[PredictionResponse],
        "description": "Photo truncated, damaged, too small or with too many pixels",
    },
    503: {"model": ErrorResponse, "description": "Service busy or stopping; see Retry-After"},
}


def create_app(
    predictor: Predictor,
    queue: WorkQueue,
    hosts: Sequence[str] = (),
    origins: Sequence[str] = (),
    root_path: str = "",
) -> ASGIApp:
    """Create the ASGI application.

    Args:
        predictor: the loaded models.
        queue: runs the predictions.
        hosts: accepted host names; a request under another name may come from a third-party page and is rejected.
            IP addresses are always accepted.
        origins: of other sites whose pages may send photos and read responses, such as https://shop.example; "*" is
            every page.
        root_path: prefix of the paths behind a proxy.
    """
    app = FastAPI(title="modiste", version=modiste.__version__, docs_url=None, redoc_url=None)
    metrics = ServiceMetrics()
    metrics.in_use.set_function(lambda: queue.in_use)
    _add_predict_route(app, predictor, queue, metrics)
    _add_health_routes(app, queue, metrics)
    _add_about_route(app, predictor)
    _add_static_routes(app)
    _add_error_handlers(app)
    paths = [route.path for route in app.routes if hasattr(route, "path")]
    middleware = RequestMiddleware(app, metrics, paths, Admission(queue, hosts, origins), root_path)
    return _allow_origins(middleware, origins) if origins else middleware


def _allow_origins(app: ASGIApp, origins: Sequence[str]) -> CORSMiddleware:
    """Let the pages of these origins read responses, errors included."""
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=("GET", "HEAD", "POST"),
        allow_private_network=True,
        expose_headers=("Retry-After", "X-Request-ID"),
    )


def _add_predict_route(app: FastAPI, predictor: Predictor, queue: WorkQueue, metrics: ServiceMetrics) -> None:
    reader = RequestReader()

    @app.post(
        "/predict",
        response_model=PredictionResponse | list[PredictionResponse],
        responses=ERROR_RESPONSES,
        openapi_extra={"requestBody": PREDICT_BODY},
        summary="Predict the class of one or several photos",
    )
    async def predict(request: Request, query: Annotated[PredictionOptions, Query()]) -> Response:
        """Send one photo as the body or as JSON to get one prediction, or a form with several files to get a list.

        The options are parameters of the query, fields of the form, or keys of the JSON. Without `model`, each photo
        is predicted by the model that fits it; `/about` lists the names. `file` is the name that the form or JSON has.
        """
        async with reader.hold_upload(request) as upload:
            task = _create_task(predictor, query, upload)
            results = await queue.submit([partial(task, photo) for photo in upload.photos], task.cost)
        errors = [error for _, error in results if error]
        if errors and not upload.is_form:
            raise errors[0]
        records = [record | {"file": name} for (record, _), name in zip(results, upload.file_names, strict=True)]
        for record in records:
            if record["label"] is not None:
                metrics.predictions.labels(record["model"], record["label"]).inc()
        status = errors[0].status if len(errors) == len(results) else 200
        return JSONResponse(records if upload.is_form else records[0], status)


def _add_health_routes(app: FastAPI, queue: WorkQueue, metrics: ServiceMetrics) -> None:
    @app.head("/health/live", include_in_schema=False)
    @app.get("/health/live", summary="Liveness check")
    async def live() -> Status:
        return Status(status="live")

    @app.head("/health/ready", include_in_schema=False)
    @app.get("/health/ready", responses={503: {"model": ErrorResponse}}, summary="Readiness check")
    async def ready() -> Status:
        if queue.closing:
            raise stopping()
        return Status(status="ready")

    @app.get("/metrics", response_class=Response, summary="Metrics for Prometheus")
    async def prometheus() -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _add_about_route(app: FastAPI, predictor: Predictor) -> None:
    models = [ModelInfo.model_validate(model, from_attributes=True) for model in predictor.models]
    samples = find_samples(predictor.models)
    unsupported = {OCTET_STREAM, *(() if is_heic_supported() else HEIC_TYPES)}
    photo_types = [each for each in PHOTO_TYPES if each not in unsupported]

    @app.get("/about", summary="Loaded models and bundled samples")
    async def about() -> ServiceInfo:
        return ServiceInfo(models=models, version=modiste.__version__, samples=samples, photo_types=photo_types)


def _create_task(predictor: Predictor, query: PredictionOptions, upload: Upload) -> PredictionTask:
    """Return the task for the photos of a request; the options in its body take precedence over those in its query."""
    try:
        options = PredictionOptions.model_validate(query.model_dump() | upload.options)
    except ValidationError as error:
        raise from_validation_errors(list_errors(error)) from None
    model = _select_model(predictor, options.model)
    return PredictionTask(model, options.top, options.preview, options.heatmap)


def _select_model(predictor: Predictor, name: str) -> Predictor:
    """Return the model of that name, or the whole predictor for an empty name."""
    if not name:
        return predictor
    for model in predictor.models:
        if model.name == name:
            return model
    raise HttpError(400, f"No model has this name. Use one of {', '.join(m.name for m in predictor.models)}.")


def _add_static_routes(app: FastAPI) -> None:
    """Serve the files in `static/` and the samples from memory, so that no request can name another file."""
    for file in (resources.files("modiste") / "web" / "static").iterdir():
        _add_static_file(app, {"index.html": "/", "docs.html": "/docs"}.get(file.name, f"/{file.name}"), file)
    for file in sample_files():
        _add_static_file(app, f"/samples/{file.name}", file)


def _add_static_file(app: FastAPI, path: str, file: Traversable) -> None:
    content, media_type = file.read_bytes(), MEDIA_TYPES[file.name.rpartition(".")[2]]

    @app.api_route(path, methods=["GET", "HEAD"], include_in_schema=False)
    async def get() -> Response:
        return Response(content, media_type=media_type)


def _add_error_handlers(app: FastAPI) -> None:
    """Answer every error as `ErrorResponse`, without details of the server or text that the client sent."""

    @app.exception_handler(HttpError)
    async def respond(request: Request, error: HttpError) -> Response:
        return error_response(error, request.state.request_id)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        return await respond(request, HttpError(error.status_code, f"{error.detail}. See /docs.", error.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return await respond(request, from_validation_errors(error.errors()))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        # uvicorn logs the traceback; this line connects it with the request
        log.error("request %s failed", request.state.request_id)
        return await respond(request, HttpError(500, "Internal error. Report the request id to the operator."))
