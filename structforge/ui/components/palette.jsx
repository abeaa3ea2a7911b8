// Things that can be put on a canvas: by group, searched as one types, dragged, or chosen by click and Enter.
import { useMemo, useState } from "react";
import { Glyph } from "$/public/jsx/glyphs.jsx";

export function Palette({ items: given = [], said = {}, groups, texts, onChoose }) {
  const [query, setQuery] = useState("");
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
  return (
    <div className="palette">
      <input className="input" type="search" value={query} placeholder={texts.search} aria-label={texts.search} onChange={(event) => setQuery(event.target.value)}
        onKeyDown={(event) => event.key === "Enter" && found.length > 0 && onChoose?.(found[0].kind)} />
      <div className="palette-list">
        {names.map((name) => (
          <section key={name} aria-label={groups[name] ?? name}>
            <h3>{groups[name] ?? name}</h3>
            {found.filter((item) => item.tone === name).map((item) => (
              <button
                key={item.kind} type="button" className={`palette-item tone-${item.tone}`} draggable data-kind={item.kind} title={item.summary.replaceAll("`", "")}
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
