// Live rows on a time axis: steps with their attempts, iterations grouped and paged. Only the rows in view are drawn,
// so a thousand cost as much as twenty. A row's key says where it belongs: `loop[2]/fetch`, `list#3`. Knows no words of
// the program around it.
import { memo, useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { StatusMark, channelOf, spanText, useNow, useOrder, useRow } from "$/public/jsx/live.jsx";
import { tell } from "$/public/jsx/told.jsx";

const ROW = 32;
// Rows come into being some at a time, ahead of what is seen: not with every pixel that is scrolled.
const BLOCK = 6;
const PAGE = 20;
const MOST_HEIGHT = 14 * ROW;
const SHORTEST_MS = 5;

// ---- what belongs to what ----------------------------------------------------------------------------------

const SEGMENT = /^(.*?)(?:\[(\d+)\]|#(\d+))?$/;

// key of a loop or list -> {mark, last, parts: index -> keys of the rows directly in it}
function groupsOf(order) {
  const groups = new Map();
  const group = (key, mark, index) => {
    let found = groups.get(key);
    if (!found) groups.set(key, (found = { mark, last: -1, parts: new Map() }));
    found.last = Math.max(found.last, index);
    if (!found.parts.has(index)) found.parts.set(index, []);
    return found.parts.get(index);
  };
  for (const key of order) {
    if (!key.includes("[") && !key.includes("#")) continue;
    const segments = key.split("/");
    let prefix = "";
    let part = null;
    segments.forEach((segment, place) => {
      const [, name, iteration, element] = segment.match(SEGMENT);
      const last = place === segments.length - 1;
      if (iteration !== undefined) {
        const owner = prefix + name;
        if (part && !part.includes(owner)) part.push(owner);
        part = group(owner, "[", Number(iteration));
        prefix += `${segment}/`;
      } else if (element !== undefined) {
        const owner = prefix + name;
        if (part && !part.includes(owner)) part.push(owner);
        group(owner, "#", Number(element));
      } else if (last && part && !part.includes(key)) part.push(key);
    });
  }
  return groups;
}

function flatten(order, rows, groups, open, pages) {
  const list = [];
  const step = (key, depth) => {
    const found = groups.get(key);
    const total = Math.max((found?.last ?? -1) + 1, rows.get(key)?.more ?? 0);
    list.push({ kind: "step", id: key, key, depth, total });
    if (total === 0 || !open.has(key)) return;
    const first = Math.min(pages[key] ?? 0, Math.max(0, Math.ceil(total / PAGE) * PAGE - PAGE));
    if (total > PAGE) list.push({ kind: "pager", id: `${key}\n`, key, depth: depth + 1, first, total });
    for (let index = first; index < Math.min(first + PAGE, total); index += 1) {
      if (found?.mark === "#") {
        list.push({ kind: "step", id: `${key}#${index}`, key: `${key}#${index}`, depth: depth + 1, total: 0, short: `#${index}` });
        continue;
      }
      const id = `${key}[${index}]`;
      list.push({ kind: "part", id, key: id, depth: depth + 1, keys: found?.parts.get(index) ?? [], index });
      if (open.has(id)) (found?.parts.get(index) ?? []).forEach((each) => step(each, depth + 2));
    }
  };
  for (const key of order) {
    if (!key.includes("/") && !key.includes("#") && !rows.get(key)?.inner) step(key, 0);
  }
  return list;
}

// ---- the axis ------------------------------------------------------------------------------------------------

const STEPS = [1, 2, 5];
function ticksOf(from, to, most) {
  const rough = (to - from) / most;
  let size = 10 ** Math.floor(Math.log10(Math.max(rough, 1)));
  size *= STEPS.find((each) => each * size >= rough) ?? 10;
  const ticks = [];
  for (let at = Math.ceil(from / size) * size; at <= to; at += size) ticks.push(at);
  return ticks;
}

const placed = (view, begin, end) => {
  const scale = view.to - view.from;
  const left = (100 * (begin - view.from)) / scale;
  const right = (100 * (end - view.from)) / scale;
  if (right < 0 || left > 100) return null;
  return { left: `${Math.max(0, left)}%`, width: `${Math.max(0.15, Math.min(100, right) - Math.max(0, left))}%` };
};

const Bar = ({ view, begin, end, status, title, thin }) => {
  const style = begin === null ? null : placed(view, begin, end);
  return style && <i className={`is-${status}${thin ? " thin" : ""}`} style={style} title={title} />;
};

// ---- rows ----------------------------------------------------------------------------------------------------

const Name = ({ item, open, toggle, texts, children }) => (
  <span className="tl-name" style={{ paddingLeft: 8 + 16 * item.depth }}>
    {item.total > 0 || item.kind === "part" ? (
      <button type="button" tabIndex={-1} className="tl-twist" aria-label={open ? texts.close : texts.open} onClick={(event) => { event.stopPropagation(); toggle(item.id); }}>{open ? "▾" : "▸"}</button>
    ) : <span className="tl-twist" />}
    {children}
  </span>
);

const StepLine = memo(function StepLine({ channel, item, view, zero, labels, texts, open, toggle }) {
  const row = useRow(channel, item.key) ?? {};
  const status = row.status ?? "pending";
  const now = useNow(Boolean(row.started_at) && !row.finished_at);
  const begin = row.started_at ? Date.parse(row.started_at) : null;
  const end = row.finished_at ? Date.parse(row.finished_at) : Math.max(now, begin ?? 0);
  return (
    <>
      <Name item={item} open={open} toggle={toggle} texts={texts}>
        <span className="tl-title">{item.short ?? row.title ?? item.key}</span>
        {item.total > 0 && <span className="tl-count num">×{item.total}</span>}
        {row.attempt > 1 && <span className="tl-count num" title={texts.attempts}>{texts.attempt} {row.attempt}</span>}
      </Name>
      <span className="tl-status"><StatusMark status={status} label={labels[status]} /></span>
      <span className="tl-span num">{begin === null || status === "skipped" ? "" : spanText(end - begin)}</span>
      <span className="tl-bars">
        {(row.tries ?? []).map(([number, began, ended, why]) => began && (
          <Bar key={number} view={view} begin={Date.parse(began)} end={Date.parse(ended) || end} status="failed" thin title={`${texts.attempt} ${number}: ${tell(why)}`} />
        ))}
        <Bar view={view} begin={begin} end={end} status={status} title={`${row.title ?? item.key} · ${spanText(end - (begin ?? end))} · +${spanText((begin ?? zero) - zero)}`} />
      </span>
    </>
  );
});

const useAnything = (channel) => {
  const subscribe = useMemo(() => (listener) => {
    const { any } = channelOf(channel);
    any.add(listener);
    return () => any.delete(listener);
  }, [channel]);
  return useSyncExternalStore(subscribe, () => channelOf(channel).version);
};

function PartLine({ channel, item, view, labels, texts, open, toggle }) {
  useAnything(channel);
  const { rows } = channelOf(channel);
  const now = useNow(true);
  const found = item.keys.map((key) => rows.get(key)).filter(Boolean);
  const begins = found.filter((row) => row.started_at).map((row) => Date.parse(row.started_at));
  const running = found.some((row) => row.status === "running" || row.status === "pending" || row.status === "waiting");
  const status = found.length === 0 ? "pending" : found.some((row) => row.status === "failed") ? "failed" : running ? found.find((row) => row.status === "waiting") ? "waiting" : "running" : "succeeded";
  const begin = begins.length ? Math.min(...begins) : null;
  const end = running ? now : Math.max(begin ?? 0, ...found.map((row) => Date.parse(row.finished_at) || 0));
  return (
    <>
      <Name item={item} open={open} toggle={toggle} texts={texts}><span className="tl-title muted">{texts.iteration} {item.index}</span></Name>
      <span className="tl-status">{found.length > 0 && <StatusMark status={status} label={labels[status]} />}</span>
      <span className="tl-span num">{begin === null ? "" : spanText(end - begin)}</span>
      <span className="tl-bars"><Bar view={view} begin={begin} end={end} status={status} thin title={`${texts.iteration} ${item.index}`} /></span>
    </>
  );
}

// One line of the list. Everything it takes stays the same while the list is scrolled.
const Row = memo(function Row({ channel, item, at, place, size, selected, open, view, zero, labels, texts, acts }) {
  const Line = item.kind === "step" ? StepLine : PartLine;
  const expandable = (item.kind === "step" && item.total > 0) || item.kind === "part";
  return (
    <div
      id={`tl-${item.id}`} role="treeitem" aria-level={item.depth + 1} aria-selected={item.kind === "step" && selected}
      aria-expanded={expandable ? open : undefined} aria-setsize={size} aria-posinset={place + 1}
      className={`tl-row${selected && item.kind === "step" ? " selected" : ""}${at ? " at" : ""}`}
      style={{ top: place * ROW }} data-row={item.kind === "step" ? item.key : undefined} onClick={() => acts.current.choose(item)}
    >
      {item.kind === "pager" ? <Pager item={item} turn={acts.current.turn} texts={texts} /> : (
        <Line channel={channel} item={item} view={view} zero={zero} labels={labels} texts={texts} open={open} toggle={acts.current.toggle} />
      )}
    </div>
  );
});

function Pager({ item, turn, texts }) {
  return (
    <span className="tl-name tl-pager" style={{ paddingLeft: 8 + 16 * item.depth }}>
      <button type="button" className="tl-turn" disabled={item.first === 0} aria-label={texts.before} onClick={() => turn(item.key, item.first - PAGE)}>‹</button>
      <span className="num muted small">{item.first}–{Math.min(item.first + PAGE, item.total) - 1} / {item.total}</span>
      <button type="button" className="tl-turn" disabled={item.first + PAGE >= item.total} aria-label={texts.after} onClick={() => turn(item.key, item.first + PAGE)}>›</button>
    </span>
  );
}

// ---- the whole -----------------------------------------------------------------------------------------------

export function Timeline({ channel, labels, texts, selected, onSelect, onGroup }) {
  const order = useOrder(channel);
  const run = useRow(channel, "");
  const clock = useNow(Boolean(run?.started_at) && !run?.finished_at);
  const [open, setOpen] = useState(() => new Set());
  const [pages, setPages] = useState({});
  const [zoom, setZoom] = useState(null);
  const [first, setFirst] = useState(0);
  const [at, setAt] = useState("");
  const box = useRef(null);
  const axis = useRef(null);
  const asked = useRef(new Set());

  const { rows } = channelOf(channel);
  const groups = useMemo(() => groupsOf(order), [order]);
  const list = useMemo(() => flatten(order, rows, groups, open, pages), [order, rows, groups, open, pages]);

  const steps = useMemo(() => list.filter((item) => item.kind === "step").length, [list]);

  // Iterations that are not here are asked for when their page shows.
  useEffect(() => {
    for (const item of list) {
      const more = rows.get(item.key)?.more ?? 0;
      if (item.kind !== "step" || !more || !open.has(item.key)) continue;
      const first = pages[item.key] ?? 0;
      const known = groups.get(item.key)?.parts;
      const ask = `${item.key} ${first}`;
      let missing = false;
      for (let index = first; index < Math.min(first + PAGE, more); index += 1) missing ||= !known?.has(index);
      if (missing && !asked.current.has(ask)) {
        asked.current.add(ask);
        onGroup?.(item.key, first, PAGE);
      }
    }
  }, [list, rows, groups, open, pages, onGroup]);
  useEffect(() => asked.current.clear(), [channel]);

  const zero = run?.started_at ? Date.parse(run.started_at) : clock;
  const until = run?.finished_at ? Date.parse(run.finished_at) : Math.max(clock, zero);
  const whole = useMemo(() => ({ from: zero, to: Math.max(until, zero + SHORTEST_MS) }), [zero, until]);
  // The same object while nothing moves: a scroll draws only the rows that come into view.
  const view = zoom ?? whole;

  const zoomBy = (factor, point = 0.5) => {
    const size = Math.max(SHORTEST_MS, Math.min((view.to - view.from) * factor, whole.to - whole.from));
    if (size >= whole.to - whole.from) return setZoom(null);
    const pivot = view.from + point * (view.to - view.from);
    return panTo(pivot - point * size, size);
  };
  const panTo = (from, size) => {
    const begin = Math.max(whole.from, Math.min(from, whole.to - size));
    setZoom({ from: begin, to: begin + size });
  };
  const latest = useRef({});
  latest.current = { zoomBy, panTo, view, zoom };

  // The browser's own wheel listeners are passive: they could not keep the page from scrolling.
  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const wheel = (event) => {
      const bars = axis.current.getBoundingClientRect();
      if (event.clientX < bars.left) return;
      const now = latest.current;
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        now.zoomBy(event.deltaY > 0 ? 1.25 : 0.8, (event.clientX - bars.left) / bars.width);
      } else if (now.zoom && (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY))) {
        event.preventDefault();
        const size = now.view.to - now.view.from;
        now.panTo(now.view.from + ((event.deltaX || event.deltaY) / bars.width) * size, size);
      }
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  }, [list.length === 0]);

  const drag = (event) => {
    const bars = axis.current.getBoundingClientRect();
    const start = event.clientX;
    const { from, to } = view;
    const move = (moved) => zoom && panTo(from - ((moved.clientX - start) / bars.width) * (to - from), to - from);
    const end = () => {
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", end);
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", end);
  };

  const toggle = useCallback((id) => setOpen((before) => {
    const next = new Set(before);
    if (!next.delete(id)) next.add(id);
    return next;
  }), []);
  const turn = (key, first) => setPages((before) => ({ ...before, [key]: Math.max(0, first) }));

  const height = Math.min(MOST_HEIGHT, list.length * ROW);
  const shown = list.slice(first, first + Math.ceil(height / ROW) + 3 * BLOCK);
  const place = Math.max(0, list.findIndex((item) => item.id === at));
  const go = (index) => {
    const item = list[Math.max(0, Math.min(index, list.length - 1))];
    setAt(item.id);
    const scroller = box.current;
    const y = list.indexOf(item) * ROW;
    if (y < scroller.scrollTop) scroller.scrollTop = y;
    else if (y + ROW > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = y + ROW - scroller.clientHeight;
  };
  const choose = (item) => {
    setAt(item.id);
    if (item.kind === "step") onSelect?.(item.key);
    else if (item.kind === "part") toggle(item.id);
  };
  const acts = useRef({});
  acts.current = { choose, turn, toggle };
  const keys = (event) => {
    if (event.target !== box.current) return;
    const item = list[place];
    const expandable = item && ((item.kind === "step" && item.total > 0) || item.kind === "part");
    const size = view.to - view.from;
    const deeds = {
      ArrowDown: () => go(at === "" ? 0 : place + 1), ArrowUp: () => go(place - 1), Home: () => go(0), End: () => go(list.length - 1),
      PageDown: () => go(place + 12), PageUp: () => go(place - 12),
      Enter: () => choose(item), " ": () => choose(item),
      ArrowRight: () => (event.shiftKey ? panTo(view.from + size / 8, size) : expandable && !open.has(item.id) ? toggle(item.id) : item.kind === "pager" && item.first + PAGE < item.total && turn(item.key, item.first + PAGE)),
      ArrowLeft: () => (event.shiftKey ? panTo(view.from - size / 8, size) : expandable && open.has(item.id) ? toggle(item.id) : item.kind === "pager" && turn(item.key, item.first - PAGE)),
      "+": () => zoomBy(0.5), "=": () => zoomBy(0.5), "-": () => zoomBy(2), 0: () => setZoom(null),
    };
    if (!deeds[event.key] || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    deeds[event.key]();
  };

  if (list.length === 0) return <p className="empty">{texts.empty}</p>;
  return (
    <div className="tl">
      <div className="tl-tools">
        <span className="muted small">{steps} {texts.rows}</span>
        <span className="muted small tl-hint">{texts.hint}</span>
        <button type="button" className="btn ghost icon" aria-label={texts.zoomOut} title={texts.zoomOut} onClick={() => zoomBy(2)}>−</button>
        <button type="button" className="btn ghost icon" aria-label={texts.zoomIn} title={texts.zoomIn} onClick={() => zoomBy(0.5)}>+</button>
        <button type="button" className="btn ghost small-btn" disabled={!zoom} onClick={() => setZoom(null)}>{texts.fit}</button>
      </div>
      <div className="tl-row tl-head">
        <span className="tl-name">{texts.step}</span>
        <span className="tl-status">{texts.status}</span>
        <span className="tl-span">{texts.duration}</span>
        <span className="tl-bars tl-axis" ref={axis} onPointerDown={drag} data-zoomed={Boolean(zoom)}>
          {ticksOf(view.from - zero, view.to - zero, 6).filter((tick) => tick + zero < view.to - 0.06 * (view.to - view.from)).map((tick) => (
            <span key={tick} className="tl-tick num" style={{ left: `${(100 * (tick + zero - view.from)) / (view.to - view.from)}%` }}>{tick === 0 ? "0" : spanText(tick)}</span>
          ))}
        </span>
      </div>
      <div
        ref={box} className="tl-scroll" role="tree" aria-label={texts.label} tabIndex={0} style={{ height }} onKeyDown={keys}
        aria-activedescendant={at && shown.some((item) => item.id === at) ? `tl-${at}` : undefined} onScroll={(event) => setFirst(Math.max(0, (Math.floor(event.currentTarget.scrollTop / ROW / BLOCK) - 1) * BLOCK))}
      >
        <div style={{ height: list.length * ROW, position: "relative" }}>
          {shown.map((item, index) => (
            <Row
              key={item.id} channel={channel} item={item} at={item.id === at} place={first + index} size={list.length} selected={item.key === selected} open={open.has(item.id)}
              view={view} zero={zero} labels={labels} texts={texts} acts={acts}
            />
          ))}
        </div>
      </div>
    </div>
  );
}
