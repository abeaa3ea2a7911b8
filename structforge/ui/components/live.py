"""Python side of live.jsx: live rows, status marks and times. Knows no StructForge words.

Invariant: a patch is `[end of channel, first seq, last seq, [[row key, fields], ...]]`; row "" is the channel.
"""

# Reflex names the arguments of an event by a function in place of a type.
# mypy: disable-error-code="type-arg, valid-type"

from typing import Any

import reflex as rx

from structforge.ui.components.modules import jsx_module

MODULE = jsx_module("live.jsx")


class _Live(rx.Component):
    library = MODULE


class LiveFeed(_Live):
    """Feeds `snapshot` and `patch` vars into the browser's store; `on_gap` fires when a patch was missed.

    `on_settled` fires when a patch brings row "" to one of the statuses in `settled`, or any row to one in `urgent`.
    """

    tag = "LiveFeed"
    channel: rx.Var[str]
    snapshot: rx.Var[dict[str, Any]]
    patch: rx.Var[list[Any]]
    extra: rx.Var[list[Any]]
    """`[channel, rows]` beyond the snapshot."""
    settled: rx.Var[list[str]]
    urgent: rx.Var[list[str]]
    on_gap: rx.EventHandler[rx.event.no_args_event_spec]
    on_settled: rx.EventHandler[rx.event.no_args_event_spec]


class LiveStatus(_Live):
    """The status of one row as a mark with icon and word."""

    tag = "LiveStatus"
    channel: rx.Var[str]
    row: rx.Var[str]
    labels: rx.Var[dict[str, str]]


class RowWatch(_Live):
    """Fires `on_change` when the status of a row changes."""

    tag = "RowWatch"
    channel: rx.Var[str]
    row: rx.Var[str]
    on_change: rx.EventHandler[rx.event.no_args_event_spec]


class LiveText(_Live):
    """One text field of a row, when there is one."""

    tag = "LiveText"
    channel: rx.Var[str]
    row: rx.Var[str]
    field: rx.Var[str]


class StatusMark(_Live):
    """A status as a mark with icon and word."""

    tag = "StatusMark"
    status: rx.Var[str]
    label: rx.Var[str]


class LiveDuration(_Live):
    """How long a row has taken, ticking while it runs."""

    tag = "LiveDuration"
    channel: rx.Var[str]
    row: rx.Var[str]


class Duration(_Live):
    """The time between two ISO instants, ticking while there is no end."""

    tag = "Duration"
    start: rx.Var[str]
    end: rx.Var[str]


class When(_Live):
    """An ISO instant in the reader's time zone and language."""

    tag = "When"
    at: rx.Var[str]
    locale: rx.Var[str]


live_feed = LiveFeed.create
row_watch = RowWatch.create
live_text = LiveText.create
live_status = LiveStatus.create
status_mark = StatusMark.create
live_duration = LiveDuration.create
duration = Duration.create
when = When.create
