"""The corpus of values: what goes in as a file or an input comes out right to the last digit.

Each file of `values/` holds the cases of one kind of fault as data: input, workflow, expected output. Every case is
executed twice: by the engine in this process with the journal in memory, and through the API with a worker, so that
its values travel through JSON, the journal and the artifact store like those of a user.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unicodedata import normalize

import httpx
import pytest

from structforge.config import Settings
from structforge.domain.values import decode_json, encode_json
from structforge.domain.workflow import WorkflowDocument
from structforge.plugins import load_registry
from structforge.runtime.processes import ProcessPool
from structforge.storage.artifacts import FileArtifactStore, OrganizationArtifacts
from tests.support.corpus import FOLDER, Case, cases_of, exact, exact_text, same
from tests.support.execution import RUN, Report, Workshop
from tests.support.installation import a_worker, installed

KINDS = sorted(FOLDER.glob("*.json"))


EACH_KIND = pytest.mark.parametrize("kind", KINDS, ids=[path.stem for path in KINDS])
FILE_LIMIT = 1 << 28


@EACH_KIND
async def test_the_engine_makes_of_every_case_what_it_must(kind: Path, tmp_path: Path) -> None:
    store, files = tmp_path / "store", tmp_path / "files"
    pool = ProcessPool(1, store, files, FILE_LIMIT)
    workshop = Workshop(load_registry(), tmp_path / "shop", pool)
    workshop.environment = replace(
        workshop.environment,
        artifacts=partial(OrganizationArtifacts, FileArtifactStore(store)),
        files=lambda organization: files / str(organization),
    )
    try:
        wrong = [found for case in cases_of(kind) if (found := await _wrong_here(case, workshop))]
    finally:
        await pool.close()
    assert not wrong, "\n" + "\n".join(wrong)


async def _wrong_here(case: Case, workshop: Workshop) -> str | None:
    """Execute a case in this process; return what is not as it must be."""
    for name, content in case.files.items():
        place = workshop.environment.files(RUN.organization_id) / normalize("NFC", name)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    made = WorkflowDocument.model_validate(
        decode_json(exact_text(case.document).encode(), max_bytes=FILE_LIMIT)
    )
    given = decode_json(exact_text(case.input).encode(), max_bytes=FILE_LIMIT)
    report = await workshop.run(made, input=given, trigger="start")
    reader = workshop.environment.reader(RUN.organization_id)
    text = encode_json(reader.whole(report.output)).decode() if report.end.output else "null"
    return _compared(case, {"status": report.status, "output": exact(text), "error": _error(report)}, text)


def _error(report: Report) -> dict[str, Any]:
    return report.end.error.as_json() if report.end.error else {}


@EACH_KIND
async def test_every_case_comes_out_of_the_api_as_it_must(kind: Path, settings: Settings) -> None:
    async with installed(settings) as installation, a_worker(installation):
        async with installation.http(await installation.token()) as http:
            wrong = [found for case in cases_of(kind) if (found := await _wrong(case, http))]
    assert not wrong, "\n" + "\n".join(wrong)


async def _wrong(case: Case, http: httpx.AsyncClient) -> str | None:
    """Run a case; return what is not as it must be."""
    for name, content in case.files.items():
        stored = await http.put(f"/api/v1/files/{name}", content=content)
        assert stored.status_code == 201, (case.name, stored.text)
    made = await http.post("/api/v1/workflows", json={"name": case.name, "document": case.document})
    assert made.status_code == 201, (case.name, made.text)
    published = await http.post(f"/api/v1/workflows/{made.json()['id']}/publish")
    if published.status_code != 201:
        return _compared(case, published.json(), published.text)
    body = '{"mode":"sync","input":' + exact_text(case.input) + "}"
    headers = {"content-type": "application/json"}
    path = f"/api/v1/workflows/{made.json()['id']}/runs"
    started = await http.post(path, content=body.encode(), headers=headers, timeout=60)
    answer = exact(started.text)
    if "$artifact" in started.text and "$artifact" not in exact_text(case.output):
        return f"{case.name}: a reference is visible: {started.text[:400]}"
    return _compared(case, answer, started.text)


def _compared(case: Case, answer: Any, text: str) -> str | None:
    if case.code is None:
        if answer.get("status") != "succeeded":
            return f"{case.name}: {text[:600]}"
        if not same(answer["output"], case.output):
            wanted, found = exact_text(case.output), exact_text(answer["output"])
            return f"{case.name}:\n  wanted {wanted[:600]}\n  found  {found[:600]}"
        return None
    problems = answer.get("problems") or [answer.get("error") or answer]
    if case.code not in [problem.get("code") for problem in problems]:
        return f"{case.name}: wanted the error {case.code}, found {text[:600]}"
    said = exact_text(answer)
    return None if case.says in said else f"{case.name}: {case.says!r} is not said in {said[:600]}"
