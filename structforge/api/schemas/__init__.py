"""Bodies and answers of the API, as pydantic models: what the OpenAPI document shows is what is sent.

Invariant: bodies refuse unknown fields; answers are built from what is named here, so a field of a row is sent only
then. Routes import from the modules.
"""
