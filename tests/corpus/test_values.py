"""The corpus of values: what goes in as a file or an input comes out right to the last digit.

Each file of `values/` holds the cases of one kind of fault as data: input, workflow, expected output. Every case goes
through the API and a worker, so its values travel through JSON, journal and artifacts like those of a user.
"""

from pathlib import Path
from typing import Any

import httpx
import pytest

from structforge.config import Settings
from tests.support.corpus import FOLDER, Case, cases_of, exact, exact_text, same
from tests.support.installation import a_worker, installed

KINDS = sorted(FOLDER.glob("*.json"))


@pytest.mark.parametrize("kind", KINDS, ids=[path.stem for path in KINDS])
async def test_every_case_comes_out_as_it_must(kind: Path, settings: Settings) -> None:
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
    return None if case.says in text else f"{case.name}: {case.says!r} is not said in {text[:600]}"
