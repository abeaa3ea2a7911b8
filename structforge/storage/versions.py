"""Versions as the engine reads them: immutable documents by id, across organizations.

Invariant: a version never changes, so what is read once may be kept for ever.
"""

from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from structforge.domain.errors import NotFoundError, Problem, sentence
from structforge.domain.values import decode_json
from structforge.domain.workflow import WorkflowDocument

MAX_DOCUMENT_BYTES = 64 * 1024 * 1024


async def load_document(connection: AsyncConnection[Any], version_id: UUID) -> WorkflowDocument:
    """Read the document of a version. Raises: NotFoundError."""
    cursor = await connection.execute(
        "SELECT document::text FROM workflow_versions WHERE id = %s", (version_id,)
    )
    row = await cursor.fetchone()
    if row is None:
        raise NotFoundError(
            Problem("version.not_found", sentence("There is no version {version_id}.", version_id=version_id))
        )
    return WorkflowDocument.model_validate(decode_json(row[0].encode(), max_bytes=MAX_DOCUMENT_BYTES))
