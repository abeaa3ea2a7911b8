"""Whose turn it is: the one statement by which a worker takes runs.

Invariant: a limit is never passed. What is in hand is counted from the leased rows themselves, under a lock on the
limit that is kept until the claim is committed, so no counter can leak and no two claims count the same room.
For `storage/leases.py` and the dispatcher.

Order: within an organization by `turn_at` (when the run became available, plus 300 s for each step down in priority:
a lower one is overtaken for that long and then never again); between organizations who has the fewest runs in hand.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection, AsyncRawCursor

AGEING_S = 300
"""How long a run goes before, or behind, those one step of priority away; `turn_at` is computed with it."""
SLOWEST_S = 2 * AGEING_S

READY = "owner IS NULL AND isfinite(available_at) AND control IS DISTINCT FROM 'paused'"
"""The predicate of the index `ix_run_outbox_turn`: what waits for an answer or is paused is not in it."""

_READY_NOW = f"""
    {READY} AND turn_at <= (now() AT TIME ZONE 'UTC') + interval '{SLOWEST_S} s'
    AND available_at <= now() AND (deaths < $4::int OR $5::bool)
""".strip()
"""What may be taken now; the bound on `turn_at` ends the walk before what is planned for later."""

MIN_CHUNK = 8
"""From each workflow at least so many are looked at, however many workflows there are."""

# $1 worker, $2 lease in s, $3 limit, $4 deaths from which a run is claimed alone, $5 that it is, $6 newcomers only
_CLAIM = f"""
WITH RECURSIVE orphaned AS MATERIALIZED (
    SELECT run_id FROM run_outbox
    WHERE owner IS NOT NULL AND lease_expires_at < now() AND (deaths + 1 < $4::int OR $5::bool) AND NOT $6::bool
    ORDER BY lease_expires_at LIMIT $3::int FOR UPDATE SKIP LOCKED
), flows AS (
    -- Each workflow that has something, without walking over what it has.
    (SELECT organization_id, workflow_id FROM run_outbox WHERE {READY}
     ORDER BY workflow_id, turn_at, run_id LIMIT 1)
    UNION ALL
    SELECT next.organization_id, next.workflow_id FROM flows CROSS JOIN LATERAL (
        SELECT organization_id, workflow_id FROM run_outbox
        WHERE {READY} AND workflow_id > flows.workflow_id ORDER BY workflow_id, turn_at, run_id LIMIT 1
    ) next
), bounded AS MATERIALIZED (
    SELECT flows.*, first.turn_at, w.max_runs AS of_workflow, o.max_runs AS of_organization
    FROM flows CROSS JOIN LATERAL (
        SELECT turn_at FROM run_outbox WHERE {_READY_NOW} AND workflow_id = flows.workflow_id
        ORDER BY turn_at, run_id LIMIT 1
    ) first
    LEFT JOIN run_limits w ON w.scope_id = flows.workflow_id
    LEFT JOIN run_limits o ON o.scope_id = flows.organization_id
), scopes AS MATERIALIZED (
    SELECT workflow_id AS id FROM bounded WHERE of_workflow IS NOT NULL
    UNION SELECT organization_id FROM bounded WHERE of_organization IS NOT NULL
), counted AS MATERIALIZED (
    -- Who holds the lock on a limit alone counts and takes; whoever comes meanwhile leaves these runs to it.
    SELECT id FROM scopes WHERE pg_try_advisory_xact_lock(hashtextextended(id::text, 0))
), leased AS MATERIALIZED (
    SELECT organization_id, workflow_id, runs FROM leased_runs((SELECT array_agg(id) FROM counted))
), busy AS MATERIALIZED (
    SELECT organization_id, sum(runs)::int AS runs FROM leased GROUP BY organization_id
), open AS MATERIALIZED (
    SELECT b.organization_id, b.workflow_id, b.turn_at, b.of_organization, coalesce(busy.runs, 0) AS busy,
        b.of_workflow IS NOT NULL OR b.of_organization IS NOT NULL AS limited,
        b.of_workflow - coalesce(l.runs, 0) AS room
    FROM bounded b
    LEFT JOIN leased l ON l.workflow_id = b.workflow_id
    LEFT JOIN busy ON busy.organization_id = b.organization_id
    WHERE (b.of_workflow IS NULL OR b.workflow_id IN (SELECT id FROM counted))
        AND (b.of_organization IS NULL OR b.organization_id IN (SELECT id FROM counted))
), shares AS MATERIALIZED (
    -- Of many workflows as many as there are places, by turns between organizations: the next claim sees the others.
    SELECT *, count(*) OVER (PARTITION BY organization_id) AS flows FROM (
        SELECT *, busy + row_number() OVER (PARTITION BY organization_id ORDER BY turn_at) AS place FROM open
        WHERE coalesce(room > 0, true) AND coalesce(of_organization > busy, true) AND NOT ($6::bool AND busy > 0)
        ORDER BY place, turn_at LIMIT $3::int
    ) chosen
), ready AS MATERIALIZED (
    SELECT s.organization_id, s.workflow_id, s.of_organization, s.busy, s.limited, r.run_id, r.turn_at
    FROM shares s CROSS JOIN LATERAL (
        SELECT run_id, turn_at FROM run_outbox WHERE {_READY_NOW} AND workflow_id = s.workflow_id
        ORDER BY turn_at, run_id
        -- All places for each of a few organizations, fewer for each of many: more would be locked than is taken.
        LIMIT least(s.room, greatest(least($3::int, {MIN_CHUNK}), ceil($3::int / s.flows::float8
            * least(1, 4 / (SELECT count(DISTINCT organization_id) FROM shares)::float8))::int))
        FOR UPDATE SKIP LOCKED
    ) r
), placed AS (
    SELECT run_id, turn_at, limited, of_organization,
        busy + row_number() OVER (PARTITION BY organization_id ORDER BY turn_at, run_id) AS place
    FROM ready
), picked AS (
    SELECT run_id, NULL::bool AS limited FROM orphaned
    UNION ALL
    (SELECT run_id, limited FROM placed WHERE place <= coalesce(of_organization, place)
     ORDER BY place, turn_at, run_id LIMIT $3::int)
    LIMIT $3::int
), claimed AS (
    UPDATE run_outbox o
    SET deaths = o.deaths + (o.owner IS NOT NULL)::int, owner = $1::text, epoch = o.epoch + 1,
        lease_expires_at = now() + make_interval(secs => $2::float8),
        announced_at = coalesce(announced_at, now())
    FROM picked WHERE o.run_id = ANY (ARRAY(SELECT run_id FROM picked)) AND o.run_id = picked.run_id
    RETURNING o.run_id, o.organization_id, o.workflow_id, o.accepted_on, o.epoch, o.deaths, o.control,
        o.turn_at, coalesce(picked.limited, true) AS limited
)
SELECT seen.flows > 1, seen.scopes > seen.counted OR seen.shares > seen.found,
    c.run_id, c.organization_id, c.workflow_id, c.accepted_on, c.epoch, c.deaths, c.control, c.limited,
    e.version_id, e.status, e.trigger_kind, e.trigger_node, e.input::text, e.started_at, e.accepted_at,
    e.step_count > 0, CASE WHEN e.parent_waits THEN e.parent_run_id END
