"""Nodes that wait: for some time, until a moment, for a person. Waiting is durable and holds no worker.

Invariant: how long is left is computed from `context.waiting_since`, so a crash or a restart changes no due time.
"""

from datetime import UTC, datetime, time, timedelta
from typing import Any, Literal

from pydantic import field_validator, model_validator

from structforge.domain import moments
from structforge.domain.errors import sentence
from structforge.domain.moments import MomentError
from structforge.sdk import (
    Effect,
    Example,
    Execution,
    Inputs,
    Node,
    NodeContext,
    NodeError,
    Parameters,
    Port,
    Ports,
    Result,
    parameter,
)
from structforge.sdk.control import Wait

MAX_WAIT_S = 366 * 86_400
MAX_FIELDS = 50
DECISIONS = ("approved", "rejected")


class DelayParameters(Parameters):
    seconds: float = parameter(
        title="Seconds", description="How long to wait; up to a year.", widget="number", ge=0, le=MAX_WAIT_S
    )


class Delay(Node[DelayParameters]):
    """Waits for some time, then passes its input on.

    The wait survives restarts and holds no worker. The time counts from when the node was reached; of a paused run
    it goes on counting.

    **Example.** With 3600 seconds the next node runs an hour later.
    """

    type = "flow.delay"
    title = "Delay"
    category = "flow"
    icon = "hourglass"
    keywords = ("wait", "sleep", "pause", "seconds", "later", "timer")
    inputs = (Port("in", "any", "Input", "What is passed on.", required=False),)
    outputs = (Port("out", "any", "Output", "The input, later."),)
    execution = Execution.ASYNC
    by_reference = True
    Parameters = DelayParameters
    examples = (
        Example(
            title="No wait at all", parameters={"seconds": 0}, inputs={"in": {"id": 7}}, output={"id": 7}
        ),
        Example(title="An hour", parameters={"seconds": 3600}, inputs={"in": {"id": 7}}),
    )

    async def run(self, context: NodeContext, parameters: DelayParameters, inputs: Inputs) -> Result:
        """Wait, or pass the input on when the time is over."""
        now = datetime.now(UTC)
        due = (context.waiting_since or now) + timedelta(seconds=parameters.seconds)
        return inputs.get("in") if now >= due else Wait(due)


class WaitUntilParameters(Parameters):
    time: str = parameter(
        title="Time",
        description="Date and time as `2027-01-31T09:00` or with an offset as `2027-01-31T09:00:00+01:00`; a date "
        "alone is its midnight.",
        widget="text",
        placeholder="{{ order.ship_at }}",
        max_length=60,
    )
    time_zone: str = parameter(
        "UTC",
        title="Time zone",
        description="Of a time without an offset: a name such as `Europe/Paris`, or an offset such as `+01:00`.",
        max_length=60,
    )


class WaitUntil(Node[WaitUntilParameters]):
    """Waits until a date and time, then passes its input on.

    The wait survives restarts and holds no worker. A time that is past does not wait.

    **Example.** With `2027-01-31T09:00` and `Europe/Paris` the next node runs at nine in the morning in Paris.
    """

    type = "flow.wait_until"
    title = "Wait until"
    category = "flow"
    icon = "alarm-clock"
    keywords = ("wait", "sleep", "date", "time", "schedule", "timer", "at")
    inputs = (Port("in", "any", "Input", "What is passed on.", required=False),)
    outputs = (Port("out", "any", "Output", "The input, later."),)
    execution = Execution.ASYNC
    by_reference = True
    Parameters = WaitUntilParameters
    examples = (
        Example(
            title="A time that is past", parameters={"time": "2020-01-31T09:00Z"}, inputs={"in": 1}, output=1
        ),
        Example(
            title="Nine in Paris",
            parameters={"time": "2027-01-31T09:00", "time_zone": "Europe/Paris"},
            inputs={"in": 1},
        ),
    )

    async def run(self, context: NodeContext, parameters: WaitUntilParameters, inputs: Inputs) -> Result:
        """Wait, or pass the input on when the time has come. Raises: NodeError `wait.time`, `wait.time_zone`."""
        due = _moment(parameters.time, parameters.time_zone)
        now = datetime.now(UTC)
        if due - now > timedelta(seconds=MAX_WAIT_S):
            raise NodeError(
                "wait.time",
                sentence("{time} is more than a year away.", time=parameters.time),
                where="parameters.time",
                hint="A schedule is made for what comes so late.",
            )
        return inputs.get("in") if now >= due else Wait(due)


def _moment(text: str, zone: str) -> datetime:
    try:
        moment = moments.read(text)
    except MomentError as error:
        raise NodeError(
            "wait.time", error.message, where="parameters.time", hint="Write it as 2027-01-31T09:00."
        ) from None
    if isinstance(moment, time):
        raise NodeError(
            "wait.time",
            sentence("`{text}` is a time without a date.", text=text[:60]),
            where="parameters.time",
            hint="Write it as 2027-01-31T09:00.",
        )
    try:
        if not isinstance(moment, datetime) or moment.tzinfo is None:
            moment = moments.in_zone(moment, zone)
        return moment.astimezone(UTC)
    except MomentError as error:
        raise NodeError(
            "wait.time_zone", error.message, where="parameters.time_zone", hint=error.hint
        ) from None
    except OverflowError:
        raise NodeError(
            "wait.time",
            sentence("The date would lie outside the years 1 to 9999."),
            where="parameters.time",
        ) from None


