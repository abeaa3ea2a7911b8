"""Workflows, their drafts and versions."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from structforge.api.bodies import documented, json_body, read_json
from structforge.api.deps import Services, Signed
from structforge.api.responses import JsonResponse
from structforge.api.schemas.workflows import (
    DraftUpdate,
    DuplicateBody,
    PublishBody,
    RestoreBody,
    ValidateBody,
    ValidationPublic,
    VersionList,
    VersionPublic,
    VersionSummaryPublic,
    WorkflowCreate,
    WorkflowLabels,
    WorkflowPage,
    WorkflowPublic,
)
from structforge.domain.errors import InvalidError, Problem
from structforge.domain.validation import errors_of, parse_document
from structforge.interchange import own
from structforge.services.workflows import VersionDetail, WorkflowDetail
from structforge.storage.repositories.paging import Cursor

router = APIRouter(tags=["workflows"])

Limit = Annotated[int, Query(ge=1, le=200)]


@router.get("/workflows", response_model=WorkflowPage, summary="List workflows")
async def list_workflows(
    services: Services,
    principal: Signed,
    search: Annotated[str, Query(max_length=200)] = "",
    folder: Annotated[str | None, Query(max_length=200)] = None,
    tag: Annotated[str | None, Query(max_length=50)] = None,
    deleted: bool = False,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Limit = 50,
) -> Response:
    """List workflows, the last changed first. `cursor` is `next_cursor` of the page before."""
    page = await services.workflows.page(
        principal,
        search=search,
        folder=folder,
        tag=tag,
        deleted=deleted,
        cursor=None if cursor is None else Cursor.decode(cursor),
        limit=limit,
    )
    return JsonResponse(WorkflowPage.of(page).model_dump())


@router.post(
    "/workflows",
    status_code=201,
    response_model=WorkflowPublic,
    openapi_extra=documented(WorkflowCreate),
    summary="Create a workflow",
)
async def create_workflow(
    services: Services, principal: Signed, body: Annotated[WorkflowCreate, json_body(WorkflowCreate)]
) -> Response:
    """Create a workflow. A draft with errors is kept; they are in `problems`."""
    labels, problems = own.check_labels(body.model_dump(exclude={"document"}))
    if problems:
        raise InvalidError(*problems)
    document = None if body.document is None else parse_document(body.document)
    return _created(await services.workflows.create(principal, labels, document))


@router.post(
    "/workflows/validate",
    response_model=ValidationPublic,
    openapi_extra=documented(ValidateBody),
    summary="Check a document",
)
async def validate_document(
    services: Services, principal: Signed, body: Annotated[ValidateBody, json_body(ValidateBody)]
) -> Response:
    """Return everything that is wrong with a document. Nothing is stored."""
    try:
        problems = await services.workflows.validate(principal, parse_document(body.document))
    except InvalidError as error:
        problems = list(error.problems)
    return JsonResponse(
        {"valid": not errors_of(problems), "problems": [problem.as_json() for problem in problems]}
    )


@router.post(
    "/workflows/import",
    status_code=201,
    response_model=WorkflowPublic,
    summary="Import a workflow",
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {}}}},
)
async def import_workflow(
    request: Request,
    services: Services,
    principal: Signed,
    name: Annotated[str, Query(max_length=200)] = "Imported workflow",
    check: bool = False,
) -> Response:
    """Create a workflow from an exported file, or from a bare document, which gets `name`.

    `check=true` stores nothing and answers 200 with `valid` and `problems`: whether it could be imported.
    """
    try:
        value = await read_json(request, at_least_bytes=own.MAX_FILE_BYTES)
        if not isinstance(value, dict):
            raise InvalidError(Problem("file.not_an_object", "A workflow file is a JSON object."))
        file = own.read(value, name=name)
    except InvalidError as error:
        if not check:
            raise
        return JsonResponse({"valid": False, "problems": [problem.as_json() for problem in error.problems]})
    if check:
        return JsonResponse({"valid": True, "problems": []})
    return _created(await services.workflows.import_file(principal, file))


@router.get("/workflows/{workflow_id}", response_model=WorkflowPublic, summary="Get a workflow")
async def get_workflow(services: Services, principal: Signed, workflow_id: UUID) -> Response:
    """Return a workflow with its draft and what is wrong with that."""
    return _detail(await services.workflows.get(principal, workflow_id))


@router.patch(
    "/workflows/{workflow_id}",
    response_model=WorkflowPublic,
    openapi_extra=documented(WorkflowLabels),
    summary="Rename, describe, file or tag a workflow",
)
async def update_workflow(
    services: Services,
    principal: Signed,
    workflow_id: UUID,
    body: Annotated[WorkflowLabels, json_body(WorkflowLabels)],
) -> Response:
    """Change what is named in the body; the rest stays."""
    changes = body.model_dump(exclude_none=True)
    return _detail(await services.workflows.update_labels(principal, workflow_id, changes))


@router.delete("/workflows/{workflow_id}", status_code=204, summary="Delete a workflow")
async def delete_workflow(services: Services, principal: Signed, workflow_id: UUID) -> Response:
    """Put a workflow aside. Its runs and versions stay, and it can be undeleted."""
    await services.workflows.delete(principal, workflow_id)
    return Response(status_code=204)


@router.post(
    "/workflows/{workflow_id}/undelete", response_model=WorkflowPublic, summary="Undelete a workflow"
)
async def undelete_workflow(services: Services, principal: Signed, workflow_id: UUID) -> Response:
    """Bring a deleted workflow back."""
    return _detail(await services.workflows.undelete(principal, workflow_id))


@router.post(
    "/workflows/{workflow_id}/duplicate",
    status_code=201,
    response_model=WorkflowPublic,
    openapi_extra=documented(DuplicateBody, required=False),
    summary="Duplicate a workflow",
)
async def duplicate_workflow(
    services: Services,
    principal: Signed,
    workflow_id: UUID,
    body: Annotated[DuplicateBody, json_body(DuplicateBody, optional=True)],
) -> Response:
    """Create a workflow from this one's draft."""
    if body.name is not None:
        _, problems = own.check_labels({"name": body.name})
        if problems:
            raise InvalidError(*problems)
    return _created(await services.workflows.duplicate(principal, workflow_id, name=body.name))


