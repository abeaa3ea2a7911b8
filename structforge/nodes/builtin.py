"""The list of built-in node types.

Invariant: `register` is all that is special about them, and every plugin has the same function.
"""

from structforge.nodes.data import SetFields
from structforge.nodes.database import DatabaseExecute, DatabaseQuery
from structforge.nodes.files import ReadFile, WriteFile
from structforge.nodes.flow import If, Merge, Parallel, Switch
from structforge.nodes.flow_call import CallWorkflow, ErrorTrigger, Finally
from structforge.nodes.flow_end import ReturnEarly, Stop
from structforge.nodes.flow_wait import Approval, Delay, WaitUntil
from structforge.nodes.flow_webhook import WaitForWebhook
from structforge.nodes.http_request import HttpRequest
from structforge.nodes.loops import Loop
from structforge.nodes.report import Report
from structforge.nodes.respond import Respond
from structforge.nodes.table_columns import Transform
from structforge.nodes.table_groups import Aggregate
from structforge.nodes.table_joins import Append, Join
from structforge.nodes.table_rows import Filter, Sort
from structforge.nodes.triggers import ManualTrigger, WebhookTrigger
from structforge.sdk import NodeRegistry

NODE_TYPES = (
    ManualTrigger,
    WebhookTrigger,
    ErrorTrigger,
    SetFields,
    ReadFile,
    WriteFile,
    Filter,
    Transform,
    Sort,
    Aggregate,
    Join,
    Append,
    If,
    Switch,
    Parallel,
    Merge,
    Loop,
    Delay,
    WaitUntil,
    Approval,
    WaitForWebhook,
    CallWorkflow,
    Stop,
    ReturnEarly,
    Finally,
    Respond,
    HttpRequest,
    DatabaseQuery,
    DatabaseExecute,
    Report,
)


def register(registry: NodeRegistry) -> None:
    """Add the built-in node types: the hook `structforge.plugins` calls."""
    for node_type in NODE_TYPES:
        registry.register(node_type)
