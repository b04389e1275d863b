"""The FastAPI application: the page, the API, health checks and metrics."""

import logging
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
from modiste.inference.model import Predictor
from modiste.web.http_error import HttpError, error_response
from modiste.web.middleware import RequestMiddleware, ServiceMetrics
from modiste.web.prediction_task import PredictionTask
from modiste.web.request_reader import FORM_TYPE, PHOTO_TYPES, RequestReader
from modiste.web.samples import find_samples, sample_files
from modiste.web.schemas import ErrorResponse, ModelInfo, PredictionResponse, Sample, ServiceInfo, Status
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
FORM_SCHEMA = {"type": "object", "properties": {"file": {"type": "array", "items": BINARY}}}
PREDICT_BODY = {
    "required": True,
    "content": {**{each: {"schema": BINARY} for each in PHOTO_TYPES}, FORM_TYPE: {"schema": FORM_SCHEMA}},
}
"""OpenAPI description of the body of `/predict`, which FastAPI cannot derive: it is read as a stream."""

ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorResponse, "description": "Invalid request"},
    408: {"model": ErrorResponse, "description": "Body received too slowly"},
    413: {"model": ErrorResponse, "description": "Body too large"},
    415: {"model": ErrorResponse, "description": "Not a JPEG, PNG or WebP file"},
    422: {"model": ErrorResponse, "description": "Photo truncated, damaged, too small or with too many pixels"},
    503: {"model": ErrorResponse, "description": "Service busy or stopping; see Retry-After"},
}


def create_app(predictor: Predictor, queue: WorkQueue, hosts: Sequence[str] = ()) -> RequestMiddleware:
    """Create the ASGI application.

    Args:
        predictor: the loaded models.
        queue: runs the predictions.
        hosts: accepted host names; a request under another name may come from a third-party page and is rejected.
            Empty accepts every name.
    """
    app = FastAPI(title="modiste", version=modiste.__version__, docs_url=None, redoc_url=None)
    metrics = ServiceMetrics()
    metrics.in_use.set_function(lambda: queue.in_use)
    _add_predict_route(app, predictor, queue, metrics)
    _add_health_routes(app, queue, metrics)
    _add_about_route(app, predictor)
    _add_static_routes(app)
    _add_error_handlers(app)
    return RequestMiddleware(app, metrics, [route.path for route in app.routes if hasattr(route, "path")], hosts)


def _add_predict_route(app: FastAPI, predictor: Predictor, queue: WorkQueue, metrics: ServiceMetrics) -> None:
    reader = RequestReader()

    @app.post(
        "/predict",
        response_model=PredictionResponse | list[PredictionResponse],
        responses=ERROR_RESPONSES,
        openapi_extra={"requestBody": PREDICT_BODY},
        summary="Predict the class of one or several photos",
    )
    async def predict(
        request: Request,
        top: Annotated[int, Query(ge=1, le=100)] = 3,
        preview: bool = False,
        heatmap: bool = False,
        model: str = "",
    ) -> Response:
        """Send one photo as the body to get one prediction, or a form with several files to get a list.

        Without `model`, each photo is predicted by the model that fits it; `/about` lists the names.
        """
        task = PredictionTask(_select_model(predictor, model), top, preview, heatmap)
        async with reader.hold_upload(request) as (photos, is_form):
            results = await queue.submit([partial(task, photo) for photo in photos], task.cost)
        errors = [error for _, error in results if error]
        if errors and not is_form:
            raise errors[0]
        records = [record for record, _ in results]
        for record in records:
            if record["label"] is not None:
                metrics.predictions.labels(record["model"], record["label"]).inc()
        status = errors[0].status if len(errors) == len(results) else 200
        return JSONResponse(records if is_form else records[0], status)


def _add_health_routes(app: FastAPI, queue: WorkQueue, metrics: ServiceMetrics) -> None:
    @app.get("/health/live", summary="Liveness check")
    async def live() -> Status:
        return Status(status="live")

    @app.get("/health/ready", responses={503: {"model": ErrorResponse}}, summary="Readiness check")
    async def ready() -> Status:
        if queue.closing:
            raise HttpError(503, "The service is stopping. Use another one.")
        return Status(status="ready")

    @app.get("/metrics", response_class=Response, summary="Metrics for Prometheus")
    async def prometheus() -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _add_about_route(app: FastAPI, predictor: Predictor) -> None:
    models = [ModelInfo.model_validate(model, from_attributes=True) for model in predictor.models]
    samples = [Sample.model_validate(sample, from_attributes=True) for sample in find_samples(predictor.models)]

    @app.get("/about", summary="Loaded models and bundled samples")
    async def about() -> ServiceInfo:
        return ServiceInfo(models=models, version=modiste.__version__, samples=samples)


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
        names = ", ".join(sorted({str(each["loc"][-1]) for each in error.errors()}))
        return await respond(request, HttpError(400, f"The value of {names} is invalid. See /docs."))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        # uvicorn logs the traceback; this line connects it with the request
        log.error("request %s failed", request.state.request_id)
        return await respond(request, HttpError(500, "Internal error. Report the request id to the operator."))
