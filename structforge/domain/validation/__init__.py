"""Everything that is wrong with a workflow document, as a list of coded problems with their places.

Invariant: total and complete: any document gets an answer, and every problem is in it, never only the first.
A document without errors can be planned; what depends on data is left to the run. Any layer may import it.
"""

from structforge.domain.validation.document import parse_document
from structforge.domain.validation.findings import errors_of, is_warning
from structforge.domain.validation.shapes import NodeShape
from structforge.domain.validation.workflow import require_valid, validate

__all__ = ["NodeShape", "errors_of", "is_warning", "parse_document", "require_valid", "validate"]
