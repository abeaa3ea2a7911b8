// The upper edge of a box: drawn by pointer or arrow keys it makes the box higher or lower, and this browser remembers
// it under `name`. The box reads `--height`. Knows no words of the program around it.
import { useEffect, useRef, useState } from "react";

const LEAST = 90;
const STEP = 24;

export function Resizer({ name, label }) {
  const edge = useRef(null);
  const [height, setHeight] = useState(0);
  useEffect(() => setHeight(Number(localStorage.getItem(name)) || 0), [name]);
  useEffect(() => {
    const { style } = edge.current.parentElement;
    if (height) style.setProperty("--height", `${height}px`);
    else style.removeProperty("--height");
  }, [height]);
  const keep = (next) => {
    if (next) localStorage.setItem(name, String(next));
    else localStorage.removeItem(name);
    setHeight(next);
  };
  // The body below the edge, as high as it is now.
  const now = () => Math.round(edge.current.parentElement.lastElementChild.getBoundingClientRect().height);
  const bounded = (next) => Math.round(Math.max(LEAST, Math.min(window.innerHeight * 0.75, next)));
  const down = (event) => {
    const from = now() + event.clientY;
    const { currentTarget, pointerId } = event;
    event.preventDefault();
    currentTarget.focus();
    currentTarget.setPointerCapture(pointerId);
    const move = (moved) => setHeight(bounded(from - moved.clientY));
    const up = () => {
      currentTarget.removeEventListener("pointermove", move);
      currentTarget.removeEventListener("pointerup", up);
      currentTarget.removeEventListener("pointercancel", up);
      keep(now());
    };
    currentTarget.addEventListener("pointermove", move);
    currentTarget.addEventListener("pointerup", up);
    currentTarget.addEventListener("pointercancel", up);
  };
  const keys = (event) => {
    const by = { ArrowUp: STEP, ArrowDown: -STEP }[event.key];
    if (by) keep(bounded(now() + by));
    else if (event.key === "Home") keep(0);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div
      ref={edge} className="resizer" role="separator" aria-orientation="horizontal" aria-label={label} title={label} aria-valuenow={height} aria-valuemin={0} tabIndex={0}
      onPointerDown={down} onDoubleClick={() => keep(0)} onKeyDown={keys}
    />
  );
}
