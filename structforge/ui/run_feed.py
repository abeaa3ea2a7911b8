"""What changes in runs, to the pages that show them: the steps of one run, and the list of an organization.

Invariant: the states hold nothing but the last patch, so that one costs a hundred bytes; `ui.live` alone writes them.
"""

import itertools
from typing import Any

import reflex as rx

from structforge.ui.live import Feed, Message, Patch, patch_of


class RunPatchState(rx.State):
    """The last patch of the run that is looked at."""

    patch: list[Any] = []


class RunListPatchState(rx.State):
    """The last sign that the list of runs has changed."""

    changed: list[Any] = []


_numbers = itertools.count(1)


def sign_of(topic: str, messages: list[Message]) -> Patch:
    """Tell that runs of an organization were made or changed; the page reads its rows again."""
    number = next(_numbers)
    return [topic, number, number, []]


RUN_FEED = Feed("run", RunPatchState, "patch", patch_of, coalesce_s=0.04)
RUN_LIST_FEED = Feed("runs", RunListPatchState, "changed", sign_of, coalesce_s=0.3)
FEEDS = (RUN_FEED, RUN_LIST_FEED)
