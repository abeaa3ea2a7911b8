"""Executing a plan: what runs when, with which values, and what is written down about it.

Invariant: the executor knows protocols only (journal, values, process pool); storage, RQ and HTTP are given to it.
"""
