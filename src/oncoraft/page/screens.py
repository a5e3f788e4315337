"""The screens for people: one page, and the pieces of it that are filled in as they become known."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import jinja2
from fastapi import APIRouter, FastAPI, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, HTMLResponse, Response, StreamingResponse

from oncoraft import __version__
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import text_digest
from oncoraft.knowledge.drugs import drugs
from oncoraft.knowledge.genes import genes
from oncoraft.page.api import lines_response, looked_up, moved, read_case, written
from oncoraft.page.asking import Asked, Case, as_file, statements_of
from oncoraft.page.browse import listed, report_file, report_policy
from oncoraft.page.demo import DEMO
from oncoraft.page.inputs import label_of, sections
from oncoraft.page.marks import marked
from oncoraft.page.past import past
from oncoraft.page.served import PROGNOSTIC, Model, Page, described
from oncoraft.page.service import Event, Unavailable
from oncoraft.page.strip import lanes_of, strip
from oncoraft.report.page import STYLE_SHEET
from oncoraft.report.text import visible

DATA_FILES = ("templates",)
TEMPLATES = Path(__file__).parent / DATA_FILES[0]
STATIC = {"page.js": "text/javascript", "page.css": "text/css", "htmx.min.js": "text/javascript"}
Id = Annotated[str, Query(max_length=200)]


@cache
def environment() -> jinja2.Environment:
    """Templates with escaping everywhere; what cannot be seen in a text is replaced."""
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, finalize=visible, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    found.filters["label"] = label_of
    return found


def filled(name: str, **values: Any) -> str:
    """A template with its values."""
    return environment().get_template(f"{name}.jinja").render(**values)


def agents() -> list[tuple[str, str]]:
    """Agents that can be entered, lower case, each with its other names, by which it can be searched for too."""
    shown = [drug for drug in drugs().values() if not (drug.is_aside or drug.is_tracer or drug.is_unrelated)]
    return sorted((drug.agent.lower(), ", ".join(name.lower() for name in drug.synonyms)) for drug in shown)


def result_of(model: Model, case: Case, record: dict[str, Any], stands: dict[str, Any]) -> str:
    """The part of a result that is known as soon as the score is."""
    picture = strip(record["score"], lanes_of(stands["scale"], stands["regimen"]), record["threshold"]) if stands["scale"] else None
    return filled("standing", model=model, case=case, record=record, stands=stands, picture=picture, statement=PROGNOSTIC)


async def shown(page: Page, model: Model, case: Case) -> AsyncIterator[Event]:
    """One case with one model, piece by piece: score, standing, text, marked rationale, what moved the score."""
    own: dict[str, Any] = {"model": model.name}
    place = f"of-{text_digest(model.name)[:8]}"  # several answers stand on one page, and links lead within each
    try:
        yield {**own, "event": "case", "file": as_file(case), "html": filled("case", case=case, statements=statements_of(case))}
        async for event in written(page, model, case, True):
            if event["event"] == "failed":
                raise Unavailable(event["message"])
            if event["event"] == "score":
                record = event["record"]
                yield {**own, "event": "score", "record": record, "html": filled("score", record=record, model=model)}
                stands = await run_in_threadpool(model.stands, case, record["score"])
                yield {**own, "event": "standing", "html": await run_in_threadpool(result_of, model, case, record, stands)}
            elif event["event"] == "text":
                yield {**own, **event}
            else:
                record = event["record"]
                marks = await run_in_threadpool(marked, record["rationale"] or "", statements_of(case), record["score"])
                yield {
                    **own,
                    "event": "answer",
                    "record": record,
                    "html": filled("answer", marks=marks, record=record, statements=statements_of(case), place=place),
                }
        rows = await moved(model, case, record["score"])
        yield {**own, "event": "moved", "html": filled("moved", rows=rows, record=record)}
        yield {**own, "event": "done"}
    except (Unavailable, InputError) as error:
        yield {**own, "event": "failed", "html": filled("failed", reason=str(error))}


def router(page: Page, app: FastAPI) -> APIRouter:
    """The routes."""
    ui = APIRouter(include_in_schema=False)
    _add_pages(ui, page, app)
    _add_pieces(ui, page)
    return ui


def _add_pages(ui: APIRouter, page: Page, app: FastAPI) -> None:
    """Whole pages, and the files that they are made of."""

    @ui.get("/")
    async def index() -> HTMLResponse:
        has_patients = page.patients is not None or (page.is_awaited and page.results is not None)
        return HTMLResponse(
            filled(
                "index", models=list(page.models.values()), sections=sections(), agents=agents(), genes=sorted(genes()), demo=DEMO,
                has_patients=has_patients, has_results=page.results is not None, statement=PROGNOSTIC, version=__version__, keep=page.keep,
            )
        )  # fmt: skip

    @ui.get("/static/{name}")
    async def static(name: str) -> Response:
        if name == "report.css":
            return FileResponse(STYLE_SHEET, media_type="text/css")
        if name not in STATIC:
            return Response(status_code=404)
        return FileResponse(TEMPLATES / name, media_type=STATIC[name])

    @ui.get("/api")
    async def documentation() -> HTMLResponse:
        return HTMLResponse(filled("api", schema=app.openapi()))

    @ui.get("/results")
    async def results() -> HTMLResponse:
        found = await run_in_threadpool(listed, page.results) if page.results is not None else None
        return HTMLResponse(filled("results", found=found, version=__version__))

    @ui.get("/results/{path:path}")
    async def file_of_report(path: str) -> Response:
        found = report_file(page.results, path) if page.results is not None else None
        if found is None:
            return Response("there is no such file of a report\n", status_code=404, media_type="text/plain")
        return FileResponse(found, headers={"content-security-policy": report_policy()} if found.suffix == ".html" else None)


def _add_pieces(ui: APIRouter, page: Page) -> None:
    """Pieces that are put into the page."""

    @ui.get("/screen/models")
    async def models() -> HTMLResponse:
        return HTMLResponse(filled("models", models=[described(one) for one in page.models.values()]))

    @ui.get("/screen/patients")
    async def patients(q: Id = "") -> HTMLResponse:
        is_awaited = page.patients is None and page.is_awaited
        found = [] if is_awaited else await run_in_threadpool(looked_up(page).patients, q)
        return HTMLResponse(filled("patients", patients=found, text=q, is_awaited=is_awaited))

    @ui.get("/screen/patient")
    async def patient(patient_id: Id) -> HTMLResponse:
        cases = await run_in_threadpool(looked_up(page).cases_of, patient_id)
        return HTMLResponse(filled("patient", patient_id=patient_id, cases=cases.to_dict("records")))

    @ui.get("/screen/past")
    async def timeline(patient_id: Id, index_day: Annotated[int, Query(ge=-60_000, le=60_000)]) -> HTMLResponse:
        return HTMLResponse(filled("past", picture=await run_in_threadpool(past, looked_up(page), patient_id, index_day)))

    @ui.post("/screen/read")
    async def read(asked: Asked) -> Response:
        await run_in_threadpool(page.model(asked.model).reading.ahead, asked)
        return Response(status_code=204)

    @ui.post("/screen/ask")
    async def ask(asked: Asked) -> StreamingResponse:
        model = page.model(asked.model)
        # Before the answer begins: what was entered wrongly is a status of its own.
        return lines_response(shown(page, model, await read_case(model, asked)))
