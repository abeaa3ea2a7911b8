// What can be done with the nodes that are selected: put in line, spread out, reached by arrow keys, connected without
// a mouse. Knows no words of the program around it.
import { useContext, useEffect, useMemo, useRef, useState } from "react";
import { Canvas, portText, titlesOf } from "$/public/jsx/canvas_context.jsx";
import { sizeOf } from "$/public/jsx/canvas_notes.jsx";
import { tell } from "$/public/jsx/told.jsx";

const boxOf = (node) => ({ ...node.position, ...sizeOf(node) });

// ways: left, center, right, top, middle, bottom, across, down. Returns {id: {x, y}} of what moves.
export function aligned(nodes, way) {
  const boxes = nodes.map((node) => ({ id: node.id, ...boxOf(node) }));
  const low = (key) => Math.min(...boxes.map((box) => box[key]));
  const high = (key, size) => Math.max(...boxes.map((box) => box[key] + box[size]));
  const spread = (key, size) => {
    const order = [...boxes].sort((a, b) => a[key] - b[key]);
    const free = high(key, size) - low(key) - order.reduce((sum, box) => sum + box[size], 0);
    let at = low(key);
    return Object.fromEntries(order.map((box) => {
      const place = { x: box.x, y: box.y, [key]: at };
      at += box[size] + free / (order.length - 1);
      return [box.id, place];
    }));
  };
  if (way === "across") return spread("x", "width");
  if (way === "down") return spread("y", "height");
  const put = {
    left: (box) => ({ x: low("x") }), right: (box) => ({ x: high("x", "width") - box.width }), center: (box) => ({ x: (low("x") + high("x", "width") - box.width) / 2 }),
    top: () => ({ y: low("y") }), bottom: (box) => ({ y: high("y", "height") - box.height }), middle: (box) => ({ y: (low("y") + high("y", "height") - box.height) / 2 }),
  }[way];
  return Object.fromEntries(boxes.map((box) => [box.id, { x: box.x, y: box.y, ...put(box) }]));
}

const WAYS = [
  ["left", "M3 2v20M7 6h12v4H7zM7 14h7v4H7z"], ["center", "M12 2v4m0 4v4m0 4v4M5 6h14v4H5zM8 14h8v4H8z"], ["right", "M21 2v20M5 6h12v4H5zM10 14h7v4h-7z"],
  ["top", "M2 3h20M6 7v12h4V7zM14 7v7h4V7z"], ["middle", "M2 12h4m4 0h4m4 0h4M6 5v14h4V5zM14 8v8h4V8z"], ["bottom", "M2 21h20M6 5v12h4V5zM14 10v7h4v-7z"],
  ["across", "M3 3v18M21 3v18M9 7h6v10H9z"], ["down", "M3 3h18M3 21h18M7 9v6h10V9z"],
];

export function AlignBar({ nodes, texts, onMove, onFrame }) {
  if (nodes.length < 2) return null;
  const round = (places) => Object.fromEntries(Object.entries(places).map(([id, at]) => [id, { x: Math.round(at.x), y: Math.round(at.y) }]));
  return (
    <div className="cv-bar" role="toolbar" aria-label={texts.alignBar}>
      {WAYS.map(([way, path]) => (
        <button key={way} type="button" className="btn ghost icon" disabled={["across", "down"].includes(way) && nodes.length < 3} aria-label={texts[`align_${way}`]} title={texts[`align_${way}`]} onClick={() => onMove(round(aligned(nodes, way)))}>
          <svg viewBox="0 0 24 24" width="16" height="16" fill="none" stroke="currentColor" strokeWidth="2" strokeLinejoin="round" aria-hidden="true"><path d={path} /></svg>
        </button>
      ))}
      <button type="button" className="btn ghost small-btn" title={`${texts.frame} (Ctrl G)`} onClick={onFrame}>{texts.frame}</button>
    </div>
  );
}

