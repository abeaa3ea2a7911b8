"""The workflow itself as a form: its settings, its text and what a run of it takes, with the words of each language.

Invariant: every setting has a title in the catalogue; one that is added without fails when the page is built.
"""

# Reflex gives `rx.cond` no type.
# mypy: disable-error-code="no-any-return"

from typing import Any

import reflex as rx

from structforge.domain.workflow import WorkflowDocument, WorkflowSettings
from structforge.ui.locale import CATALOGUES, LocaleState

_EXAMPLE = """{
  "type": "object",
  "properties": {
    "city": { "type": "string" }
  },
  "required": ["city"]
}"""


def workflow_schema_in(locale: str) -> dict[str, Any]:
    """Return the JSON Schema of the form with titles and help in a language. Raises: KeyError."""
    texts = CATALOGUES[locale]
    schema = WorkflowSettings.model_json_schema()
    fields = schema["properties"]
    fields["error_workflow"]["x-widget"] = "workflow"
    fields["inputs"] = {"type": "object", "x-widget": "fields", "x-placeholder": _EXAMPLE}
    fields["documentation"] = {"type": "string", "x-widget": "multiline", "x-language": "markdown"}
    for name, field in fields.items():
        field["title"] = texts[f"setting.{name}"]
        field["description"] = texts.get(f"setting.{name}_help", "")
    return schema


def workflow_schema() -> rx.Var[dict[str, Any]]:
    """Return the schema in the visitor's language."""
    return rx.cond(
        LocaleState.locale == "zh",
        rx.Var.create(workflow_schema_in("zh")),
        rx.Var.create(workflow_schema_in("en")),
    )


def workflow_values(document: WorkflowDocument) -> dict[str, Any]:
    """Return what the form holds of a document: all that is not as by default."""
    values = document.settings.model_dump(mode="json", exclude_defaults=True)
    if document.inputs:
        values["inputs"] = document.inputs
    if document.documentation:
        values["documentation"] = document.documentation
    return values
