"""The Markdown report: what a workflow tells people at its end."""

from collections.abc import Mapping
from typing import Any

from structforge.domain.errors import sentence
from structforge.nodes.markdown import escaped, table_lines
from structforge.nodes.report_text import Marker, ReportText, split
from structforge.nodes.table_inputs import FlattenParameters, flattened
from structforge.sdk import Example, Inputs, Node, NodeContext, NodeError, Port, Result, parameter


class ReportParameters(FlattenParameters):
    title: str = parameter("", title="Title", description="Becomes the report's heading.")
    markdown: ReportText = parameter(
        "",
        title="Text",
        description="Markdown with expressions. A line `[[table:NAME]]` that you write is replaced by that table; "
        "tables without such a line follow at the end.",
        widget="multiline",
        language="markdown",
    )
    tables: dict[str, Any] = parameter(
        default_factory=dict,
        title="Tables",
        description="Name and rows of each table, the rows as an expression such as `{{ monthly }}`.",
        widget="key_values",
    )
    decimals: int | None = parameter(
        None,
        title="Decimals",
        description="Round numbers in tables to so many digits; whole numbers stay as they are.",
        ge=0,
        le=12,
    )
    max_rows: int = parameter(
        100,
        title="Rows shown",
        description="Longer tables are cut, and say so.",
        ge=1,
        le=1_000,
        advanced=True,
    )


class Report(Node[ReportParameters]):
    """Writes a report in Markdown, with tables.

    The text may hold expressions such as `{{ summary[0].count }}`. Tables are given by name and stand where
    the text has a line `[[table:NAME]]`, or at the end under their name. Only lines of the text itself count: what
    an expression gives is put in afterwards, so a line like that in the data stays what it is.

    The title, names of columns and cells are data, never Markdown or HTML. Of the text, what an expression gives
    is read as Markdown, so that formatted text can be built or passed on; put values of strangers into a table.

    In tables numbers have all their digits, or *Decimals* of them, rounded half away from zero on the digits as
    written (2.675 is 2.68); 525162.0 is shown as 525162. Lists and objects are shown as JSON, true and false as
    yes and no; a cell without a value and one with an empty text are both blank.

    **Example.** The title `Cities`, the text `All of them: {{ cities | length }}` and the table
    `Temperatures` of `[{"city": "Oslo", "temp": 3.14159}]` with 1 decimal give

        # Cities

        All of them: 1

        ## Temperatures

        | city | temp |
        | --- | ---: |
        | Oslo | 3.1 |
    """

    type = "output.report"
    title = "Markdown report"
    category = "output"
    icon = "file-text"
    keywords = ("markdown", "document", "summary", "text", "table", "result")
    inputs = (
        Port("in", "any", "After", "The report is written once these have ended.", required=False, many=True),
    )
    outputs = (Port("out", "object", "Report", "`markdown` and `title`."),)
    by_reference = True
    Parameters = ReportParameters
    examples = (
        Example(
            title="A text and a table",
            parameters={
                "title": "Cities",
                "markdown": "All of them: 1",
                "tables": {"Temperatures": [{"city": "Oslo", "temp": 3.14159}]},
                "decimals": 1,
            },
            inputs={},
            output={
                "title": "Cities",
                "markdown": "# Cities\n\nAll of them: 1\n\n## Temperatures\n\n"
                "| city | temp |\n| --- | ---: |\n| Oslo | 3.1 |\n",
            },
        ),
    )

    def prepared(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        text = parameters.get("markdown")
        return {**parameters, "markdown": split(text)} if isinstance(text, str) else parameters

    def run(self, context: NodeContext, parameters: ReportParameters, inputs: Inputs) -> Result:
        """Return `{"title": ..., "markdown": ...}`. Raises: NodeError `report.table`,
        `report.unknown_table`, `table.flatten_name`."""
        rendered = {name: _table(name, rows, parameters) for name, rows in parameters.tables.items()}
        placed: set[str] = set()
        body = ""
        for part in parameters.markdown:
            if isinstance(part, Marker):
                placed.add(part.table)
                # Without blank lines around it, the lines before and after would be rows of the table.
                body = f"{_ended(body)}{_placed(part.table, rendered)}\n\n"
            else:
                body += part.lstrip("\n") if body.endswith("\n\n") else part
        body = body.strip()
        parts = [f"# {escaped(parameters.title)}"] if parameters.title.strip() else []
        if body:
            parts.append(body)
        for name, table in rendered.items():
            if name not in placed:
                parts += [f"## {escaped(name)}", table]
        return {"title": parameters.title, "markdown": "\n\n".join(parts) + "\n"}


def _ended(text: str) -> str:
    """Return the text with one blank line behind it."""
    return f"{stripped}\n\n" if (stripped := text.rstrip("\n")) else ""


def _placed(name: str, rendered: Mapping[str, str]) -> str:
    if name not in rendered:
        raise NodeError(
            "report.unknown_table",
            sentence("The text asks for the table `{name}`, which is not among the tables.", name=name),
            where="parameters.markdown",
            hint=sentence("The tables are: {rendered}.", rendered=", ".join(rendered) or "none"),
        )
    return rendered[name]


def _table(name: str, rows: Any, parameters: ReportParameters) -> str:
    where = f"parameters.tables.{name}"
    if isinstance(rows, dict):
        rows = [rows]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise NodeError(
            "report.table",
            sentence("The table `{name}` is not a list of objects.", name=name),
            where=where,
            hint="Give the rows as one expression, such as `{{ monthly }}`, with nothing before or after it.",
        )
    shown = rows[: parameters.max_rows]
    if parameters.flatten:
        shown = flattened(shown, where=where)
    lines = table_lines(shown, parameters.decimals)
    if not lines:
        return "*No rows.*"
    if len(rows) > len(shown):
        lines += ["", f"*{len(shown)} of {len(rows)} rows.*"]
    return "\n".join(lines)
