"""The API gateway: one entry for programs, the web app's forms and the command line.

Invariant: routes translate between HTTP and `services`, which authorise; no route reads a table.
"""
