// Notes and frames on a canvas: a text with a colour and a size; a frame has a title and lets what lies on it shine
// through. Knows no words of the program around it.
import { memo, useContext, useEffect, useState } from "react";
import { NodeResizer, NodeToolbar, Position } from "@xyflow/react";
import { Canvas } from "$/public/jsx/canvas_context.jsx";

export const COLOURS = ["", "blue", "green", "violet", "red", "grey"];
const SETTLES_MS = 3_000;
const MIN = { note: [120, 60], frame: [160, 100] };

export const Note = memo(function Note({ id, data, selected, positionAbsoluteX, positionAbsoluteY, width, height }) {
  const { act, readOnly, texts } = useContext(Canvas);
  // While it is written, what somebody else writes shows afterwards: `mine` is the text and what it began with.
  const [mine, setMine] = useState(null);
  const text = mine?.text ?? data.text;
  const write = (event) => setMine({ text: event.target.value, seen: mine && !mine.sent ? mine.seen : text });
  const save = () => {
    if (!mine || mine.sent) return;
    if (mine.text === mine.seen) return setMine(null);
    setMine({ ...mine, sent: true });
    // Where it lay, should it be gone by now.
    const gone = { x: Math.round(positionAbsoluteX), y: Math.round(positionAbsoluteY), width, height, frame: Boolean(data.frame), color: data.color };
    act("note", { id, text: mine.text, seen: mine.seen, gone });
  };
  useEffect(() => {
    if (!mine?.sent) return undefined;
    if (data.text === mine.text) return setMine(null);
    const timer = setTimeout(() => setMine(null), SETTLES_MS);
    return () => clearTimeout(timer);
  }, [mine, data.text]);
  const label = data.frame ? texts.frameTitle : texts.noteText;
  const [minWidth, minHeight] = MIN[data.frame ? "frame" : "note"];
  return (
    <>
      <NodeResizer
        isVisible={selected && !readOnly} minWidth={minWidth} minHeight={minHeight}
        onResizeEnd={(_, at) => act("note", { id, x: Math.round(at.x), y: Math.round(at.y), width: Math.round(at.width), height: Math.round(at.height) })}
      />
      <NodeToolbar isVisible={selected && !readOnly} position={Position.Top} className="cv-swatches">
        {COLOURS.map((colour) => (
          <button key={colour} type="button" className="cv-swatch" data-color={colour} aria-pressed={data.color === colour} aria-label={`${texts.colour}: ${texts[`colour_${colour || "amber"}`]}`} title={texts[`colour_${colour || "amber"}`]} onClick={() => act("note", { id, color: colour })} />
        ))}
      </NodeToolbar>
      <div className={`cv-note${data.frame ? " frame" : ""}${selected ? " selected" : ""}`} data-color={data.color}>
        {data.frame ? (
          <input className="nodrag cv-frame-title" value={text} readOnly={readOnly} aria-label={label} placeholder={label} maxLength={200} onChange={write} onBlur={save} onKeyDown={(event) => event.key === "Enter" && event.target.blur()} />
        ) : (
          <textarea className="nodrag nowheel" value={text} readOnly={readOnly} aria-label={label} placeholder={label} maxLength={10000} onChange={write} onBlur={save} />
        )}
      </div>
    </>
  );
});

// ---- what lies on a frame ----------------------------------------------------------------------------------------

export const sizeOf = (node) => ({ width: node.measured?.width ?? node.width ?? 230, height: node.measured?.height ?? node.height ?? 60 });

export function contents(frame, nodes) {
  const { width, height } = sizeOf(frame);
  return nodes.filter((node) => {
    if (node.id === frame.id) return false;
    const size = sizeOf(node);
    const x = node.position.x + size.width / 2 - frame.position.x, y = node.position.y + size.height / 2 - frame.position.y;
    return x > 0 && x < width && y > 0 && y < height;
  });
}

const PAD = 28;
export function around(nodes) {
  const left = Math.min(...nodes.map((node) => node.position.x)), top = Math.min(...nodes.map((node) => node.position.y));
  const right = Math.max(...nodes.map((node) => node.position.x + sizeOf(node).width)), bottom = Math.max(...nodes.map((node) => node.position.y + sizeOf(node).height));
  return { x: Math.round(left - PAD), y: Math.round(top - PAD - 26), width: Math.round(right - left + 2 * PAD), height: Math.round(bottom - top + 2 * PAD + 26) };
}
