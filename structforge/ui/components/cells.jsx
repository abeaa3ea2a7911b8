// A column of cells with the keys of a notebook: arrows go from cell to cell, Enter opens one, Shift-Enter runs it and
// goes on, Escape comes back to it. Knows nothing of what the cells hold.
import { useEffect, useRef } from "react";

const typing = (target) => target instanceof Element && target.closest("input, textarea, select, [contenteditable], .cm-editor");
const own = (target) => target instanceof Element && target.closest("button, a, [role=tree], .grid-box, [role=log], pre, summary");

export function CellList({ label, focus, onAct, children }) {
  const root = useRef(null);
  const act = useRef(onAct);
  useEffect(() => {
    act.current = onAct;
  });
  const cells = () => [...(root.current?.querySelectorAll("[data-cell]") ?? [])];
  useEffect(() => {
    const wanted = focus?.id && cells().find((cell) => cell.dataset.cell === focus.id);
    if (!wanted) return;
    wanted.scrollIntoView({ block: "nearest" });
    wanted.focus({ preventScroll: true });
  }, [focus]);
  const keydown = (event) => {
    const cell = event.target instanceof Element ? event.target.closest("[data-cell]") : null;
    // A field that took the key for itself, such as a list of completions that closes, keeps it.
    if (!cell || event.defaultPrevented) return;
    const list = cells();
    const at = list.indexOf(cell);
    const go = (to) => {
      const next = list[Math.min(list.length - 1, Math.max(0, to))];
      next.focus({ preventScroll: true });
      next.scrollIntoView({ block: "nearest" });
    };
    if (event.key === "Escape" && event.target !== cell) {
      event.preventDefault();
      cell.focus();
    } else if (event.key === "Enter" && event.shiftKey) {
      event.preventDefault();
      event.stopPropagation();
      document.activeElement?.blur?.();
      act.current?.(event.ctrlKey || event.metaKey ? "until" : "run", cell.dataset.cell);
      go(at + 1);
    } else if (typing(event.target) || (own(event.target) && event.target !== cell)) {
      return;
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      go(at + (event.key === "ArrowDown" ? 1 : -1));
    } else if (event.key === "Home" || event.key === "End") {
      event.preventDefault();
      go(event.key === "Home" ? 0 : list.length - 1);
    } else if (event.key === "Enter") {
      event.preventDefault();
      act.current?.("open", cell.dataset.cell);
    }
  };
  return <div ref={root} className="notebook" role="group" aria-label={label} onKeyDown={keydown}>{children}</div>;
}
