"""The HTTP interface for machines: `/api/…`, JSON in and JSON or JSON lines out; `/api/openapi.json` describes it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import ValidationError

from oncoraft import __version__
from oncoraft.fold_files import refers
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import BadJSON, json_line, parse_json
from oncoraft.foundation.provenance import versions
from oncoraft.page.asking import Asked, Case, as_file
from oncoraft.page.inputs import sections
from oncoraft.page.served import PROGNOSTIC, Model, Page, described, plain
from oncoraft.page.service import Event, Unavailable
from oncoraft.page.study import Study

log = logging.getLogger("oncoraft")
LINES = "application/x-ndjson"
MOST_CASES, AT_ONCE = 2000, 16
ANSWERS: dict[int | str, dict[str, Any]] = {
    422: {"description": "what was expected, in words"},
    503: {"description": "the model cannot answer now, and why"},
}


async def read_case(model: Model, asked: Asked) -> Case:
    """The case of a question; in a thread, since a prompt may have to be counted by the model's own tokenizer.

    Raises:
        Unavailable: the model could not be loaded.
    """
    if model.worker.state == "refused":
        raise Unavailable(model.worker.reason)
    return await run_in_threadpool(lambda: model.reading.case(asked))


async def moved(model: Model, case: Case, score: float) -> list[dict[str, Any]]:
    """What each statement does: score with it less score without it, the largest first."""
    parts = await run_in_threadpool(lambda: model.reading.parts(case))
    if not parts:
        return []
    # The case itself goes along, so that what is compared was read in the same way.
    event = await model.worker.answer("compare", [case.prompt, *(part.without for part in parts)], is_later=True)
    whole, *without = event["scores"]
    rows = [
        {"section": part.section, "statement": part.text, "score_without": less, "change": whole - less}
        for part, less in zip(parts, without)
    ]
    return sorted(rows, key=lambda row: -abs(row["change"]))


async def written(page: Page, model: Model, case: Case, is_written: bool) -> AsyncIterator[Event]:
    """Score, text as it is written, and the whole answer; what fails is told as an event."""
    more = {"case_id": case.case_id, "is_written": is_written}
    try:
        async with aclosing(model.worker.events("ask", [case.prompt], **more)) as events:  # type: ignore[type-var]
            async for event in events:
                if event["event"] == "answer":
                    await run_in_threadpool(page.kept, case, event["record"], model.name)
                yield {name: value for name, value in event.items() if name != "key"}
    except Unavailable as error:
        yield {"event": "failed", "message": str(error)}


def read_lines(body: bytes) -> list[Asked]:
    """Cases of a JSONL body.

    Raises:
        InputError: the first line that is none, or too many.
    """
    try:
        lines = body.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise InputError("expected JSON lines in UTF-8") from None
    found: list[Asked] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if len(found) == MOST_CASES:
            raise InputError(f"expected at most {MOST_CASES} cases", line=number)
        try:
            row = parse_json(line)
        except (BadJSON, RecursionError):
            raise InputError("expected a JSON object with `instruction` and `input`", line=number) from None
        if not isinstance(row, dict):
            raise InputError("expected a JSON object with `instruction` and `input`", line=number, found=type(row).__name__)
        if refers(row):  # what it refers to lies where the page does not look
            raise InputError("expected `instruction` and `input`; `oncoraft export-jsonl` writes a fold's file with them", line=number)
        # A held-out file holds the answer and the label too; neither is read.
        own = {name: row[name] for name in ("case_id", "prompt", "instruction", "input") if row.get(name) is not None}
        try:
            found.append(Asked.model_validate({"case_id": f"line {number}", **own}))
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            raise InputError(first["msg"], line=number, column=".".join(map(str, first["loc"]))) from None
    if not found:
        raise InputError("expected at least one case")
    return found


async def batch(page: Page, model: Model, cases: Sequence[Case], is_written: bool) -> AsyncIterator[Event]:
    """Answers as they come, each with its line of the file of predictions; at the end the digest of that file, in the order of the cases."""
    lines = [""] * len(cases)
    waiting, done, failed = iter(enumerate(cases)), 0, 0

    async def one(place: int, case: Case) -> tuple[int, Event]:
        more = {"case_id": case.case_id, "is_written": is_written, "is_later": True}
        try:
            event = await model.worker.answer("ask", [case.prompt], **more)
            await run_in_threadpool(page.kept, case, event["record"], model.name)
            return place, {"event": "case", "place": place, "record": event["record"]}
        except (Unavailable, InputError) as error:
            return place, {"event": "case", "place": place, "record": {"case_id": case.case_id}, "failed": str(error)}

    running = {asyncio.create_task(one(*next_one)) for _, next_one in zip(range(AT_ONCE), waiting)}
    try:
        while running:
            ended, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                place, event = task.result()
                done, failed = done + 1, failed + ("failed" in event)
                answer = event["record"] if "failed" not in event else {"case_id": cases[place].case_id, "failed": event["failed"]}
                lines[place] = json_line(answer)
                yield {**event, "line": lines[place], "done": done, "of": len(cases)}
                if (further := next(waiting, None)) is not None:
                    running.add(asyncio.create_task(one(*further)))
    finally:
        # The client may have left: what nobody waits for is not asked any more.
        for task in running:
            task.cancel()
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    yield {"event": "end", "cases": len(cases), "failed": failed, "sha256": digest, "model": model.name}


def defect(error: Exception) -> str:
    """One line for what should not have happened; it is logged with its place, and without its message, which may hold what was typed."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place is not None else "unknown"
    log.error("page: a defect, %s at %s", type(error).__name__, where)
    return f"a defect of the page ({type(error).__name__}); it goes on"


