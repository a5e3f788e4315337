"""The application: interface and screens behind the guard, and one line for whatever cannot be answered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Thread

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException

from oncoraft import __version__
from oncoraft.foundation.errors import InputError
from oncoraft.page import api, screens
from oncoraft.page.form import Wrong
from oncoraft.page.guard import Guard
from oncoraft.page.served import Page
from oncoraft.page.service import Unavailable
from oncoraft.page.stages import begin

SUMMARY = (
    "Scores and rationales of single cases by the model folders that are served. Nothing is kept of what is sent unless --keep was given."
)


def said(status: int, reason: str) -> JSONResponse:
    """A refusal."""
    return JSONResponse({"error": reason}, status_code=status)


def _add_refusals(app: FastAPI) -> None:
    """What is told of bad input, never with the input itself."""

    @app.exception_handler(InputError)
    async def refused(request: Request, error: InputError) -> Response:
        if request.method == "GET" and request.url.path.startswith("/screen/"):
            # A piece of the page, put where it was asked for.
            return HTMLResponse(screens.filled("failed", reason=str(error)), status_code=422)
        return said(422, str(error))

    @app.exception_handler(Wrong)
    async def wrong(_: Request, error: Wrong) -> Response:
        told = [{"field": field, "expected": reason} for field, reason in error.errors]
        return JSONResponse({"error": str(error), "errors": told}, status_code=422)

    @app.exception_handler(Unavailable)
    async def unavailable(_: Request, error: Unavailable) -> Response:
        return said(503, str(error))

    @app.exception_handler(OSError)
    async def unreadable(_: Request, error: OSError) -> Response:
        # Its message may hold a path with a patient's id.
        return said(503, f"a file that the page was started on can no longer be read ({error.strerror or type(error).__name__})")

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        told = [{"field": ".".join(map(str, one["loc"])), "expected": str(one["msg"])} for one in error.errors()[:20]]
        return JSONResponse({"error": "; ".join(f"{one['field']}: {one['expected']}" for one in told), "errors": told}, status_code=422)

    @app.exception_handler(HTTPException)
    async def plain(_: Request, error: HTTPException) -> Response:
        return said(error.status_code, str(error.detail))

    @app.exception_handler(Exception)
    async def failed(_: Request, error: Exception) -> Response:
        return said(500, api.defect(error))


def create(page: Page, host: str = "127.0.0.1", token: str | None = None) -> Guard:
    """The application.

    Args:
        page: what is served; its models are started with the application and ended with it.
        host: address that is listened on.
        token: what every request has to bring; None on loopback.
    """

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        Thread(target=begin, args=(page,), daemon=True).start()
        yield
        page.close()

    # FastAPI's own documentation pages load scripts from elsewhere: `/api` is ours.
    app = FastAPI(
        title="OncoRAFT page",
        version=__version__,
        summary=SUMMARY,
        lifespan=life,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    _add_refusals(app)
    app.include_router(api.router(page))
    app.include_router(screens.router(page, app))
    return Guard(app, host, token)
