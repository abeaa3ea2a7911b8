// Rows that change while they are looked at. A snapshot and the patches after it are merged in a store outside
// React's tree, so one change renders one row. Knows nothing of what the rows mean.
import { memo, useEffect, useMemo, useRef, useSyncExternalStore } from "react";
import { Told } from "$/public/jsx/told.jsx";

const channels = new Map();

const blank = () => ({ seq: -1, rows: new Map(), order: [], pending: [], listeners: new Map(), all: new Set(), any: new Set(), version: 0, asked: 0 });

export function channelOf(name) {
  let channel = channels.get(name);
  if (!channel) channels.set(name, (channel = blank()));
  return channel;
}

function tell(channel, keys, orderChanged) {
  for (const key of keys) channel.listeners.get(key)?.forEach((listener) => listener());
  if (orderChanged) channel.all.forEach((listener) => listener());
  channel.version += 1;
  channel.any.forEach((listener) => listener());
}

// `+name` is added to the list `name`; an entry that does not tell when it began did so when the row did.
// `ran` tells both times: when it ended, in ms since 1970, and how many ms it took.
function joined(before, fields) {
  const row = { ...before };
  for (const [name, value] of Object.entries(fields)) {
    if (name === "ran") [row.started_at, row.finished_at] = [value[0] - value[1], value[0]].map((ms) => new Date(ms).toISOString());
    else if (!name.startsWith("+")) row[name] = value;
    else {
      const list = name.slice(1);
      const known = before?.[list] ?? [];
      const added = value.filter(([number]) => !known.some(([other]) => other === number));
      row[list] = [...known, ...added.map(([number, began, ...rest]) => [number, began || before?.started_at || "", ...rest])];
    }
  }
  return row;
}

function merge(channel, items) {
  let orderChanged = false;
  const keys = [];
  for (const [key, fields] of items) {
    const before = channel.rows.get(key);
    if (!before && key !== "") {
      if (!orderChanged) channel.order = [...channel.order];
      channel.order.push(key);
      orderChanged = true;
    }
    const row = joined(before, fields);
    channel.rows.set(key, row);
    keys.push(key);
    // What repeats shows on its one node as the latest iteration does, and how often it was done.
    const node = fields.node_id;
    const shown = node && key.includes("/") ? channel.rows.get(node) : null;
    if (shown?.inner && fields.status) {
      const { status, started_at, finished_at, out } = row;
      const element = key.lastIndexOf("#") > key.lastIndexOf("/");
      const once = finished_at && started_at && !before?.finished_at && !element ? 1 : 0;
      channel.rows.set(node, { ...shown, status, started_at, finished_at, times: (shown.times ?? 0) + once, ...(out ? { out } : {}) });
      keys.push(node);
      const owner = key.slice(0, key.lastIndexOf("[")).split("/").pop();
      const loop = channel.rows.get(owner);
      if (loop && !loop.repeats) {
        channel.rows.set(owner, { ...loop, repeats: true });
        keys.push(owner);
      }
    }
  }
  tell(channel, keys, orderChanged);
}

export function applySnapshot(name, snapshot) {
  const channel = channelOf(name);
  if (snapshot.seq < channel.seq) return;
  channel.seq = snapshot.seq;
  const before = [...channel.rows.keys()];
  // Snapshots of long runs hold no values: what patches told of one stays as long as the row is of the same result.
  const told = (row, old) => (old?.out && !row.out && Date.parse(old.finished_at) === Date.parse(row.finished_at) ? { ...row, out: old.out } : row);
  channel.rows = new Map(snapshot.rows.map(([key, row]) => [key, told(row, channel.rows.get(key))]));
  channel.order = snapshot.rows.map(([key]) => key).filter((key) => key !== "");
  const pending = channel.pending;
  channel.pending = [];
  channel.asked = 0;
  tell(channel, new Set([...before, ...channel.rows.keys()]), true);
  for (const patch of pending) applyPatch(name, patch);
}

// Rows that a snapshot left out; what is here already is newer.
export function addRows(name, rows) {
  const channel = channelOf(name);
  merge(channel, rows.filter(([key]) => !channel.rows.has(key)));
}

// patch: [end of the channel's name, first seq, last seq, [[key, fields], ...]]; true means "I missed something".
export function applyPatch(name, [, first, last, items]) {
  const channel = channelOf(name);
  if (channel.seq < 0) {
    channel.pending.push([name, first, last, items]);
    return false;
  }
  if (last <= channel.seq) return false;
  if (first > channel.seq + 1) return true;
  channel.seq = last;
  merge(channel, items);
  return false;
}

export function useRow(name, key) {
  const subscribe = useMemo(
    () => (listener) => {
      const { listeners } = channelOf(name);
      const set = listeners.get(key) ?? new Set();
      listeners.set(key, set.add(listener));
      return () => set.delete(listener);
    },
    [name, key],
  );
  return useSyncExternalStore(subscribe, () => channelOf(name).rows.get(key));
}