def lines_response(events: AsyncIterator[Event]) -> StreamingResponse:
    """Events as JSON lines; the status is sent by then, so that a defect is an event too."""

    async def told() -> AsyncIterator[str]:
        async with aclosing(events) as open_events:  # type: ignore[type-var]
            try:
                async for event in open_events:
                    yield json_line(event)
            except Exception as error:
                yield json_line({"event": "failed", "message": defect(error)})

    return StreamingResponse(told(), media_type=LINES)


def router(page: Page) -> APIRouter:
    """The routes."""
    api = APIRouter(prefix="/api", responses=ANSWERS)
    _add_state(api, page)
    _add_cases(api, page)
    _add_patients(api, page)
    return api


def _add_state(api: APIRouter, page: Page) -> None:
    """What there is, and how it is."""

    @api.get("/health")
    async def health() -> dict[str, Any]:
        """Whether the page answers, and each model's state."""
        models = [described(one) for one in page.models.values()]
        is_ready = all(one["state"] == "ready" for one in models)
        return {"status": "ok" if is_ready else "partly", "models": models}

    @api.get("/version")
    async def version() -> dict[str, Any]:
        """Versions of the package and of what it stands on."""
        return {"version": __version__, "packages": versions()}

    @api.get("/models")
    async def models() -> list[dict[str, Any]]:
        """The models served."""
        return [described(one) for one in page.models.values()]

    @api.get("/form")
    async def form() -> list[dict[str, Any]]:
        """Every field that can be entered: its section, words or bounds, and unit."""
        names = (
            "name",
            "label",
            "unit",
            "choices",
            "is_closed",
            "is_number",
            "minimum",
            "maximum",
            "has_days",
            "is_repeated",
            "details",
            "note",
        )
        return [{"section": section, **{name: getattr(one, name) for name in names}} for section, some in sections() for one in some]


def _add_cases(api: APIRouter, page: Page) -> None:
    """What is asked of cases."""

    @api.post("/render")
    async def rendered(asked: Asked) -> dict[str, Any]:
        """The prompt that a case is read as, with the statements that make it."""
        case = await read_case(page.model(asked.model), asked)
        told = {"prompt": case.prompt, "statements": [one._asdict() for one in case.statements], "regimen": case.regimen}
        return as_file(case) | told | {"cancer_type": case.cancer_type, "not_shown": case.unheard, "cut": case.cut}

    @api.post("/score")
    async def score(asked: Asked) -> dict[str, Any]:
        """The score, as `oncoraft predict --json --score-only` tells it, and where it stands."""
        model = page.model(asked.model)
        case = await read_case(model, asked)
        event = await model.worker.answer("ask", [case.prompt], case_id=case.case_id, is_written=False)
        record = event["record"]
        await run_in_threadpool(page.kept, case, record, model.name)
        stands = await run_in_threadpool(model.stands, case, record["score"])
        return record | {"model": model.name, "standing": plain(stands), "statement": PROGNOSTIC}

    @api.post("/predict", response_class=StreamingResponse)
    async def predict(asked: Asked) -> StreamingResponse:
        """The score, the rationale as it is written, the whole answer: JSON lines with `event` score, text, answer or failed."""
        model = page.model(asked.model)
        return lines_response(written(page, model, await read_case(model, asked), True))

    @api.post("/moved")
    async def what_moved(asked: Asked) -> dict[str, Any]:
        """What each statement does to the score, by leaving it out."""
        model = page.model(asked.model)
        case = await read_case(model, asked)
        event = await model.worker.answer("ask", [case.prompt], case_id=case.case_id, is_written=False)
        return {"score": event["record"]["score"], "statements": await moved(model, case, event["record"]["score"])}

    @api.post("/batch", response_class=StreamingResponse)
    async def many(request: Request, model: str | None = Query(None, max_length=200), rationales: bool = False) -> StreamingResponse:
        """A body of JSON lines, a case each: JSON lines with `event` case, at the end the digest of the answers in the order of the cases."""
        chosen = page.model(model)
        asked = await run_in_threadpool(read_lines, await request.body())
        cases = [await read_case(chosen, one) for one in asked]
        return lines_response(batch(page, chosen, cases, rationales))


def looked_up(page: Page) -> Study:
    """The study whose patients can be looked up.

    Raises:
        InputError: there is none.
    """
    if page.patients is None:
        raise InputError("expected a folder of patients: start the page with --results or --study")
    return page.patients


def _add_patients(api: APIRouter, page: Page) -> None:
    """Who can be looked up."""

    @api.get("/patients")
    async def patients(q: str = Query("", max_length=200)) -> list[str]:
        """Patients of the study whose id holds a text."""
        return await run_in_threadpool(looked_up(page).patients, q)

    @api.get("/cases")
    async def cases_of(patient_id: str = Query(max_length=200)) -> list[dict[str, Any]]:
        """A patient's treatment cases: index days and regimens."""
        found = await run_in_threadpool(looked_up(page).cases_of, patient_id)
        rows: list[dict[str, Any]] = found[["case_id", "index_day", "regimen_name", "cancer_type"]].to_dict("records")  # type: ignore[assignment]
        return rows
