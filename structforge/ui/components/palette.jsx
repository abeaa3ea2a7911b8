// Things that can be put on a canvas: by group, searched as one types, dragged, or chosen by click and Enter. The whole
// list is one stop of Tab; arrow keys walk in it.
import { useMemo, useRef, useState } from "react";
import { walk } from "$/public/jsx/keyboard.jsx";
import { Glyph } from "$/public/jsx/glyphs.jsx";

export function Palette({ items: given = [], said = {}, groups, texts, onChoose }) {
  const [query, setQuery] = useState("");
  const [at, setAt] = useState("");
  const root = useRef(null);
  const items = useMemo(
    () => given.map((item) => {
      const own = said[item.kind];
      return own ? { ...item, ...own, text: `${item.text} ${own.title} ${own.summary}`.toLowerCase() } : item;
    }),
    [given, said],
  );
  const found = useMemo(() => {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    return items.filter((item) => words.every((word) => item.text.includes(word)));
  }, [items, query]);
  const names = [...new Set(found.map((item) => item.tone))];
  const shown = names.flatMap((name) => found.filter((item) => item.tone === name));
  const stop = shown.some((item) => item.kind === at) ? at : shown[0]?.kind;
  const keys = (event) => {
    const inSearch = event.target.type === "search";
    const entries = [...root.current.querySelectorAll(".palette-item")];
    if (event.key === "Enter" && inSearch && shown.length && !event.nativeEvent.isComposing) {
      onChoose?.(shown[0].kind);
      setQuery("");
    } else if (inSearch && ["Home", "End", "ArrowUp"].includes(event.key)) return;
    else if (event.key === "ArrowUp" && document.activeElement === entries[0]) root.current.querySelector("input").focus();
    else if (event.key === "Escape" && query) setQuery("");
    else if (!walk(event, entries)) return;
    event.preventDefault();
  };
  return (
    <div className="palette" ref={root} onKeyDown={keys}>
      <input className="input" type="search" value={query} placeholder={texts.search} aria-label={texts.search} onChange={(event) => setQuery(event.target.value)} />
      <span className="visually-hidden" role="status">{query && `${found.length} ${texts.found}`}</span>
      <div className="palette-list">
        {names.map((name) => (
          <section key={name} aria-label={groups[name] ?? name}>
            <h3>{groups[name] ?? name}</h3>
            {found.filter((item) => item.tone === name).map((item) => (
              <button
                key={item.kind} type="button" tabIndex={item.kind === stop ? 0 : -1} onFocus={() => setAt(item.kind)} className={`palette-item tone-${item.tone}`} draggable data-kind={item.kind} title={item.summary.replaceAll("`", "")}
                onDragStart={(event) => {
                  event.dataTransfer.setData("application/x-canvas-item", item.kind);
                  event.dataTransfer.effectAllowed = "copy";
                }}
                onClick={() => onChoose?.(item.kind)}
              >
                <span className="cv-icon"><Glyph name={item.icon} size={16} /></span>
                <span>{item.title}</span>
              </button>
            ))}
          </section>
        ))}
        {found.length === 0 && <p className="muted small">{texts.none}</p>}
      </div>
    </div>
  );
}