// The nearest node in a direction: what lies ahead counts more than what lies aside.
export function towards(nodes, from, key) {
  const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
  const centre = (node) => ({ x: node.position.x + sizeOf(node).width / 2, y: node.position.y + sizeOf(node).height / 2 });
  const start = centre(from);
  let best = null, least = Infinity;
  for (const node of nodes) {
    if (node.id === from.id || node.type !== from.type) continue;
    const at = centre(node);
    const ahead = (at.x - start.x) * dx + (at.y - start.y) * dy;
    const aside = Math.abs((at.x - start.x) * dy) + Math.abs((at.y - start.y) * dx);
    if (ahead <= 0) continue;
    const far = ahead + 2.5 * aside;
    if (far < least) [best, least] = [node, far];
  }
  return best;
}

// Chooses where an output leads, by typing and arrow keys; `judge` says why a place does not fit.
export function ConnectDialog({ from, nodes, judge, texts, onConnect, onClose }) {
  const [search, setSearch] = useState("");
  const [port, setPort] = useState(from.data.outputs[0]?.name ?? "");
  const [at, setAt] = useState(0);
  const field = useRef(null);
  const { said } = useContext(Canvas);
  const titleOf = (node) => titlesOf(node.data, said).title;
  useEffect(() => field.current?.focus(), []);
  const places = useMemo(() => {
    const wanted = search.trim().toLowerCase();
    return nodes.filter((node) => node.type === "card" && node.id !== from.id).flatMap((node) => node.data.inputs.map((input) => ({ node, input })))
      .filter(({ node }) => !wanted || `${titleOf(node)} ${node.id}`.toLowerCase().includes(wanted))
      .map(({ node, input }) => ({ node, input, why: judge({ source: from.id, sourceHandle: port, target: node.id, targetHandle: input.name }) }))
      .sort((a, b) => Boolean(a.why) - Boolean(b.why) || Math.hypot(a.node.position.x - from.position.x, a.node.position.y - from.position.y) - Math.hypot(b.node.position.x - from.position.x, b.node.position.y - from.position.y)).slice(0, 60);
  }, [search, port, nodes, from, judge]);
  const chosen = Math.min(at, places.length - 1);
  const take = (place) => place && !place.why && onConnect({ source: from.id, sourceHandle: port, target: place.node.id, targetHandle: place.input.name });
  const keys = (event) => {
    event.stopPropagation();
    if (event.key === "Escape") onClose();
    else if (event.key === "ArrowDown") setAt(Math.min(chosen + 1, places.length - 1));
    else if (event.key === "ArrowUp") setAt(Math.max(chosen - 1, 0));
    else if (event.key === "Enter" && event.target === field.current) take(places[chosen]);
    // It lies over the canvas: the next stop below is none of its own.
    else if (event.key === "Tab") (event.target === field.current ? event.currentTarget.querySelector("select") ?? field.current : field.current).focus();
    else return;
    event.preventDefault();
  };
  return (
    <div className="cv-connect" role="dialog" aria-label={texts.connect} onKeyDown={keys}>
      <h3>{texts.connect}: {titleOf(from)}</h3>
      {from.data.outputs.length > 1 && (
        <label className="row tight small">{texts.output}
          <select className="input" value={port} onChange={(event) => setPort(event.target.value)}>{from.data.outputs.map((each) => <option key={each.name} value={each.name}>{portText(each)}</option>)}</select>
        </label>
      )}
      <input ref={field} className="input" role="combobox" aria-expanded="true" aria-controls="cv-places" aria-activedescendant={places.length ? `cv-place-${chosen}` : undefined} aria-label={texts.connectTo} placeholder={texts.connectTo} value={search} onChange={(event) => { setSearch(event.target.value); setAt(0); }} />
      <ul id="cv-places" role="listbox" aria-label={texts.connectTo}>
        {places.map((place, index) => (
          <li key={`${place.node.id}.${place.input.name}`} id={`cv-place-${index}`} role="option" aria-selected={index === chosen} aria-disabled={Boolean(place.why)} onClick={() => take(place)}>
            <span>{titleOf(place.node)} <code>{place.node.id}{place.node.data.inputs.length > 1 ? `.${place.input.name}` : ""}</code></span>
            {place.why && <span className="small muted">{tell(place.why)}</span>}
          </li>
        ))}
      </ul>
      {places.length === 0 && <p className="muted small">{texts.connectNone}</p>}
    </div>
  );
}