@router.put(
    "/workflows/{workflow_id}/draft",
    response_model=WorkflowPublic,
    openapi_extra=documented(DraftUpdate),
    summary="Replace the draft",
)
async def update_draft(
    services: Services,
    principal: Signed,
    workflow_id: UUID,
    body: Annotated[DraftUpdate, json_body(DraftUpdate)],
) -> Response:
    """Replace the draft that has `revision`; 409 with both revisions when it has moved on.

    A draft with errors is kept; they are in `problems`.
    """
    document = parse_document(body.document)
    return _detail(
        await services.workflows.update_draft(principal, workflow_id, document, revision=body.revision)
    )


@router.post(
    "/workflows/{workflow_id}/publish",
    status_code=201,
    response_model=VersionPublic,
    openapi_extra=documented(PublishBody, required=False),
    summary="Publish the draft",
)
async def publish_workflow(
    services: Services,
    principal: Signed,
    workflow_id: UUID,
    body: Annotated[PublishBody, json_body(PublishBody, optional=True)],
) -> Response:
    """Freeze the draft as the next version, which starts run from now on; 422 with every error."""
    version = await services.workflows.publish(principal, workflow_id, revision=body.revision, note=body.note)
    return _version(version, 201)


@router.get(
    "/workflows/{workflow_id}/versions", response_model=VersionList, summary="List published versions"
)
async def list_versions(
    services: Services,
    principal: Signed,
    workflow_id: UUID,
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    limit: Limit = 50,
) -> Response:
    """List published versions, the newest first, those with a number below `before`."""
    found = await services.workflows.versions(principal, workflow_id, before=before, limit=limit)
    return JsonResponse(
        VersionList(items=[VersionSummaryPublic.of(version) for version in found]).model_dump()
    )


Number = Annotated[int, Query(ge=1, le=2**31 - 1)]


@router.get(
    "/workflows/{workflow_id}/versions/{number}", response_model=VersionPublic, summary="Get a version"
)
async def get_version(services: Services, principal: Signed, workflow_id: UUID, number: int) -> Response:
    """Return a published version with its document."""
    return _version(await services.workflows.version(principal, workflow_id, number))


@router.post(
    "/workflows/{workflow_id}/versions/{number}/restore",
    response_model=WorkflowPublic,
    openapi_extra=documented(RestoreBody),
    summary="Restore a version into the draft",
)
async def restore_version(
    services: Services,
    principal: Signed,
    workflow_id: UUID,
    number: int,
    body: Annotated[RestoreBody, json_body(RestoreBody)],
) -> Response:
    """Put a version's document into the draft that has `revision`. The version itself stays as it is."""
    return _detail(await services.workflows.restore(principal, workflow_id, number, revision=body.revision))


@router.get("/workflows/{workflow_id}/diff", summary="Compare two versions")
async def compare_versions(
    services: Services,
    principal: Signed,
    workflow_id: UUID,
    old: Number | None = None,
    new: Number | None = None,
) -> Response:
    """Return what differs in meaning; a side left out is the draft. Moving a node is no difference."""
    found = await services.workflows.compare(principal, workflow_id, old, new)
    return JsonResponse(found.as_json())


@router.get("/workflows/{workflow_id}/export", summary="Export a workflow")
async def export_workflow(
    services: Services, principal: Signed, workflow_id: UUID, version: Number | None = None
) -> Response:
    """Return the draft, or a version, as a file that `import` takes."""
    file = await services.workflows.export_file(principal, workflow_id, version=version)
    disposition = f'attachment; filename="workflow-{workflow_id}.json"'
    return JsonResponse(own.write(file), headers={"content-disposition": disposition})


def _created(detail: WorkflowDetail) -> Response:
    location = f"/api/v1/workflows/{detail.summary.id}"
    return JsonResponse(WorkflowPublic.detail(detail).model_dump(), 201, {"location": location})


def _detail(detail: WorkflowDetail) -> Response:
    return JsonResponse(WorkflowPublic.detail(detail).model_dump())


def _version(version: VersionDetail, status_code: int = 200) -> Response:
    return JsonResponse(VersionPublic.detail(version).model_dump(), status_code)
