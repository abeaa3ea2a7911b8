// A graph on React Flow. The snapshot comes once, operations after it in sequence; positions are the browser's own
// while something is dragged; live status is read from the store of live.jsx, never from props. Knows no words of
// the program around it.
import { createContext, memo, useCallback, useContext, useEffect, useMemo, useRef, useState } from "react";
import {
  Background, BaseEdge, Controls, EdgeLabelRenderer, Handle, MiniMap, Position, ReactFlow, ReactFlowProvider,
  SelectionMode, applyEdgeChanges, applyNodeChanges, getBezierPath, useReactFlow, useStore,
} from "@xyflow/react";
import { StatusMark, applySnapshot, channelOf, spanText, useRow } from "$/public/jsx/live.jsx";
import { Glyph } from "$/public/jsx/glyphs.jsx";

export const ITEM_TYPE = "application/x-canvas-item";
const FAR = 0.4;
const Canvas = createContext({ channel: "", labels: {}, texts: {}, act: () => {} });
const farAway = (state) => state.transform[2] < FAR;

// ---- nodes --------------------------------------------------------------------------------------------------

const LiveStrip = memo(function LiveStrip({ id }) {
  const { channel, labels } = useContext(Canvas);
  const row = useRow(channel, id);
  if (!row?.status || row.status === "pending") return null;
  const ms = row.started_at && row.finished_at ? Date.parse(row.finished_at) - Date.parse(row.started_at) : NaN;
  return (
    <div className="cv-live">
      <StatusMark status={row.status} label={labels[row.status]} />
      <span className="num muted">{spanText(ms)}</span>
      {row.preview && <span className="cv-preview">{row.preview}</span>}
    </div>
  );
});

function LiveFrame({ id, className, children, style }) {
  const { channel } = useContext(Canvas);
  const status = useRow(channel, id)?.status;
  return <div className={`${className}${status && status !== "pending" ? ` is-${status} cv-has-status` : ""}`} style={style}>{children}</div>;
}

function Ports({ ports, side, showNames }) {
  return ports.map((port, index) => (
    <Handle
      key={port.name}
      id={port.name}
      type={side === "in" ? "target" : "source"}
      position={side === "in" ? Position.Left : Position.Right}
      style={{ top: `${(100 * (index + 1)) / (ports.length + 1)}%` }}
      className={`cv-port cv-type-${port.type}`}
      title={`${port.title || port.name}: ${port.type}`}
    >
      {showNames && <span className={`cv-port-name ${side}`}>{port.title || port.name}</span>}
    </Handle>
  ));
}

// Marks live in the store too: a new fault renders one node.
const Faults = memo(function Faults({ id }) {
  const { doc } = useContext(Canvas);
  const mark = useRow(`marks:${doc}`, id);
  return mark?.faults ? <span className="cv-faults" title={mark.text}>{mark.faults}</span> : null;
});

const Card = memo(function Card({ id, data, selected }) {
  const far = useStore(farAway);
  const many = data.outputs.length > 1;
  const classes = `cv-node tone-${data.tone}${selected ? " selected" : ""}${data.off ? " off" : ""}${data.missing ? " missing" : ""}${data.mark ? ` mark-${data.mark}` : ""}${far ? " far" : ""}`;
  const rows = Math.max(data.inputs.length, data.outputs.length);
  return (
    <LiveFrame id={id} className={classes} style={rows > 2 ? { minHeight: 26 * rows } : undefined}>
      <Ports ports={data.inputs} side="in" showNames={!far && data.inputs.length > 1} />
      {far ? (
        <div className="cv-far">{data.title}</div>
      ) : (
        <>
          <div className="cv-head">
            <span className="cv-icon"><Glyph name={data.icon} size={17} /></span>
            <span className="cv-titles">
              <span className="cv-title">{data.title}</span>
              <span className="cv-subtitle">{data.subtitle}</span>
            </span>
            <Faults id={id} />
          </div>
          <LiveStrip id={id} />
        </>
      )}
      <Ports ports={data.outputs} side="out" showNames={!far && many} />
    </LiveFrame>
  );
});

const Note = memo(function Note({ id, data, selected }) {
  const { act, readOnly } = useContext(Canvas);
  const [text, setText] = useState(data.text);
  useEffect(() => setText(data.text), [data.text]);
  return (
    <div className={`cv-note${selected ? " selected" : ""}`} style={{ width: data.width, minHeight: data.height }}>
      <textarea
        className="nodrag nowheel" value={text} readOnly={readOnly} aria-label={data.label}
        onChange={(event) => setText(event.target.value)}
        onBlur={() => text !== data.text && act("note", { id: id.slice(5), text })}
      />
    </div>
  );
});

const NODE_TYPES = { card: Card, note: Note };

// ---- edges --------------------------------------------------------------------------------------------------

