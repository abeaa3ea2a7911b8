"""Artifacts known to an organization. The bytes are in the artifact store, under the same hash.

Invariant: the bytes are synced to disk before the row that names them commits.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger
from sqlmodel import Field

from structforge.storage.tables.columns import Row, identifier, moment, string


class ArtifactRow(Row, table=True):
    __tablename__ = "artifacts"

    organization_id: UUID = identifier(primary=True)
    hash: str = string(primary_key=True)
    size_bytes: int = Field(sa_type=BigInteger)
    media_type: str = string()
    created_at: datetime = moment(now=True)
    last_used_at: datetime = moment(now=True)
