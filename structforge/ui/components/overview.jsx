// Live rows as one list: what failed first, with its reason, then the rest in the order it began. Sorted again at most
// three times a second, and only the rows in view are drawn, so a thousand cost as much as twenty. Knows no words of
// the program around it.
import { memo, useEffect, useMemo, useRef, useState } from "react";
import { StatusMark, channelOf, spanText, useNow, useRow } from "$/public/jsx/live.jsx";
import { countText, mainOut } from "$/public/jsx/node_live.jsx";
import { Told } from "$/public/jsx/told.jsx";

const ROW = 30;
const AGAIN_MS = 330;
const MOST_FAILED = 20;
const TALLIED = ["failed", "running", "waiting", "succeeded", "reused", "skipped", "cancelled", "pending"];
// A part of what repeats shows only when it failed: its node stands for the others.
const isPart = (key) => key.includes("/") || key.includes("#");

function sorted(channel) {
  const { rows, order } = channelOf(channel);
  const counts = {};
  const failed = [], begun = [];
  for (const key of order) {
    const row = rows.get(key);
    const part = isPart(key);
    if (!part) counts[row.status] = (counts[row.status] ?? 0) + 1;
    if (row.status === "failed") failed.push(key);
    else if (!part && row.status && row.status !== "pending" && row.status !== "skipped") begun.push(key);
  }
  const began = (key) => Date.parse(rows.get(key).started_at) || Infinity;
  const times = new Map([...failed, ...begun].map((key) => [key, began(key)]));
  const byTime = (a, b) => (times.get(a) === times.get(b) ? 0 : times.get(a) - times.get(b));
  return { counts, failed: failed.sort(byTime), begun: begun.sort(byTime) };
}

// What the channel holds now, looked at again a little after it changed.
function useSorted(channel) {
  const [found, setFound] = useState(() => sorted(channel));
  useEffect(() => {
    let timer = 0;
    const look = () => {
      timer = 0;
      setFound(sorted(channel));
    };
    const changed = () => (timer ||= setTimeout(look, AGAIN_MS));
    const { any } = channelOf(channel);
    any.add(changed);
    look();
    return () => {
      any.delete(changed);
      clearTimeout(timer);
    };
  }, [channel]);
  return found;
}

const nodeOf = (key, row) => row?.node_id || key.split("/").pop().split("#")[0].split("[")[0];

const Line = memo(function Line({ channel, id, labels, texts, failed, style, onSelect }) {
  const row = useRow(channel, id) ?? {};
  const now = useNow(Boolean(row.started_at) && !row.finished_at);
  const begin = Date.parse(row.started_at), end = row.finished_at ? Date.parse(row.finished_at) : Math.max(now, begin);
  const given = mainOut(row);
  return (
    <button type="button" className={`ov-line${failed ? " is-failed" : ""}`} style={style} data-step={id} onClick={() => onSelect(nodeOf(id, row))}>
      <StatusMark status={row.status ?? "pending"} label={labels[row.status ?? "pending"]} />
      <span className="ov-title">{row.title ?? id}{isPart(id) && <code> {id}</code>}</span>
      <span className="num muted">{spanText(end - begin)}</span>
      <span className="num ov-count" title={given ? texts.items : undefined}>{countText(given)}</span>
      <span className="ov-text" title={failed ? undefined : given?.[1]}>{failed ? <Told said={row.note} /> : (given?.[1] ?? "")}</span>
    </button>
  );
});

export function Overview({ channel, labels, texts, onSelect }) {
  const { failed, begun } = useSorted(channel);
  const box = useRef(null);
  const [view, setView] = useState({ first: 0, count: 30 });
  const choose = useRef(onSelect);
  choose.current = onSelect;
  const select = useMemo(() => (node) => choose.current(node), []);
  useEffect(() => {
    const scroller = box.current?.parentElement;
    if (!scroller) return undefined;
    const measure = () => {
      const above = Math.max(0, scroller.scrollTop - box.current.offsetTop + scroller.offsetTop);
      const first = Math.max(0, Math.floor(above / ROW) - 5);
      const count = Math.ceil(scroller.clientHeight / ROW) + 10;
      setView((before) => (before.first === first && before.count === count ? before : { first, count }));
    };
    measure();
    scroller.addEventListener("scroll", measure, { passive: true });
    const watcher = new ResizeObserver(measure);
    watcher.observe(scroller);
    return () => {
      scroller.removeEventListener("scroll", measure);
      watcher.disconnect();
    };
  }, [failed.length]);
  if (!failed.length && !begun.length) return <p className="muted value-none">{texts.nothing_yet}</p>;
  return (
    <>
      {failed.slice(0, MOST_FAILED).map((id) => <Line key={id} {...{ channel, id, labels, texts }} failed onSelect={select} />)}
      {failed.length > MOST_FAILED && <p className="muted small">{texts.more_failed.replace("{count}", failed.length - MOST_FAILED)}</p>}
      <div ref={box} className="ov-list" style={{ height: ROW * begun.length }}>
        {begun.slice(view.first, view.first + view.count).map((id, at) => (
          <Line key={id} {...{ channel, id, labels, texts }} style={{ top: ROW * (view.first + at), height: ROW }} onSelect={select} />
        ))}
      </div>
    </>
  );
}

// How many rows are in which status.
export function Tally({ channel, labels }) {
  const { counts } = useSorted(channel);
  return (
    <span className="ov-tally">
      {TALLIED.filter((status) => counts[status]).map((status) => (
        <span key={status} className={`status is-${status}`}><span className="num">{counts[status].toLocaleString()}</span> {labels[status]}</span>
      ))}
    </span>
  );
}