const Wire = memo(function Wire({ id, source, target, sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition, selected, data }) {
  const { channel, act, texts, readOnly } = useContext(Canvas);
  const from = useRow(channel, source)?.status;
  const to = useRow(channel, target)?.status;
  const [path, x, y] = getBezierPath({ sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition });
  const travelling = to === "running";
  const state = from === "succeeded" || from === "reused" ? " done" : "";
  return (
    <>
      <BaseEdge id={id} path={path} interactionWidth={18} className={`cv-wire${selected ? " selected" : ""}${travelling ? " moving" : ""}${state}${data?.mark ? ` mark-${data.mark}` : ""}`} />
      {selected && !readOnly && (
        <EdgeLabelRenderer>
          <div className="cv-wire-tools nodrag nopan" style={{ transform: `translate(-50%, -50%) translate(${x}px, ${y}px)` }}>
            <button type="button" aria-label={texts.insert} title={texts.insert} onClick={() => act("insert", { edge: id, x, y })}>+</button>
            <button type="button" aria-label={texts.cut} title={texts.cut} onClick={() => act("cut", [id])}>×</button>
          </div>
        </EdgeLabelRenderer>
      )}
    </>
  );
});

const EDGE_TYPES = { wire: Wire };

// ---- what the server sends, as React Flow's objects ------------------------------------------------------------

const toNode = (item) =>
  item.note
    ? { id: item.id, type: "note", position: { x: item.x, y: item.y }, data: item, zIndex: -1, connectable: false }
    : { id: item.id, type: "card", position: { x: item.x, y: item.y }, data: item, ariaLabel: `${item.title}, ${item.subtitle}` };
export const edgeId = (edge) => `${edge.source}.${edge.sourcePort}>${edge.target}.${edge.targetPort}`;
const toEdge = (edge) => ({
  id: edgeId(edge), source: edge.source, target: edge.target, sourceHandle: edge.sourcePort, targetHandle: edge.targetPort,
  type: "wire", data: { mark: edge.mark },
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
      result = result.map((node) => (node.id === value.id ? { ...node, data: value, ariaLabel: `${value.title}, ${value.subtitle}` } : node));
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
    } else if (kind === "drop") {
      result = result.filter((edge) => edge.source !== value && edge.target !== value);
    }
  }
  return result;
}

// Bring a node into sight that was added out of it; its operation may come after the wish to see it.
function revealed(id, flow, box) {
  let frames = 60;
  let timer = requestAnimationFrame(function look() {
    const node = flow.getInternalNode(id);
    if (!node?.measured?.width && frames--) timer = requestAnimationFrame(look);
    if (!node) return;
    const { x: left, y: top, width, height } = box.getBoundingClientRect();
    const at = flow.flowToScreenPosition(node.position);
    const [w, h] = [node.measured?.width ?? 200, node.measured?.height ?? 60].map((each) => each * flow.getZoom());
    const inside = at.x >= left && at.y >= top && at.x + w <= left + width && at.y + h <= top + height;
    if (!inside) {
      frames = 0;
      flow.setCenter(node.position.x + w / 2, node.position.y + h / 2, { zoom: flow.getZoom(), duration: 250 });
    }
  });
  return () => cancelAnimationFrame(timer);
}

const typing = (target) => target instanceof Element && target.closest("input, textarea, select, [contenteditable]");

// ---- the canvas -----------------------------------------------------------------------------------------------

