// A graph on React Flow. The snapshot comes once, operations after it in sequence; positions are the browser's own
// while something is dragged; live status is read from the store of live.jsx, never from props. Knows no words of
// the program around it.
import { memo, useCallback, useContext, useEffect, useMemo, useRef, useState } from "react";
import {
  Background, BaseEdge, Controls, EdgeLabelRenderer, Handle, MiniMap, Position, ReactFlow, ReactFlowProvider,
  SelectionMode, applyEdgeChanges, applyNodeChanges, getBezierPath, useReactFlow, useStore,
} from "@xyflow/react";
import { writeJson } from "$/public/jsx/exact.jsx";
import { post } from "$/public/jsx/outbox.jsx";
import { Canvas, portText, titlesOf } from "$/public/jsx/canvas_context.jsx";
import { Note, around, contents, sizeOf } from "$/public/jsx/canvas_notes.jsx";
import { AlignBar, ConnectDialog, towards } from "$/public/jsx/canvas_selection.jsx";
import { applySnapshot, channelOf, useRow } from "$/public/jsx/live.jsx";
import { LiveFrame, LiveStrip, Traveller, useTravel } from "$/public/jsx/node_live.jsx";
import { Glyph } from "$/public/jsx/glyphs.jsx";
import { useTell, useWorded, worded } from "$/public/jsx/told.jsx";

export const ITEM_TYPE = "application/x-canvas-item";
const LOOKS = new Set(["select", "changed", "open", "insert", "leave", "save", "problem"]);
const FAR = 0.4;
// A graph of so few nodes opens where it begins, large enough to read, instead of whole.
const FEW = 60;
const READABLE = 0.6;
// So low a canvas has no room for a map of itself.
const LOW = 300;
const MINI = { width: 140, height: 84 };
// A channel that nobody feeds.
const NO_FACTS = "facts:";
const farAway = (state) => state.transform[2] < FAR;

// ---- nodes --------------------------------------------------------------------------------------------------

function Ports({ ports, side, showNames }) {
  const worded = useWorded();
  return ports.map((port, index) => (
    <Handle
      key={port.name}
      id={port.name}
      type={side === "in" ? "target" : "source"}
      position={side === "in" ? Position.Left : Position.Right}
      style={{ top: `${(100 * (index + 1)) / (ports.length + 1)}%` }}
      className={`cv-port cv-type-${port.type}`}
      title={`${portText(port)}: ${worded(`type:${port.type}`, port.type)}`}
    >
      {showNames && <span className={`cv-port-name ${side}`}>{portText(port)}</span>}
    </Handle>
  ));
}

// Marks live in the store too: a new fault renders one node.
const Faults = memo(function Faults({ id }) {
  const { doc } = useContext(Canvas);
  const tell = useTell();
  const mark = useRow(`marks:${doc}`, id);
  return mark?.faults ? <span className="cv-faults" title={mark.said.map(tell).join("\n")}>{mark.faults}</span> : null;
});

const Card = memo(function Card({ id, data, selected }) {
  const { channel, facts, labels, texts, said } = useContext(Canvas);
  const { title, subtitle } = titlesOf(data, said);
  const far = useStore(farAway);
  const many = data.outputs.length > 1;
  const classes = `cv-node tone-${data.tone}${selected ? " selected" : ""}${data.off ? " off" : ""}${data.missing ? " missing" : ""}${data.mark ? ` mark-${data.mark}` : ""}${far ? " far" : ""}`;
  const rows = Math.max(data.inputs.length, data.outputs.length);
  return (
    <LiveFrame id={id} channel={channel} facts={facts} className={classes} style={rows > 2 ? { minHeight: 26 * rows } : undefined}>
      <Ports ports={data.inputs} side="in" showNames={!far && data.inputs.length > 1} />
      {far ? (
        <div className="cv-far">{title}</div>
      ) : (
        <>
          <div className="cv-head">
            <span className="cv-icon"><Glyph name={data.icon} size={17} /></span>
            <span className="cv-titles">
              <span className="cv-title">{title}</span>
              <span className="cv-subtitle">{subtitle}</span>
            </span>
            <Faults id={id} />
          </div>
          <LiveStrip id={id} channel={channel} facts={facts} labels={labels} texts={texts} />
        </>
      )}
      <Ports ports={data.outputs} side="out" showNames={!far && many} />
    </LiveFrame>
  );
});