class AskedField(Parameters):
    name: str = parameter(
        title="Name",
        description="How expressions name it.",
        pattern=r"^[A-Za-z][A-Za-z0-9_]{0,39}$",
        expressions=False,
    )
    title: str = parameter("", title="Title", description="What the form shows.", max_length=200)
    type: Literal["text", "number", "boolean", "choice", "date"] = parameter(
        "text", title="Type", description="What may be entered.", widget="select", expressions=False
    )
    choices: list[str] = parameter(
        title="Choices",
        description="What can be chosen.",
        default_factory=list,
        show_if={"type": "choice"},
        max_length=200,
    )
    required: bool = parameter(True, title="Required", description="An approval needs it.", widget="checkbox")

    @model_validator(mode="after")
    def _has_choices(self) -> "AskedField":
        if self.type == "choice" and not self.choices:
            raise ValueError(sentence("a choice needs choices"))
        return self


class ApprovalParameters(Parameters):
    title: str = parameter(
        "Approval", title="Question", description="What is to be decided.", min_length=1, max_length=200
    )
    message: str = parameter(
        "",
        title="Message",
        description="What the person needs to know (Markdown).",
        widget="multiline",
        max_length=20_000,
    )
    fields: list[AskedField] = parameter(
        title="Fields",
        description="What the person fills in.",
        widget="list",
        default_factory=list,
        max_length=MAX_FIELDS,
    )
    roles: list[str] = parameter(
        title="Roles",
        description="Who may answer: members with one of these roles, whatever else these allow. No roles and no "
        "addresses: everybody who may steer runs.",
        widget="list",
        default_factory=list,
        max_length=50,
    )
    emails: list[str] = parameter(
        title="Addresses",
        description="Who else may answer, by e-mail address.",
        widget="list",
        default_factory=list,
        max_length=200,
    )
    time_limit_s: float | None = parameter(
        None,
        title="Time limit",
        description="Seconds after which the run goes on at `timeout`; empty waits for as long as it takes.",
        widget="number",
        gt=0,
        le=MAX_WAIT_S,
    )

    @field_validator("fields")
    @classmethod
    def _different(cls, fields: list[AskedField]) -> list[AskedField]:
        if len({field.name for field in fields}) < len(fields):
            raise ValueError(sentence("two fields have the same name"))
        return fields


class Approval(Node[ApprovalParameters]):
    """Waits until a person approves or rejects.

    The question is shown with the run, and answered there or with `POST /api/v1/runs/{run}/answers`. The answer
    leaves by `approved` or `rejected`, as an object with `decision`, `fields`, `comment`, `answered_by` and
    `answered_at`. When nobody answers in time, the run goes on at `timeout`. Waiting holds no worker and survives
    restarts. The first answer counts.

    **Example.** Ask the role `admin` "Refund {{ order.total }}?" with a field `amount`, and send
    `{{ approval.fields.amount }}` on.
    """

    type = "flow.approval"
    title = "Approval"
    category = "flow"
    icon = "user-check"
    keywords = ("human", "person", "approve", "reject", "ask", "form", "wait", "review", "confirm")
    inputs = (Port("in", "any", "Input", "Arrives when the question is to be asked.", required=False),)
    outputs = (
        Port("approved", "object", "Approved", "The answer."),
        Port("rejected", "object", "Rejected", "The answer."),
        Port("timeout", "object", "Timeout", "When was asked and how long was waited, when nobody answered."),
    )
    effect = Effect.REPEATABLE
    execution = Execution.ASYNC
    by_reference = True
    Parameters = ApprovalParameters
    examples = (
        Example(
            title="A refund",
            parameters={
                "title": "Refund order {{ order.id }}?",
                "fields": [{"name": "amount", "type": "number"}],
                "roles": ["admin"],
                "time_limit_s": 86400,
            },
        ),
    )

    async def run(self, context: NodeContext, parameters: ApprovalParameters, inputs: Inputs) -> Result:
        """Ask, or return the answer on its port."""
        answer: Any = context.answer
        if isinstance(answer, dict) and answer.get("decision") in DECISIONS:
            return Ports({answer["decision"]: answer})
        now = datetime.now(UTC)
        since = context.waiting_since or now
        due = None
        if parameters.time_limit_s is not None:
            due = since + timedelta(seconds=parameters.time_limit_s)
            if now >= due:
                return Ports({"timeout": {"asked_at": since.isoformat(), "limit_s": parameters.time_limit_s}})
        asks = {
            "kind": "approval",
            **parameters.model_dump(mode="json", exclude={"time_limit_s"}),
            "until": due.isoformat() if due else None,
        }
        return Wait(due, asks)
