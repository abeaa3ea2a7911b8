// One line to find and do anything (Ctrl/Cmd-K), and the list of keys ("?"). Knows nothing of what is found:
// `results` come from the server for `query`, `actions` are known beforehand and matched here.
import { useEffect, useMemo, useRef, useState } from "react";
import { useNavigate } from "react-router";
import { Glyph } from "$/public/jsx/glyphs.jsx";

const PAUSE_MS = 150;
const MAC = typeof navigator !== "undefined" && /Mac|iPhone|iPad/.test(navigator.platform);
const typing = (target) => target instanceof Element && Boolean(target.closest("input, textarea, select, [contenteditable=true], .cm-editor"));
export const openCommands = () => window.dispatchEvent(new Event("commands-open"));

// What opens the palette with the mouse.
export function CommandButton({ text }) {
  return (
    <button type="button" className="command-button" onClick={openCommands}>
      <Glyph name="search" size={15} />
      <span>{text}</span>
      <kbd>{MAC ? "⌘" : "Ctrl"} K</kbd>
    </button>
  );
}

function post(url) {
  const form = document.createElement("form");
  form.method = "post";
  form.action = url;
  document.body.append(form);
  form.submit();
}

export function Commands({ results = [], query = "", actions = [], groups = {}, texts, keys = [], onSearch, onTheme, onLanguage }) {
  const box = useRef(null);
  const help = useRef(null);
  const list = useRef(null);
  const timer = useRef(null);
  const navigate = useNavigate();
  const [open, setOpen] = useState(false);
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const [offered, setOffered] = useState([]);

  const show = () => {
    if (box.current?.open) return;
    help.current?.close();
    // What the page itself can do: its buttons that say so.
    const buttons = [...document.querySelectorAll("[data-command]")].filter((each) => each.getClientRects().length && !each.disabled && each.ariaDisabled !== "true");
    setOffered(buttons.map((each) => ({ kind: "here", id: each.dataset.command, title: each.dataset.command, icon: "corner-down-left", button: each })));
    setText("");
    setAt(0);
    setOpen(true);
    box.current?.showModal();
    onSearch?.("");
  };
  const shown = useRef(show);
  shown.current = show;

  useEffect(() => {
    const pressed = (event) => {
      if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "k") {
        event.preventDefault();
        box.current?.open ? box.current.close() : shown.current();
      } else if (event.key === "?" && !event.ctrlKey && !event.metaKey && !typing(event.target) && !document.querySelector("dialog[open]")) {
        event.preventDefault();
        help.current?.showModal();
      }
    };
    const asked = () => shown.current();
    window.addEventListener("keydown", pressed);
    window.addEventListener("commands-open", asked);
    return () => {
      window.removeEventListener("keydown", pressed);
      window.removeEventListener("commands-open", asked);
      clearTimeout(timer.current);
    };
  }, []);

  const change = (next) => {
    setText(next);
    setAt(0);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onSearch?.(next.trim()), PAUSE_MS);
  };

  const words = useMemo(() => text.toLowerCase().split(/\s+/).filter(Boolean), [text]);
  const entries = useMemo(() => {
    const fitting = actions.filter((action) => words.every((word) => `${action.title} ${action.words ?? ""}`.toLowerCase().includes(word)));
    // What the server found for an earlier text is not shown for this one.
    const own = offered.filter((each) => words.every((word) => each.title.toLowerCase().includes(word)));
    return [...(words.length ? [] : own), ...(query === text.trim() ? results : []), ...(words.length ? own : []), ...fitting];
  }, [actions, offered, results, words, query, text]);
  const waiting = query !== text.trim();

  const act = (entry) => {
    if (!entry) return;
    box.current.close();
    if (entry.button) {
      entry.button.focus();
      entry.button.click();
    } else if (entry.href) navigate(entry.href);
    else if (entry.post) post(entry.post);
    else if (entry.does === "theme") onTheme?.();
    else if (entry.does === "language") onLanguage?.();
    else if (entry.does === "keys") help.current.showModal();
  };

  const pressed = (event) => {
    const step = { ArrowDown: at + 1, ArrowUp: at - 1 }[event.key];
    if (step !== undefined && entries.length) {
      event.preventDefault();
      const next = (step + entries.length) % entries.length;
      setAt(next);
      list.current?.querySelector(`[data-at="${next}"]`)?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter" && !event.nativeEvent.isComposing) {
      event.preventDefault();
      act(entries[at]);
    }
  };

  let group = null;
  return (
    <>
      <dialog ref={box} className="commands" aria-label={texts.label} onClose={() => setOpen(false)} onMouseDown={(event) => event.target === box.current && box.current.close()}>
        {open && (
          <div className="commands-box">
            <div className="commands-line">
              <Glyph name="search" size={17} />
              <input
                autoFocus value={text} maxLength={200} placeholder={texts.placeholder} aria-label={texts.placeholder} role="combobox" aria-expanded="true"
                aria-controls="commands-list" aria-activedescendant={entries.length ? `command-${at}` : undefined} autoComplete="off" spellCheck={false}
                onChange={(event) => change(event.target.value)} onKeyDown={pressed}
              />
              <kbd>Esc</kbd>
            </div>
            <div className="commands-list" id="commands-list" role="listbox" aria-label={texts.label} ref={list}>
              {entries.map((entry, number) => {
                const head = entry.kind !== group ? (group = entry.kind) : null;
                return (
                  <div key={`${entry.kind} ${entry.id}`} role="presentation">
                    {head && <div className="commands-group" role="presentation">{groups[head] ?? head}</div>}
                    <div
                      id={`command-${number}`} data-at={number} role="option" aria-selected={number === at} className={`command tone-${entry.tone ?? "none"}`}
                      onMouseMove={() => number !== at && setAt(number)} onClick={() => act(entry)}
                    >
                      <span className="cv-icon"><Glyph name={entry.icon} size={16} /></span>
                      <span className="command-title">{entry.title}</span>
                      <span className="command-detail">{entry.detail}</span>
                    </div>
                  </div>
                );
              })}
              {entries.length === 0 && <p className="commands-none">{waiting ? texts.waiting : texts.none}</p>}
            </div>
            <footer className="commands-foot"><span><kbd>↑</kbd> <kbd>↓</kbd> {texts.move}</span><span><kbd>↵</kbd> {texts.choose}</span><span><kbd>?</kbd> {texts.keys}</span></footer>
          </div>
        )}
      </dialog>
      <dialog ref={help} className="dialog keys-dialog" aria-label={texts.keys} onMouseDown={(event) => event.target === help.current && help.current.close()}>
        <div className="dialog-box">
          <header className="dialog-head">
            <h2>{texts.keys}</h2>
            <button type="button" className="btn ghost icon" aria-label={texts.close} title={texts.close} onClick={() => help.current.close()}>×</button>
          </header>
          <div className="key-groups">
            {keys.map((section) => (
              <section key={section.title}>
                <h3>{section.title}</h3>
                <dl>
                  {section.rows.map(([combination, meaning]) => (
                    <div key={combination}>
                      <dt>{combination.split(" ").map((key) => <kbd key={key}>{key === "Mod" ? (MAC ? "⌘" : "Ctrl") : key}</kbd>)}</dt>
                      <dd>{meaning}</dd>
                    </div>
                  ))}
                </dl>
              </section>
            ))}
          </div>
        </div>
      </dialog>
    </>
  );
}