// React Flow's own words.
const ariaOf = (texts) => ({
  "controls.ariaLabel": texts.flow_controls, "controls.zoomIn.ariaLabel": texts.flow_zoomIn, "controls.zoomOut.ariaLabel": texts.flow_zoomOut,
  "controls.fitView.ariaLabel": texts.flow_fitView, "minimap.ariaLabel": texts.minimap, "node.a11yDescription.default": texts.flow_node,
  "node.a11yDescription.keyboardDisabled": texts.flow_node, "edge.a11yDescription.default": texts.flow_edge,
  "node.a11yDescription.ariaLiveMessage": ({ x, y }) => texts.flow_moved.replace("{x}", Math.round(x)).replace("{y}", Math.round(y)),
});

const NODE_TYPES = { card: Card, note: Note };

// ---- edges --------------------------------------------------------------------------------------------------

const Wire = memo(function Wire({ id, source, sourceHandleId, target, sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition, selected, data }) {
  const { channel, facts, act, texts, readOnly } = useContext(Canvas);
  const far = useStore(farAway);
  const { given, times, blind, className } = useTravel(channel, facts, source, sourceHandleId ?? "out", target);
  const [path, x, y] = getBezierPath({ sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition });
  const tools = (selected || data?.near) && !readOnly;
  return (
    <>
      <BaseEdge id={id} path={path} interactionWidth={18} className={`cv-wire${selected ? " selected" : ""}${className}${data?.mark ? ` mark-${data.mark}` : ""}`} />
      {(tools || (given && !far)) && (
        <EdgeLabelRenderer>
          <div className={`cv-wire-label nodrag nopan${className}`} style={{ transform: `translate(-50%, -50%) translate(${x}px, ${y}px)` }}>
            {given && !far && <Traveller given={given} times={times} blind={blind} texts={texts} />}
            {tools && (
              <span className="cv-wire-tools">
                <button type="button" aria-label={texts.insert} title={texts.insert} onClick={() => act("insert", { edge: id, x, y })}>+</button>
                <button type="button" aria-label={texts.cut} title={texts.cut} onClick={() => act("cut", [id])}>×</button>
              </span>
            )}
          </div>
        </EdgeLabelRenderer>
      )}
    </>
  );
});

const EDGE_TYPES = { wire: Wire };

// ---- what the server sends, as React Flow's objects ------------------------------------------------------------

// What the canvas calls kinds of nodes now; a node is named when it is made.
const spoken = { said: null };

const nameOf = (item) => {
  const { title, subtitle } = titlesOf(item, spoken.said);
  return `${title}, ${subtitle}`;
};

const toNode = (item) =>
  item.note
    ? { id: item.id, type: "note", position: { x: item.x, y: item.y }, data: item, width: item.width, height: item.height, zIndex: item.frame ? -2 : -1, connectable: false }
    : { id: item.id, type: "card", position: { x: item.x, y: item.y }, data: item, ariaLabel: nameOf(item) };
export const edgeId = (edge) => `${edge.source}.${edge.sourcePort}>${edge.target}.${edge.targetPort}`;
const toEdge = (edge) => ({
  id: edgeId(edge), source: edge.source, target: edge.target, sourceHandle: edge.sourcePort, targetHandle: edge.targetPort,
  type: "wire", ariaLabel: `${edge.source} → ${edge.target}`, data: { mark: edge.mark },
});
const parseEdge = (edge) => ({ source: edge.source, sourcePort: edge.sourceHandle, target: edge.target, targetPort: edge.targetHandle });

function mergeNodes(nodes, items) {
  let result = nodes;
  for (const [kind, value] of items) {
    if (kind === "put") {
      const made = toNode(value);
      const known = result.some((node) => node.id === value.id);
      result = known
        ? result.map((node) => (node.id === value.id ? { ...node, ...made, position: node.dragging ? node.position : made.position } : node))
        : [...result, made];
    } else if (kind === "data") {
      result = result.map((node) => (node.id === value.id ? { ...node, data: value, ariaLabel: nameOf(value) } : node));
    } else if (kind === "rename") {
      result = result.map((node) => (node.id === value.from ? { ...node, id: value.to, data: { ...node.data, id: value.to }, ariaLabel: nameOf({ ...node.data, id: value.to }) } : node));
    } else if (kind === "drop") {
      result = result.filter((node) => node.id !== value);
    } else if (kind === "move") {
      result = result.map((node) => (value[node.id] && !node.dragging ? { ...node, position: value[node.id] } : node));
    }
  }
  return result;
}

