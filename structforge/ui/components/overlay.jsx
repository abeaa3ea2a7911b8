// What lies over a page: a modal dialog on the browser's own <dialog>, and a menu behind a button.
import { useEffect, useId, useRef, useState } from "react";
import { walk } from "$/public/jsx/keyboard.jsx";
import { Glyph } from "$/public/jsx/glyphs.jsx";

const ENTRIES = "[role=menuitem], [role=menuitemradio]";

export function Dialog({ open, label, closeText, wide, onClose, children }) {
  const box = useRef(null);
  const id = useId();
  const opener = useRef(null);
  useEffect(() => {
    const dialog = box.current;
    if (open && !dialog.open) {
      opener.current = document.activeElement;
      dialog.showModal();
      // The browser would take the first button, which closes.
      dialog.querySelector("input:not([type=file], [type=hidden]), textarea, select, [data-focus]")?.focus();
    }
    if (!open && dialog.open) dialog.close();
    // The browser gives the focus back, but not to what is gone by then, such as the row that was deleted.
    if (!open && opener.current) {
      const from = opener.current;
      opener.current = null;
      setTimeout(() => document.activeElement === document.body && (from.isConnected && from !== document.body ? from : document.getElementById("content"))?.focus({ preventScroll: true }), 60);
    }
  }, [open]);
  // What is being typed commits when it is left; then the dialog's own button is pressed. A line of text takes no Enter
  // of its own, and in a form it is the browser's matter.
  const keys = (event) => {
    const line = event.target.matches("input:not([type=checkbox], [type=radio], [type=file])") && !event.target.form;
    const meant = event.key === "Enter" && !event.nativeEvent.isComposing && (event.ctrlKey || event.metaKey || line);
    const submit = meant && box.current.querySelector("[data-submit]");
    if (!submit) return;
    event.preventDefault();
    event.stopPropagation();
    submit.focus();
    submit.click();
  };
  return (
    <dialog
      ref={box} onKeyDownCapture={keys} className={wide ? "dialog wide" : "dialog"} aria-labelledby={id}
      onClose={() => open && onClose?.()}
      onMouseDown={(event) => event.target === box.current && box.current.close()}
      onKeyDown={(event) => (event.ctrlKey || event.metaKey) && event.key === "Enter" && event.target.form?.requestSubmit()}
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

function submit(url, fields) {
  const form = document.createElement("form");
  form.method = "post";
  form.action = url;
  for (const [name, value] of Object.entries(fields ?? {})) {
    const field = document.createElement("input");
    field.type = "hidden";
    field.name = name;
    field.value = value;
    form.append(field);
  }
  document.body.append(form);
  form.submit();
}

// items: [{name, text, icon, href?, download?, danger?, post?, fields?, when?, hidden?}]; choices: the same, one of them
// `chosen`. What has `when` is there only in one of these states.
export function Menu({ label, title, detail, icon, items: all = [], choices = [], state = "", onChoose }) {
  const items = all.filter((item) => !item.hidden && (!item.when || item.when.includes(state)));
  const [open, setOpen] = useState(false);
  const [place, setPlace] = useState({});
  const root = useRef(null);
  const list = useRef(null);
  useEffect(() => {
    if (!open) return;
    (list.current?.querySelector("[aria-checked=true]") ?? list.current?.querySelector(ENTRIES))?.focus();
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
    const below = window.innerHeight - at.bottom > Math.min(items.length + choices.length, 12) * 36 + 20;
    const vertical = below ? { top: at.bottom + 4 } : { bottom: window.innerHeight - at.top + 4 };
    setPlace(title ? { left: at.left, minWidth: at.width, ...vertical } : { right: window.innerWidth - at.right, ...vertical });
    setOpen(!open);
  };
  const close = () => {
    setOpen(false);
    root.current.querySelector("button").focus();
  };
  const keys = (event) => {
    const entries = [...(list.current?.querySelectorAll(ENTRIES) ?? [])];
    if (event.key === "Escape" && open) close();
    else if (event.key === "Tab") return setOpen(false);
    else if (!open || !walk(event, entries)) return;
    event.preventDefault();
    event.stopPropagation();
  };
  const take = (item) => {
    close();
    if (item.post) submit(item.post, item.fields);
    else onChoose?.(item.name);
  };
  return (
    <div className={title ? "menu wide" : "menu"} ref={root} onKeyDown={keys}>
      {title ? (
        <button type="button" className="menu-title" aria-haspopup="menu" aria-expanded={open} aria-label={`${label}: ${title}`} onClick={toggle}>
          {icon && <span className="menu-mark"><Glyph name={icon} size={16} /></span>}
          <span className="menu-words"><strong>{title}</strong>{detail && <span>{detail}</span>}</span>
          <Glyph name="chevrons-up-down" size={15} />
        </button>
      ) : (
        <button type="button" className="btn ghost icon" aria-haspopup="menu" aria-expanded={open} aria-label={label} title={label} onClick={toggle}>
          <span aria-hidden="true" className="menu-dots">⋯</span>
        </button>
      )}
      {open && (
        <div className="menu-list" role="menu" aria-label={label} ref={list} style={place}>
          {choices.map((item) => (
            <button
              key={item.name} type="button" role="menuitemradio" aria-checked={Boolean(item.chosen)} tabIndex={-1} className="menu-item"
              onClick={() => (item.chosen ? close() : take(item))}
            >
              <Glyph name={item.icon} size={15} /><span className="menu-text">{item.text}</span>
              {item.chosen && <Glyph name="check" size={15} />}
            </button>
          ))}
          {choices.length > 0 && items.length > 0 && <div className="menu-line" role="separator" />}
          {items.map((item) => {
            const inside = <><Glyph name={item.icon} size={15} /><span>{item.text}</span></>;
            const look = { role: "menuitem", tabIndex: -1, className: item.danger ? "menu-item danger" : "menu-item" };
            return item.href ? (
              <a key={item.name} {...look} href={item.href} download={item.download ? "" : undefined} onClick={() => setOpen(false)}>{inside}</a>
            ) : (
              <button key={item.name} type="button" {...look} onClick={() => take(item)}>{inside}</button>
            );
          })}
        </div>
      )}
    </div>
  );
}