export function useOrder(name) {
  const subscribe = useMemo(
    () => (listener) => {
      const { all } = channelOf(name);
      all.add(listener);
      return () => all.delete(listener);
    },
    [name],
  );
  return useSyncExternalStore(subscribe, () => channelOf(name).order);
}

// Carries snapshot and patch props into the store; asks again (at most once a second) when a patch is missing.
// Tells when row "" reaches one of the settled statuses by a patch, or any row one of the urgent ones.
export const LiveFeed = memo(function LiveFeed({ channel, snapshot, patch, extra, settled = [], urgent = [], onGap, onSettled }) {
  const gap = useRef(onGap);
  const done = useRef(onSettled);
  useEffect(() => {
    gap.current = onGap;
    done.current = onSettled;
  });
  useEffect(() => {
    if (channel && snapshot?.channel === channel) applySnapshot(channel, snapshot);
  }, [channel, snapshot]);
  useEffect(() => {
    if (channel && extra?.[0] === channel) addRows(channel, extra[1]);
  }, [channel, extra]);
  useEffect(() => {
    if (!channel || !channel.endsWith(patch?.[0] ?? "?")) return;
    const store = channelOf(channel);
    const before = store.rows.get("")?.status;
    const missed = applyPatch(channel, patch);
    const status = store.rows.get("")?.status;
    const calls = patch[3].some(([, fields]) => urgent.includes(fields.status));
    if ((status !== before && settled.includes(status)) || (calls && !missed)) done.current?.();
    if (!missed) return;
    const now = Date.now();
    if (now - store.asked > 1000) {
      store.asked = now;
      gap.current?.();
    }
  }, [channel, patch]);
  return null;
});

const ICONS = {
  queued: "M12 7v5l3 2", pending: "M12 7v5l3 2", waiting: "M10 8v8M14 8v8", paused: "M10 8v8M14 8v8", pausing: "M10 8v8M14 8v8",
  succeeded: "m8 12.5 3 3 5-6", failed: "m9 9 6 6m0-6-6 6", cancelled: "M8 12h8", cancelling: "M8 12h8",
  skipped: "m9 8 4 4-4 4m5-8v8", reused: "M8 10h7l-2-2m3 6H9l2 2",
};

export const StatusMark = memo(function StatusMark({ status, label }) {
  return (
    <span className={`status is-${status}`} data-status={status}>
      <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="2.4" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true" className={status === "running" ? "spin" : ""}>
        {status === "running" ? <path d="M12 3a9 9 0 1 0 9 9" /> : (
          <>
            <circle cx="12" cy="12" r="9.5" />
            <path d={ICONS[status] ?? ""} />
          </>
        )}
      </svg>
      {label ?? status}
    </span>
  );
});

export function LiveStatus({ channel, row = "", labels }) {
  const status = useRow(channel, row)?.status;
  return status ? <StatusMark status={status} label={labels[status]} /> : null;
}

// Tells when the status of a row changes.
export function RowWatch({ channel, row, onChange }) {
  const status = useRow(channel, row)?.status;
  const before = useRef({ row, status });
  const told = useRef(onChange);
  useEffect(() => {
    told.current = onChange;
  });
  useEffect(() => {
    const last = before.current;
    before.current = { row, status };
    if (last.row === row && last.status !== status) told.current?.();
  }, [row, status]);
  return null;
}

export function LiveText({ channel, row = "", field }) {
  const text = useRow(channel, row)?.[field];
  return text ? <p className="live-text muted"><Told said={text} /></p> : null;
}

// ---- time -------------------------------------------------------------------------------------------------

const clocks = new Set();
let now = Date.now();
let timer = null;
function subscribeClock(listener) {
  clocks.add(listener);
  timer ??= setInterval(() => {
    now = Date.now();
    clocks.forEach((each) => each());
  }, 500);
  return () => {
    clocks.delete(listener);
    if (clocks.size === 0) {
      clearInterval(timer);
      timer = null;
    }
  };
}
const never = () => () => {};
export const useNow = (running) => useSyncExternalStore(running ? subscribeClock : never, () => now, () => now);

export function spanText(ms) {
  if (!Number.isFinite(ms) || ms < 0) return "";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  const s = Math.round(ms / 1000);
  return s < 3600 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

export function Duration({ start, end }) {
  const clock = useNow(Boolean(start) && !end);
  if (!start) return <span className="muted">–</span>;
  return <span className="num nowrap">{spanText((end ? Date.parse(end) : Math.max(clock, Date.parse(start))) - Date.parse(start))}</span>;
}

export function LiveDuration({ channel, row = "" }) {
  const value = useRow(channel, row);
  return <Duration start={value?.started_at} end={value?.finished_at} />;
}

export function When({ at, locale = "en" }) {
  if (!at) return <span className="muted">–</span>;
  const date = new Date(at);
  const text = date.toLocaleString(locale, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return <time dateTime={at} title={date.toLocaleString(locale)} className="nowrap">{text}</time>;
}
