// What is known of a node, from two channels of live rows: the run that is looked at, and what is remembered from
// earlier ones. Drawn on nodes, on the edges between them, and beside cells. Knows nothing of what the rows mean.
import { memo } from "react";
import { StatusMark, spanText, useRow } from "$/public/jsx/live.jsx";
import { useTell, withCode } from "$/public/jsx/told.jsx";

const OVER = ["succeeded", "failed", "cancelled"];
const DONE = ["succeeded", "reused"];

const same = (a, b) => Boolean(a && b) && Date.parse(a) === Date.parse(b);

// The run's row, unless the run says nothing of the node, or something newer is remembered. What came out is told by
// patches and remembered rows, not by snapshots.
export function useKnown(channel, facts, id) {
  const own = useRow(channel, id);
  const kept = useRow(facts, id);
  const run = useRow(channel, "")?.status;
  const active = Boolean(run) && !OVER.includes(run);
  const says = own?.status && own.status !== "pending";
  const newer = kept?.finished_at && own?.finished_at && Date.parse(kept.finished_at) > Date.parse(own.finished_at);
  let row = own;
  if (says && !newer) row = own.out || !(kept?.pinned || same(kept?.finished_at, own.finished_at)) ? own : { ...own, out: kept.out };
  else if (active && own?.status === "pending") row = { ...kept, status: "pending", waits: true };
  else if (kept?.status || kept?.out) row = kept;
  return { row, stale: kept?.stale ?? "", because: kept?.because ?? "", pinned: Boolean(kept?.pinned), active };
}

export const mainOut = (row, port) => {
  const out = row?.out || {};
  return port ? out[port] : Object.values(out)[0];
};

export const countText = (given) => (given ? (given[0] === null ? "" : given[0].toLocaleString()) : "");

export const staleText = (stale, because, texts) => (texts[`stale_${stale}`] ?? stale).replace("{node}", because);

export const StaleMark = memo(function StaleMark({ stale, because, texts }) {
  if (!stale) return null;
  return <span className="stale-mark" title={staleText(stale, because, texts)} data-stale={stale}>{texts.stale}</span>;
});

export const PinMark = memo(function PinMark({ texts }) {
  return (
    <span className="pin-mark" title={texts.pinned_hint}>
      <svg viewBox="0 0 24 24" width="12" height="12" fill="none" stroke="currentColor" strokeWidth="2.4" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true"><path d="M12 17v5M9 3h6l-1 7 3 3v2H7v-2l3-3z" /></svg>
      {texts.pinned}
    </span>
  );
});

export const LiveStrip = memo(function LiveStrip({ id, channel, facts, labels, texts }) {
  const { row, stale, because, pinned } = useKnown(channel, facts, id);
  const tell = useTell();
  const shown = row?.status && (row.status !== "pending" || row.waits);
  if (!shown && !pinned && !stale) return null;
  const ms = row?.started_at && row?.finished_at ? Date.parse(row.finished_at) - Date.parse(row.started_at) : NaN;
  const given = mainOut(row);
  const old = Boolean(stale) || row?.waits;
  const text = row?.status === "failed" && row.note ? tell(row.note) : (given?.[1] ?? "");
  return (
    <div className={`cv-live${old ? " old" : ""}`}>
      <div className="cv-facts">
        {pinned && <PinMark texts={texts} />}
        {shown && <StatusMark status={row.status} label={labels[row.status]} />}
        {shown && !row.waits && <span className="num muted">{spanText(ms)}</span>}
        <StaleMark stale={stale} because={because} texts={texts} />
        {countText(given) && <span className="cv-count num" title={texts.items}>{countText(given)}</span>}
      </div>
      {text && <div className="cv-preview" title={text.replaceAll("`", "")}>{row?.status === "failed" ? withCode(text) : text}</div>}
    </div>
  );
});

export function LiveFrame({ id, channel, facts, className, children, style }) {
  const { row, stale, pinned } = useKnown(channel, facts, id);
  const status = row?.status && row.status !== "pending" ? ` is-${row.status} cv-has-status` : "";
  return <div className={`${className}${status}${stale ? " is-stale" : ""}${pinned ? " is-pinned" : ""}`} style={style}>{children}</div>;
}

// How an edge looks, and what travelled on it: [items, beginning of the value], in a loop the last time of `times`.
export function useTravel(channel, facts, source, port, target) {
  const from = useKnown(channel, facts, source);
  const to = useKnown(channel, facts, target);
  const out = from.row?.out || {};
  const settled = DONE.includes(from.row?.status) || from.pinned || (from.row?.status === "failed" && Object.keys(out).length > 0);
  // Into what repeats no value is told, and of a long run none inside: how often it was done shows what travelled.
  const times = to.row?.inner ? (to.row.times ?? 0) : from.row?.inner ? (from.row.times ?? 0) : 0;
  const blind = times > 0 && !(port in out) && to.row?.inner && (from.row.repeats || (from.row.inner && Object.keys(out).length === 0));
  const alive = (settled && port in out) || blind;
  const moving = alive && from.active && ["pending", "running"].includes(to.row?.status) && !from.row?.waits;
  const old = Boolean(from.stale);
  return { given: alive ? (out[port] ?? [null, ""]) : null, times, blind, className: `${moving ? " moving" : ""}${alive ? " done" : settled && Object.keys(out).length ? " dead" : ""}${old ? " old" : ""}` };
}

export const Traveller = memo(function Traveller({ given, times, blind, texts }) {
  const count = given[0] === null ? "1" : given[0].toLocaleString();
  const often = times > 1 || blind ? `×${times.toLocaleString()}` : "";
  const words = [often && texts.times.replace("{count}", times), !blind && given[0] !== null && `${count} ${texts.items}`, given[1]];
  return <span className="cv-travel num" title={words.filter(Boolean).join(" · ")}>{blind ? "" : count}{often && !blind ? " " : ""}{often}</span>;
});

export function KnownMarks({ id, channel, facts, labels, texts }) {
  const { row, stale, because, pinned } = useKnown(channel, facts, id);
  const ms = row?.started_at && row?.finished_at ? Date.parse(row.finished_at) - Date.parse(row.started_at) : NaN;
  return (
    <span className="known-marks">
      {pinned && <PinMark texts={texts} />}
      <StaleMark stale={stale} because={because} texts={texts} />
      {row?.status && <StatusMark status={row.status} label={labels[row.status]} />}
      {row?.status && <span className="num muted small">{spanText(ms)}</span>}
    </span>
  );
}