function mergeEdges(edges, items) {
  let result = edges;
  for (const [kind, value] of items) {
    if (kind === "link") {
      const made = toEdge(value);
      if (!result.some((edge) => edge.id === made.id)) result = [...result, made];
    } else if (kind === "unlink") {
      const id = edgeId(value);
      result = result.filter((edge) => edge.id !== id);
    } else if (kind === "rename") {
      const swap = (id) => (id === value.from ? value.to : id);
      result = result.map((edge) => {
        if (edge.source !== value.from && edge.target !== value.from) return edge;
        const next = { ...edge, source: swap(edge.source), target: swap(edge.target) };
        return { ...next, id: edgeId(parseEdge(next)) };
      });
    } else if (kind === "drop") {
      result = result.filter((edge) => edge.source !== value && edge.target !== value);
    }
  }
  return result;
}


const typing = (target) => target instanceof Element && target.closest("input, textarea, select, [contenteditable]");

const holds = ({ width, height }, { x, y, zoom }, box) =>
  box.x * zoom + x >= 0 && box.y * zoom + y >= 0 && (box.x + box.width) * zoom + x <= width && (box.y + box.height) * zoom + y <= height;

// ---- the canvas -----------------------------------------------------------------------------------------------

async function openView(flow, pane, readOnly) {
  await flow.fitView({ padding: 0.07, maxZoom: 1 });
  const nodes = flow.getNodes();
  if (!pane || readOnly || nodes.length > FEW || flow.getZoom() >= READABLE) return;
  const box = flow.getNodesBounds(nodes);
  const y = pane.clientHeight / 2 - (box.y + box.height / 2) * READABLE;
  flow.setViewport({ x: 48 - box.x * READABLE, y, zoom: READABLE });
}

// React Flow's own way needs the size of what it fits, and what was never in view was never measured.
function bringIntoView(flow, pane, nodes) {
  const boxes = nodes.map((node) => ({ ...node.position, ...sizeOf(node) }));
  const left = Math.min(...boxes.map((box) => box.x)), top = Math.min(...boxes.map((box) => box.y));
  const width = Math.max(...boxes.map((box) => box.x + box.width)) - left, height = Math.max(...boxes.map((box) => box.y + box.height)) - top;
  const zoom = Math.min(Math.max(flow.getZoom(), 0.7), pane.clientWidth / (1.6 * width), pane.clientHeight / (1.6 * height));
  flow.setCenter(left + width / 2, top + height / 2, { zoom, duration: 250 });
}

