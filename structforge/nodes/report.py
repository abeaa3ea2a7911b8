"""The Markdown report: what a workflow tells people at its end."""

import re
from typing import Any

from structforge.domain.errors import sentence
from structforge.sdk import Example, Inputs, Node, NodeContext, NodeError, Parameters, Port, Result, parameter

_MARKER = re.compile(r"^[ \t]*\[\[table:\s*(?P<name>[^\]\n]+?)\s*\]\][ \t]*$", re.MULTILINE)


class ReportParameters(Parameters):
    title: str = parameter("", title="Title", description="Becomes the report's heading.")
    markdown: str = parameter(
        "",
        title="Text",
        description="Markdown with expressions. A line `[[table:NAME]]` is replaced by that table; tables "
        "without "
        "such a line follow at the end.",
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
        None, title="Decimals", description="Round numbers in tables to so many digits.", ge=0, le=12
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
    the text has a line `[[table:NAME]]`, or at the end under their name. Cell texts are escaped, so that
    data cannot change the layout or add formatting and HTML.

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

    def run(self, context: NodeContext, parameters: ReportParameters, inputs: Inputs) -> Result:
        """Return `{"title": ..., "markdown": ...}`. Raises: NodeError `report.table`,
        `report.unknown_table`."""
        rendered = {
            name: _table(name, rows, parameters.decimals, parameters.max_rows)
            for name, rows in parameters.tables.items()
        }
        placed: set[str] = set()

        def place(match: re.Match[str]) -> str:
            name = match["name"]
            if name not in rendered:
                raise NodeError(
                    "report.unknown_table",
                    sentence(
                        "The text asks for the table `{name}`, which is not among the tables.", name=name
                    ),
                    where="parameters.markdown",
                    hint=sentence("The tables are: {rendered}.", rendered=", ".join(rendered) or "none"),
                )
            placed.add(name)
            return rendered[name]

        parts = [f"# {parameters.title}"] if parameters.title else []
        body = _MARKER.sub(place, parameters.markdown).strip()
        if body:
            parts.append(body)
        for name, table in rendered.items():
            if name not in placed:
                parts += [f"## {name}", table]
        return {"title": parameters.title, "markdown": "\n\n".join(parts) + "\n"}


def _table(name: str, rows: Any, decimals: int | None, max_rows: int) -> str:
    if isinstance(rows, dict):
        rows = [rows]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise NodeError(
            "report.table",
            sentence("The table `{name}` is not a list of objects.", name=name),
            where=f"parameters.tables.{name}",
            hint="Give the rows as one expression, such as `{{ monthly }}`, with nothing before or after it.",
        )
    shown = rows[:max_rows]
    columns = list(dict.fromkeys(column for row in shown for column in row))
    if not columns:
        return "*No rows.*"
    numeric = {
        column
        for column in columns
        if all(_is_number(row.get(column)) for row in shown if row.get(column) is not None)
        and any(row.get(column) is not None for row in shown)
    }
    lines = [
        "| " + " | ".join(_escaped(column) for column in columns) + " |",
        "| " + " | ".join("---:" if column in numeric else "---" for column in columns) + " |",
    ]
    lines += [
        "| " + " | ".join(_cell(row.get(column), decimals) for column in columns) + " |" for row in shown
    ]
    if len(rows) > len(shown):
        lines += ["", f"*{len(shown)} of {len(rows)} rows.*"]
    return "\n".join(lines)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _cell(value: Any, decimals: int | None) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and decimals is not None:
        return f"{value:.{decimals}f}"
    return _escaped(value if isinstance(value, str) else str(value))


def _escaped(text: str) -> str:
    """Make text inert in a Markdown table cell. Source: GitHub Flavored Markdown, sections 4.10 and 6.1."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # An underscore inside a word means nothing, and column names are full of them.
    text = re.sub(r"[\\`*\[\]|~!]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\\g<0>", text)
    return re.sub(r"\s*[\r\n]+\s*", " ", text)
