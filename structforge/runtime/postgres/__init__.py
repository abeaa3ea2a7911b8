"""PostgreSQL behind the connections of organizations: opening, statements, values in, cells out, writes done once.

Invariant: everything is exchanged in PostgreSQL's text form, by the types that the server itself describes.
"""
