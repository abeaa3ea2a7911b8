// What lies over a page: a modal dialog on the browser's own <dialog>, and a menu behind a button.
import { useEffect, useId, useRef, useState } from "react";
import { Glyph } from "$/public/jsx/glyphs.jsx";

export function Dialog({ open, label, closeText, wide, onClose, children }) {
  const box = useRef(null);
  const id = useId();
  useEffect(() => {
    const dialog = box.current;
    if (open && !dialog.open) {
      dialog.showModal();
      // The browser would take the first button, which closes.
      dialog.querySelector("input:not([type=file], [type=hidden]), [data-focus]")?.focus();
    }
    if (!open && dialog.open) dialog.close();
  }, [open]);
  return (
    <dialog
      ref={box} className={wide ? "dialog wide" : "dialog"} aria-labelledby={id}
      onClose={() => open && onClose?.()}
      onMouseDown={(event) => event.target === box.current && box.current.close()}
    >
      {open && (
        <div className="dialog-box">
          <header className="dialog-head">
            <h2 id={id}>{label}</h2>
            <button type="button" className="btn ghost icon" aria-label={closeText} title={closeText} onClick={() => box.current.close()}>×</button>
          </header>
          {children}
        </div>
      )}
    </dialog>
  );
}

// items: [{name, text, icon, href?, download?, danger?}]
export function Menu({ label, items = [], onChoose }) {
  const [open, setOpen] = useState(false);
  const [place, setPlace] = useState({});
  const root = useRef(null);
  const list = useRef(null);
  useEffect(() => {
    if (!open) return;
    list.current?.querySelector("[role=menuitem]")?.focus();
    const away = (event) => !root.current?.contains(event.target) && setOpen(false);
    const moved = () => setOpen(false);
    document.addEventListener("mousedown", away);
    window.addEventListener("scroll", moved, true);
    window.addEventListener("resize", moved);
    return () => {
      document.removeEventListener("mousedown", away);
      window.removeEventListener("scroll", moved, true);
      window.removeEventListener("resize", moved);
    };
  }, [open]);
  const toggle = () => {
    const at = root.current.getBoundingClientRect();
    // Fixed, so that a scrolling table does not cut it off; upwards where there is no room below.
    const below = window.innerHeight - at.bottom > items.length * 36 + 20;
    const vertical = below ? { top: at.bottom + 4 } : { bottom: window.innerHeight - at.top + 4 };
    setPlace({ right: window.innerWidth - at.right, ...vertical });
    setOpen(!open);
  };
  const close = () => {
    setOpen(false);
    root.current.querySelector("button").focus();
  };
  const keys = (event) => {
    const entries = [...(list.current?.querySelectorAll("[role=menuitem]") ?? [])];
    const at = entries.indexOf(document.activeElement);
    const step = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: entries.length - 1 }[event.key];
    if (event.key === "Escape" && open) close();
    else if (event.key === "Tab") setOpen(false);
    else if (open && step !== undefined) entries[(step + entries.length) % entries.length]?.focus();
    else return;
    if (event.key !== "Tab") event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div className="menu" ref={root} onKeyDown={keys}>
      <button type="button" className="btn ghost icon" aria-haspopup="menu" aria-expanded={open} aria-label={label} title={label} onClick={toggle}>
        <span aria-hidden="true" className="menu-dots">⋯</span>
      </button>
      {open && (
        <div className="menu-list" role="menu" aria-label={label} ref={list} style={place}>
          {items.map((item) => {
            const inside = <><Glyph name={item.icon} size={15} /><span>{item.text}</span></>;
            const look = { role: "menuitem", tabIndex: -1, className: item.danger ? "menu-item danger" : "menu-item" };
            return item.href ? (
              <a key={item.name} {...look} href={item.href} download={item.download ? "" : undefined} onClick={() => setOpen(false)}>{inside}</a>
            ) : (
              <button key={item.name} type="button" {...look} onClick={() => { close(); onChoose?.(item.name); }}>{inside}</button>
            );
          })}
        </div>
      )}
    </div>
  );
}
