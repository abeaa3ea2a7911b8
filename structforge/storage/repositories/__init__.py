"""Typed queries over the tables, one module for each kind of object.

Invariant: a repository works in the session it is given and loads by (organization, id); it never authorises
and never commits.
"""
