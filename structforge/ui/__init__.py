"""The web app. Reflex is imported in this package only.

Invariant: every public method of a State is a public RPC, so each one checks the session and the object it
touches through `services`, and trusts nothing the browser sent. Helpers are prefixed with `_`.
"""