function Inner({ graph, ops, channel, labels, texts, accepts, marks, focus, readOnly, onAct, onGap }) {
  const [nodes, setNodes] = useState([]);
  const [edges, setEdges] = useState([]);
  const [refusal, setRefusal] = useState("");
  const flow = useReactFlow();
  const seq = useRef({ doc: "", at: -1, waiting: [] });
  const root = useRef(null);
  const latest = useRef({});
  const act = useCallback((kind, value) => latest.current.onAct?.(kind, value), []);
  useEffect(() => {
    latest.current = { onAct, onGap, nodes, edges, texts, readOnly };
  });

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
    if (first) requestAnimationFrame(() => requestAnimationFrame(() => flow.fitView({ padding: 0.07, maxZoom: 1 })));
    for (const batch of state.waiting) mergeOps(batch);
  }, [graph, flow, mergeOps]);

  useEffect(() => {
    if (!ops?.length) return;
    if (!seq.current.doc) seq.current.waiting.push(ops);
    else mergeOps(ops);
  }, [ops, mergeOps]);

  useEffect(() => {
    if (!focus?.ids?.length) return;
    if (focus.reveal) return revealed(focus.ids[0], flow, root.current);
    const wanted = new Set(focus.ids);
    setNodes((list) => list.map((node) => (Boolean(node.selected) === wanted.has(node.id) ? node : { ...node, selected: wanted.has(node.id) })));
    flow.fitView({ nodes: focus.ids.map((id) => ({ id })), padding: 0.6, maxZoom: 1, duration: 250 });
  }, [focus, flow]);

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
  const dragStop = useCallback((_, node, moved) => {
    latest.current.dragging = false;
    commitMove(moved?.length ? moved : [node]);
  }, []);
  const dragStart = useCallback(() => {
    latest.current.dragging = true;
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

  const selected = useRef("");
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

  const removeSelected = useCallback(() => {
    const gone = latest.current.nodes.filter((node) => node.selected).map((node) => node.id);
    const cut = latest.current.edges.filter((edge) => edge.selected).map((edge) => edge.id);
    if (gone.length) act("remove", gone);
    else if (cut.length) act("cut", cut);
  }, [act]);

  useEffect(() => {
    const here = () => root.current?.contains(document.activeElement) || document.activeElement === document.body;
    const keydown = (event) => {
      if (typing(event.target)) return;
      const command = event.ctrlKey || event.metaKey;
      const key = event.key.toLowerCase();
      if (command && key === "s") {
        event.preventDefault();
        act("save", null);
      }
      if (!here() || latest.current.readOnly) return;
      if (command && key === "z") {
        event.preventDefault();
        act(event.shiftKey ? "redo" : "undo", null);
      } else if (command && key === "y") {
        event.preventDefault();
        act("redo", null);
      } else if (command && key === "a") {
        event.preventDefault();
        setNodes((list) => list.map((node) => (node.selected ? node : { ...node, selected: true })));
      } else if (event.key === "Delete" || event.key === "Backspace") {
        event.preventDefault();
        removeSelected();
      }
    };
    const copy = (event) => {
      if (typing(event.target) || !here() || String(getSelection())) return;
      const chosen = latest.current.nodes.filter((node) => node.selected && node.type === "card");
      if (!chosen.length) return;
      const ids = new Set(chosen.map((node) => node.id));
      const body = {
        nodes: chosen.map((node) => ({ ...node.data.payload, x: node.position.x, y: node.position.y })),
        edges: latest.current.edges.filter((edge) => ids.has(edge.source) && ids.has(edge.target)).map(parseEdge),
      };
      event.preventDefault();
      event.clipboardData.setData("text/plain", JSON.stringify(body));
      if (event.type === "cut" && !latest.current.readOnly) act("remove", [...ids]);
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
    window.addEventListener("keydown", keydown);
    document.addEventListener("copy", copy);
    document.addEventListener("cut", copy);
    document.addEventListener("paste", paste);
    return () => {
      window.removeEventListener("keydown", keydown);
      document.removeEventListener("copy", copy);
      document.removeEventListener("cut", copy);
      document.removeEventListener("paste", paste);
    };
  }, [act, flow, removeSelected]);

  const doc = graph?.doc ?? "";
  useEffect(() => {
    const name = `marks:${doc}`;
    if (doc && marks) applySnapshot(name, { seq: channelOf(name).seq + 1, rows: Object.entries(marks) });
  }, [doc, marks]);
  const context = useMemo(() => ({ channel, labels, texts, act, readOnly, doc }), [channel, labels, texts, act, readOnly, doc]);
  const miniColor = useCallback((node) => (node.type === "note" ? "transparent" : `var(--cat-${node.data.tone}, var(--ink-3))`), []);
  return (
    <Canvas.Provider value={context}>
      <div ref={root} className="cv" data-nodes={nodes.length} data-seq={seq.current.at} onDrop={onDrop} onDragOver={onDragOver}>
        <ReactFlow
          nodes={nodes} edges={edges} nodeTypes={NODE_TYPES} edgeTypes={EDGE_TYPES}
          onNodesChange={onNodesChange} onEdgesChange={onEdgesChange}
          onNodeDragStart={dragStart} onSelectionDragStart={dragStart}
          onNodeDragStop={dragStop} onSelectionDragStop={(event, moved) => dragStop(event, null, moved)}
          onConnect={onConnect} onConnectEnd={onConnectEnd} isValidConnection={isValid}
          onSelectionChange={onSelectionChange}
          onNodeDoubleClick={(_, node) => act("open", node.id)}
          nodesDraggable={!readOnly} nodesConnectable={!readOnly}
          deleteKeyCode={null} selectionMode={SelectionMode.Partial} multiSelectionKeyCode={["Shift", "Meta", "Control"]}
          minZoom={0.08} maxZoom={2} onlyRenderVisibleElements elevateNodesOnSelect={false}
          proOptions={{ hideAttribution: false }} ariaLabelConfig={texts.aria}
        >
          <Background gap={22} size={1.4} color="var(--line-strong)" />
          <Controls showInteractive={false} position="bottom-left" />
          {nodes.length > 20 && !readOnly && <MiniMap pannable zoomable position="bottom-right" nodeColor={miniColor} maskColor="color-mix(in srgb, var(--bg) 70%, transparent)" ariaLabel={texts.minimap} />}
        </ReactFlow>
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