function Inner({ graph, ops, channel, facts, labels, texts, said, accepts, marks, focus, panel, adder, readOnly, onAct, onGap }) {
  const [nodes, setNodes] = useState([]);
  const [edges, setEdges] = useState([]);
  const [refusal, setRefusal] = useState("");
  const flow = useReactFlow();
  const seq = useRef({ doc: "", at: -1, waiting: [] });
  const root = useRef(null);
  const selected = useRef("");
  const latest = useRef({});
  // What changes the document is kept until it is confirmed; a look at it is not.
  const act = useCallback((kind, value) => {
    if (kind === "insert") latest.current.lookForMore?.();
    const send = (key) => latest.current.onAct?.(kind, value, key);
    if (LOOKS.has(kind) || !latest.current.onAct) send("");
    else post(send);
  }, []);
  useEffect(() => {
    const lookForMore = () => adder && document.querySelector(`${adder} input`)?.focus();
    latest.current = { ...latest.current, onAct, onGap, nodes, edges, texts, readOnly, panel, adder, lookForMore };
  });
  // A node is drawn when it is in view, which it may have to come into first.
  const reach = useCallback((id, tries = 12, may = () => true) => {
    if (!may()) return;
    const node = root.current?.querySelector(`.react-flow__node[data-id="${CSS.escape(id)}"]`);
    if (node) node.focus({ preventScroll: true });
    else if (tries) setTimeout(() => reach(id, tries - 1, may), 60);
  }, []);
  // Where the keyboard goes on when what had the focus is left: at the node that is selected.
  const comeBack = useCallback(() => {
    const chosen = latest.current.nodes.filter((node) => node.selected);
    if (chosen.length) reach(chosen[0].id);
    else root.current?.focus({ preventScroll: true });
  }, [reach]);

  const mergeOps = useCallback(([doc, first_, last, items]) => {
    const state = seq.current;
    if (!state.doc.endsWith(doc) || last <= state.at) return;
    if (first_ > state.at + 1) {
      latest.current.onGap?.();
      return;
    }
    state.at = last;
    setNodes((list) => mergeNodes(list, items));
    setEdges((list) => mergeEdges(list, items));
    clearTimeout(state.settling);
    state.settling = setTimeout(() => act("changed", last), 400);
  }, [act]);

  useEffect(() => {
    if (!graph?.doc) return;
    const state = seq.current;
    const first = state.doc !== graph.doc;
    if (!first && graph.seq < state.at) return;
    seq.current = { doc: graph.doc, at: graph.seq, waiting: [] };
    setNodes((before) => {
      const chosen = new Set(before.filter((node) => node.selected).map((node) => node.id));
      return graph.nodes.map((item) => ({ ...toNode(item), selected: chosen.has(item.id) }));
    });
    setEdges(graph.edges.map(toEdge));
    // A server that was started anew has forgotten what is selected.
    if (!first && selected.current) act("select", selected.current.split(" "));
    if (first) requestAnimationFrame(() => requestAnimationFrame(() => openView(flow, root.current, latest.current.readOnly)));
    for (const batch of state.waiting) mergeOps(batch);
  }, [graph, flow, mergeOps, act]);

  // What lies beside the canvas opens and closes: its middle stays in the middle, and what was wholly seen is so still.
  useEffect(() => {
    let before = null;
    const watcher = new ResizeObserver(([entry]) => {
      const { width, height } = entry.contentRect;
      if (before && height && width) {
        const { x, y, zoom } = flow.getViewport();
        const box = flow.getNodesBounds(flow.getNodes());
        const moved = { x: x + (width - before.width) / 2, y: y + (height - before.height) / 2, zoom };
        if (holds(before, { x, y, zoom }, box) && !holds({ width, height }, moved, box)) flow.fitView({ padding: 0.04, maxZoom: zoom });
        else flow.setViewport(moved);
      }
      if (height && width) before = { width, height };
      root.current?.toggleAttribute("data-low", height < LOW);
    });
    if (root.current) watcher.observe(root.current);
    return () => watcher.disconnect();
  }, [flow]);

  useEffect(() => {
    if (!ops?.length) return;
    if (!seq.current.doc) seq.current.waiting.push(ops);
    else mergeOps(ops);
  }, [ops, mergeOps]);

  // What is to be selected may still be on its way: it is done when all of it is there.
  const aim = useRef(null);
  useEffect(() => {
    aim.current = focus?.ids?.length ? new Set(focus.ids) : null;
    if (focus?.ids?.length === 0) setNodes((list) => list.map((node) => (node.selected ? { ...node, selected: false } : node)));
  }, [focus]);
  useEffect(() => {
    const wanted = aim.current;
    const chosen = wanted ? nodes.filter((node) => wanted.has(node.id)) : [];
    if (!wanted || chosen.length < wanted.size) return;
    aim.current = null;
    setNodes((list) => list.map((node) => (Boolean(node.selected) === wanted.has(node.id) ? node : { ...node, selected: wanted.has(node.id) })));
    const box = root.current.getBoundingClientRect();
    const seen = chosen.every((node) => {
      const { width, height } = sizeOf(node);
      const start = flow.flowToScreenPosition(node.position), end = flow.flowToScreenPosition({ x: node.position.x + width, y: node.position.y + height });
      return start.x > box.left && start.y > box.top && end.x < box.right && end.y < box.bottom;
    });
    // What can be seen already stays where it is.
    if (!seen) requestAnimationFrame(() => bringIntoView(flow, root.current, chosen));
    // Not while more is being typed, in the search of what can be added or anywhere else.
    const free = () => {
      const now = document.activeElement;
      return !typing(now) || Boolean(latest.current.adder && now.closest(latest.current.adder) && !now.value);
    };
    if (focus?.enter) reach([...wanted][0], 12, free);
  }, [nodes, focus, flow, reach]);

  // Arrow keys move without a drag: their end is when they pause.
  const nudged = useRef({ timer: 0, ids: new Set() });
  const onNodesChange = useCallback((changes) => {
    const kept = changes.filter((change) => change.type !== "remove");
    setNodes((list) => applyNodeChanges(kept, list));
    for (const change of kept) {
      if (change.type === "position" && change.dragging === false && !latest.current.dragging) nudged.current.ids.add(change.id);
    }
    if (nudged.current.ids.size && !latest.current.dragging) {
      clearTimeout(nudged.current.timer);
      nudged.current.timer = setTimeout(() => {
        const ids = nudged.current.ids;
        nudged.current.ids = new Set();
        commitMove(latest.current.nodes.filter((node) => ids.has(node.id)));
      }, 250);
    }
  }, []);
  const onEdgesChange = useCallback((changes) => setEdges((list) => applyEdgeChanges(changes.filter((c) => c.type !== "remove"), list)), []);

  const commitMove = (moved) => {
    if (!moved.length || latest.current.readOnly) return;
    const round = ({ x, y }) => ({ x: Math.round(x), y: Math.round(y) });
    act("move", Object.fromEntries(moved.map((node) => [node.id, round(node.position)])));
  };
  // A frame takes along what lies on it when the drag begins.
  const carried = useRef(null);
  const dragStart = useCallback((_, node, dragged) => {
    latest.current.dragging = true;
    const all = dragged?.length ? dragged : node ? [node] : [];
    const moving = new Set(all.map((each) => each.id));
    const frames = all.filter((each) => each.data.frame);
    const found = new Map();
    for (const frame of frames) {
      for (const each of contents(frame, latest.current.nodes)) if (!moving.has(each.id)) found.set(each.id, { ...each.position });
    }
    carried.current = found.size ? { lead: frames[0].id, from: { ...frames[0].position }, places: found } : null;
  }, []);
  const dragOn = useCallback((_, node, dragged) => {
    const cargo = carried.current;
    if (!cargo) return;
    const lead = (dragged ?? [node]).find((each) => each.id === cargo.lead) ?? node;
    const dx = lead.position.x - cargo.from.x, dy = lead.position.y - cargo.from.y;
    setNodes((list) => list.map((each) => {
      const start = cargo.places.get(each.id);
      return start ? { ...each, position: { x: start.x + dx, y: start.y + dy } } : each;
    }));
  }, []);
  const dragStop = useCallback((_, node, moved) => {
    latest.current.dragging = false;
    const own = moved?.length ? moved : [node];
    const cargo = carried.current;
    carried.current = null;
    const lead = cargo && own.find((each) => each.id === cargo.lead);
    const along = lead ? [...cargo.places].map(([id, at]) => ({ id, position: { x: at.x + lead.position.x - cargo.from.x, y: at.y + lead.position.y - cargo.from.y } })) : [];
    commitMove([...own, ...along]);
  }, []);

  const portOf = (nodeId, side, name) => latest.current.nodes.find((node) => node.id === nodeId)?.data[side]?.find((port) => port.name === name);
  const judge = useCallback(({ source, sourceHandle, target, targetHandle }) => {
    const { texts, edges } = latest.current;
    if (source === target) return texts.refuseSelf;
    const from = portOf(source, "outputs", sourceHandle);
    const to = portOf(target, "inputs", targetHandle);
    if (!from || !to) return texts.refusePort;
    const taken = edges.some((edge) => edge.target === target && edge.targetHandle === targetHandle && edge.source === source && edge.sourceHandle === sourceHandle);
    if (taken) return texts.refuseTaken;
    const fits = from.type === accepts.any || to.type === accepts.any || from.type === to.type || accepts.into?.[to.type]?.includes(from.type);
    return fits ? "" : texts.refuseType.replace("{from}", from.type).replace("{to}", to.type);
  }, [accepts]);
  const isValid = useCallback((connection) => !judge(connection), [judge]);
  const onConnect = useCallback((connection) => act("link", parseEdge(connection)), [act]);
  const onConnectEnd = useCallback((event, state) => {
    if (state.isValid !== false || !state.toHandle || !state.fromHandle) return;
    const forward = state.fromHandle.type === "source";
    const [a, b] = forward ? [state.fromHandle, state.toHandle] : [state.toHandle, state.fromHandle];
    setRefusal(judge({ source: a.nodeId, sourceHandle: a.id, target: b.nodeId, targetHandle: b.id }));
  }, [judge]);
  useEffect(() => {
    if (!refusal) return;
    const timer = setTimeout(() => setRefusal(""), 4500);
    return () => clearTimeout(timer);
  }, [refusal]);

  const onSelectionChange = useCallback(({ nodes: chosen }) => {
    const ids = chosen.map((node) => node.id);
    const key = ids.join(" ");
    if (key === selected.current) return;
    selected.current = key;
    act("select", ids);
  }, [act]);

  const onDrop = useCallback((event) => {
    const kind = event.dataTransfer.getData(ITEM_TYPE);
    if (!kind) return;
    event.preventDefault();
    const at = flow.screenToFlowPosition({ x: event.clientX - 40, y: event.clientY - 24 });
    act("add", { kind, x: Math.round(at.x), y: Math.round(at.y) });
  }, [flow, act]);
  const onDragOver = useCallback((event) => {
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
  }, []);

  const near = useCallback((id, on) => setEdges((list) => list.map((edge) => (edge.id === id && Boolean(edge.data?.near) !== on ? { ...edge, data: { ...edge.data, near: on } } : edge))), []);
  // The mouse leaves the line on its way to the buttons.
  const leaving = useRef({});
  const onEdgeMouseEnter = useCallback((_, edge) => {
    clearTimeout(leaving.current[edge.id]);
    near(edge.id, true);
  }, [near]);
  const onEdgeMouseLeave = useCallback((_, edge) => {
    leaving.current[edge.id] = setTimeout(() => near(edge.id, false), 900);
  }, [near]);

  const bodyOf = (chosen) => {
    const cards = chosen.filter((node) => node.type === "card");
    const ids = new Set(cards.map((node) => node.id));
    const notes = chosen.filter((node) => node.type === "note");
    return writeJson({
      nodes: cards.map((node) => ({ ...node.data.payload, x: node.position.x, y: node.position.y })),
      edges: latest.current.edges.filter((edge) => ids.has(edge.source) && ids.has(edge.target)).map(parseEdge),
      ...(notes.length ? { layout: { notes: notes.map(({ id, position, data }) => ({ id: id.slice(5), ...position, width: data.width, height: data.height, text: data.text, color: data.color, frame: data.frame })) } } : {}),
    });
  };
  const frameSelected = useCallback(() => {
    const chosen = latest.current.nodes.filter((node) => node.selected && !node.data.frame);
    if (chosen.length) act("add_note", { frame: true, text: "", ...around(chosen) });
  }, [act]);
  const [connecting, setConnecting] = useState("");

  const removeSelected = useCallback(() => {
    const gone = latest.current.nodes.filter((node) => node.selected).map((node) => node.id);
    const cut = latest.current.edges.filter((edge) => edge.selected).map((edge) => edge.id);
    if (gone.length) act("remove", gone);
    else if (cut.length) act("cut", cut);
  }, [act]);

  useEffect(() => {
    const here = () => root.current?.contains(document.activeElement) || document.activeElement === document.body;
    const only = () => {
      const chosen = latest.current.nodes.filter((node) => node.selected);
      return chosen.length === 1 ? chosen[0] : null;
    };
    // The node that a key is for. One can have the focus without being selected: reached by Tab, or left by Escape.
    let underway = "";
    const meant = () => {
      const focused = underway || document.activeElement.closest?.(".react-flow__node")?.dataset.id;
      return (focused && latest.current.nodes.find((node) => node.id === focused)) || only();
    };
    const selectOnly = (id) => setNodes((list) => list.map((each) => (Boolean(each.selected) === (each.id === id) ? each : { ...each, selected: each.id === id })));
    const goTo = (node) => {
      underway = node.id;
      selectOnly(node.id);
      const { width, height } = sizeOf(node);
      const box = root.current.getBoundingClientRect(), at = flow.flowToScreenPosition(node.position);
      const outside = at.x < box.left + 10 || at.y < box.top + 10 || at.x > box.right - 120 || at.y > box.bottom - 60;
      if (outside) flow.setCenter(node.position.x + width / 2, node.position.y + height / 2, { zoom: flow.getZoom(), duration: 150 });
      // Not when the visitor is elsewhere by then: in the list that connects, or in the properties.
      setTimeout(() => {
        underway = "";
        if (here() && !typing(document.activeElement)) reach(node.id);
      }, outside ? 220 : 20);
    };
    const openPanel = ({ id }) => {
      if (only()?.id !== id) selectOnly(id);
      act("open", id);
      // The panel of a node that was just reached is still on its way.
      // A field whose editor is loaded late is replaced, and the focus falls out of the panel: once more then.
      const enter = (tries, entered) => {
        const panel = [...document.querySelectorAll(latest.current.panel)].find((each) => each.dataset.item === id);
        const field = panel?.querySelector("[contenteditable=true], input:not([type=file]), select, textarea, button:not(.fx-flip), [tabindex]");
        const lost = document.activeElement === document.body;
        if (field && (!entered || lost)) field.focus();
        else if (entered && !lost && !panel?.contains(document.activeElement)) return;
        if (tries) setTimeout(() => enter(tries - 1, entered || Boolean(field)), 100);
      };
      enter(40, false);
    };
    // Where the node's name is changed, in the panel that is still on its way.
    const openName = () => {
      const id = only()?.id;
      if (!id) return;
      const enter = (tries) => {
        const field = document.querySelector(`[data-names="${CSS.escape(id)}"]`);
        if (!field) return tries && setTimeout(() => enter(tries - 1), 100);
        field.click();
      };
      enter(40);
    };
    const command = {
      z: (event) => act(event.shiftKey ? "redo" : "undo", null),
      y: () => act("redo", null),
      a: () => setNodes((list) => list.map((node) => (node.selected ? node : { ...node, selected: true }))),
      d: () => {
        const chosen = latest.current.nodes.filter((node) => node.selected);
        if (chosen.length) act("paste", { text: bodyOf(chosen), whole: true });
      },
      g: frameSelected,
    };
    const plain = {
      c: () => {
        const from = meant();
        if (from?.type === "card" && from.data.outputs.length) setConnecting(from.id);
      },
      f: () => flow.fitView({ padding: 0.07, maxZoom: 1, duration: 200 }),
      n: () => {
        const edge = latest.current.edges.find((each) => each.selected);
        if (edge && !latest.current.nodes.some((node) => node.selected)) act("insert", { edge: edge.id });
        else latest.current.lookForMore();
      },
      x: () => {
        const chosen = latest.current.nodes.filter((node) => node.selected && node.type === "card");
        if (chosen.length) act("disable", { ids: chosen.map((node) => node.id), disabled: !chosen.every((node) => node.data.off) });
      },
      f2: openName,
      delete: removeSelected,
      backspace: removeSelected,
    };
    const keydown = (event) => {
      const key = event.key.toLowerCase();
      if ((event.ctrlKey || event.metaKey) && key === "s") {
        event.preventDefault();
        document.activeElement?.blur?.();
        act("save", null);
        return;
      }
      if ((event.ctrlKey || event.metaKey) && key === "enter" && !latest.current.readOnly && !document.querySelector("dialog[open]")) {
        event.preventDefault();
        // What is being typed commits when it is left.
        document.activeElement?.blur?.();
        act("run", null);
        return;
      }
      if (event.key === "F8" && !latest.current.readOnly && !document.querySelector("dialog[open]")) {
        event.preventDefault();
        document.activeElement?.blur?.();
        act("problem", event.shiftKey ? -1 : 1);
        return;
      }
      if (typing(event.target) || !here() || latest.current.readOnly || document.querySelector("dialog[open]")) return;
      const onNode = event.target.closest?.(".react-flow__node") || [document.body, root.current].includes(document.activeElement);
      if (event.altKey && event.key.startsWith("Arrow")) {
        const list = latest.current.nodes;
        const from = only() ?? list.find((node) => node.selected);
        const next = from ? towards(list, from, event.key) : list.find((node) => node.type === "card");
        event.preventDefault();
        event.stopPropagation();
        if (next) goTo(next);
      } else if (event.key === "Enter" && onNode && meant()) {
        event.preventDefault();
        // The focus may be on its way still: the canvas would select the node it leaves.
        event.stopPropagation();
        openPanel(meant());
      } else {
        const does = event.ctrlKey || event.metaKey ? command[key] : event.altKey ? null : plain[key];
        if (!does || (event.target.closest?.("button") && key.length > 1)) return;
        event.preventDefault();
        does(event);
      }
    };
    // After the field itself: there Escape closes suggestions first.
    const leave = (event) => {
      const { panel, adder, readOnly } = latest.current;
      if (event.key !== "Escape" || event.defaultPrevented || readOnly) return;
      const inAdder = adder && event.target.closest?.(adder);
      const inPanel = panel && only() && (event.target.closest?.(panel) ?? event.target.closest?.("[data-region]")?.querySelector(panel));
      if (!inAdder && !inPanel) return;
      event.target.blur?.();
      if (inAdder) act("leave", null);
      comeBack();
    };
    const copy = (event) => {
      if (typing(event.target) || !here() || String(getSelection())) return;
      const chosen = latest.current.nodes.filter((node) => node.selected);
      if (!chosen.length) return;
      event.preventDefault();
      event.clipboardData.setData("text/plain", bodyOf(chosen));
      if (event.type === "cut" && !latest.current.readOnly) act("remove", chosen.map((node) => node.id));
    };
    const paste = (event) => {
      if (typing(event.target) || !here() || latest.current.readOnly) return;
      const text = event.clipboardData.getData("text/plain");
      if (!text.trim()) return;
      event.preventDefault();
      const box = root.current.getBoundingClientRect();
      const at = flow.screenToFlowPosition({ x: box.x + box.width / 2, y: box.y + box.height / 2 });
      act("paste", { text: text.slice(0, 900_000), whole: text.length <= 900_000, x: Math.round(at.x), y: Math.round(at.y) });
    };
    // Before React Flow, which moves nodes by arrow keys.
    window.addEventListener("keydown", keydown, true);
    window.addEventListener("keydown", leave);
    document.addEventListener("copy", copy);
    document.addEventListener("cut", copy);
    document.addEventListener("paste", paste);
    return () => {
      window.removeEventListener("keydown", keydown, true);
      window.removeEventListener("keydown", leave);
      document.removeEventListener("copy", copy);
      document.removeEventListener("cut", copy);
      document.removeEventListener("paste", paste);
    };
  }, [act, flow, removeSelected, frameSelected, reach, comeBack]);

  const doc = graph?.doc ?? "";
  useEffect(() => {
    const name = `marks:${doc}`;
    if (doc && marks) applySnapshot(name, { seq: channelOf(name).seq + 1, rows: Object.entries(marks) });
  }, [doc, marks]);
  const context = useMemo(() => ({ channel, facts: facts || NO_FACTS, labels, texts, said, act, readOnly, doc }), [channel, facts, labels, texts, said, act, readOnly, doc]);
  useEffect(() => {
    spoken.said = said;
    setNodes((list) => list.map((node) => (node.type === "card" ? { ...node, ariaLabel: nameOf(node.data) } : node)));
  }, [said]);
  const aria = useMemo(() => ariaOf(texts), [texts]);
  const chosenNodes = useMemo(() => nodes.filter((node) => node.selected), [nodes]);
  const connectFrom = connecting ? nodes.find((node) => node.id === connecting) : null;
  const miniColor = useCallback((node) => (node.type === "note" ? "transparent" : `var(--cat-${node.data.tone}, var(--ink-3))`), []);
  return (
    <Canvas.Provider value={context}>
      <div ref={root} className="cv" tabIndex={-1} data-region="canvas" data-nodes={nodes.length} data-seq={seq.current.at} onDrop={onDrop} onDragOver={onDragOver}>
        <ReactFlow
          nodes={nodes} edges={edges} nodeTypes={NODE_TYPES} edgeTypes={EDGE_TYPES}
          onNodesChange={onNodesChange} onEdgesChange={onEdgesChange}
          onNodeDragStart={dragStart} onSelectionDragStart={(event, chosen) => dragStart(event, null, chosen)}
          onNodeDrag={dragOn} onSelectionDrag={(event, chosen) => dragOn(event, null, chosen)}
          onNodeDragStop={dragStop} onSelectionDragStop={(event, moved) => dragStop(event, null, moved)}
          onEdgeMouseEnter={onEdgeMouseEnter} onEdgeMouseLeave={onEdgeMouseLeave}
          onConnect={onConnect} onConnectEnd={onConnectEnd} isValidConnection={isValid}
          onSelectionChange={onSelectionChange}
          onNodeClick={(event, node) => {
            // One of several selected, clicked by itself, is meant alone.
            if (!event.shiftKey && !event.ctrlKey && !event.metaKey && latest.current.nodes.filter((each) => each.selected).length > 1) {
              setNodes((list) => list.map((each) => (Boolean(each.selected) === (each.id === node.id) ? each : { ...each, selected: each.id === node.id })));
            }
          }}
          onNodeDoubleClick={(_, node) => act("open", node.id)}
          nodesDraggable={!readOnly} nodesConnectable={!readOnly}
          deleteKeyCode={null} selectionMode={SelectionMode.Partial} multiSelectionKeyCode={["Shift", "Meta", "Control"]}
          minZoom={0.08} maxZoom={2} onlyRenderVisibleElements elevateNodesOnSelect={false}
          proOptions={{ hideAttribution: false }} ariaLabelConfig={aria}
        >
          <Background gap={22} size={1.4} color="var(--line-strong)" />
          <Controls showInteractive={false} position="bottom-left" />
          {nodes.length > 10 && !readOnly && <MiniMap pannable zoomable position="bottom-right" style={MINI} nodeColor={miniColor} maskColor="color-mix(in srgb, var(--bg) 70%, transparent)" ariaLabel={texts.minimap} />}
        </ReactFlow>
        {!readOnly && <AlignBar nodes={chosenNodes} texts={texts} onMove={(places) => act("move", places)} onFrame={frameSelected} />}
        {connectFrom && (
          <ConnectDialog
            from={connectFrom} nodes={nodes} judge={judge} texts={texts}
            onConnect={(connection) => { setConnecting(""); onConnect(connection); reach(connecting); }}
            onClose={() => { setConnecting(""); reach(connecting); }}
          />
        )}
        {nodes.length === 0 && texts.empty && <div className="cv-empty">{texts.empty}</div>}
        {refusal && <div className="cv-refusal" role="alert">{refusal}</div>}
      </div>
    </Canvas.Provider>
  );
}

export function GraphCanvas(props) {
  return (
    <ReactFlowProvider>
      <Inner {...props} />
    </ReactFlowProvider>
  );
}