FROM (SELECT (SELECT count(*) FROM bounded) AS flows, (SELECT count(*) FROM scopes) AS scopes,
             (SELECT count(*) FROM counted) AS counted, (SELECT count(*) FROM shares) AS shares,
             (SELECT count(DISTINCT workflow_id) FROM ready) AS found) seen
LEFT JOIN (claimed c CROSS JOIN LATERAL (
    -- By its key each: the offset forbids a join, which would read the whole table if it was small when planned.
    SELECT * FROM workflow_executions WHERE id = c.run_id OFFSET 0
) e) ON true
ORDER BY c.turn_at, c.run_id
"""

LATE = f"""
WITH RECURSIVE flows AS (
    (SELECT workflow_id, run_id, available_at FROM run_outbox WHERE {READY}
     ORDER BY workflow_id, turn_at, run_id LIMIT 1)
    UNION ALL
    SELECT next.* FROM flows CROSS JOIN LATERAL (
        SELECT workflow_id, run_id, available_at FROM run_outbox
        WHERE {READY} AND workflow_id > flows.workflow_id ORDER BY workflow_id, turn_at, run_id LIMIT 1
    ) next
)
(SELECT run_id FROM flows WHERE available_at <= now() - make_interval(secs => %(after_s)s) LIMIT 1)
UNION ALL
(SELECT run_id FROM run_outbox WHERE owner IS NOT NULL AND lease_expires_at < now()
 ORDER BY lease_expires_at LIMIT 1)
"""
"""A run that waits longer than it should, and one whose worker died: hints, each of any workflow."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """What one claim took."""

    rows: Sequence[Sequence[Any]]
    """From the run's id on, as the statement lists them, in the order of their turns."""
    several: bool
    """More than one workflow has something: another claim may find more although this one was not filled."""
    contended: bool
    """Another claim was counting a limit, or taking the same runs, at this moment: ask again soon."""


async def claim(
    connection: AsyncConnection[Any],
    *,
    worker: str,
    lease_s: float,
    limit: int,
    alone_from: int,
    alone: bool,
    newcomers: bool,
) -> Claimed:
    """Take up to `limit` runs whose turn it is, orphaned ones first.

    `newcomers` takes only runs of organizations that have none in hand anywhere.
    The connection is one of `connect_keyed`.
    """
    cursor = AsyncRawCursor(connection)
    await cursor.execute(STATEMENT, [worker, lease_s, limit, alone_from, alone, newcomers], prepare=True)
    found = await cursor.fetchall()
    return Claimed([row[2:] for row in found if row[2] is not None], found[0][0], found[0][1])


STATEMENT = _CLAIM.encode()
