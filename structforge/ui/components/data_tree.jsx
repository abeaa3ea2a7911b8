// A JSON value as a tree: parts open and close, long lists come in pieces, each place can be copied as a path.
import { useMemo, useState } from "react";
import { digitsOf, isContainer, isNumber } from "$/public/jsx/exact.jsx";

const PIECE = 100;
const DEEP = 2;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

export const pathOf = (parent, key) => (typeof key === "number" ? `${parent}[${key}]` : NAME.test(key) ? `${parent}.${key}` : `${parent}[${JSON.stringify(key)}]`);

export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // No clipboard on a page without TLS: the old way.
    const area = Object.assign(document.createElement("textarea"), { value: text, style: "position:fixed;opacity:0" });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

// The places whose key or value holds the words, and everything around them.
function matches(value, words) {
  const found = new Set();
  let count = 0;
  const walk = (at, path, name) => {
    let inside = String(name).toLowerCase().includes(words);
    count += inside;
    if (isContainer(at)) {
      for (const [key, each] of Object.entries(at)) inside = walk(each, `${path}/${key}`, Array.isArray(at) ? "" : key) || inside;
    } else if (digitsOf(at).toLowerCase().includes(words)) {
      count += 1;
      inside = true;
    }
    if (inside) found.add(path);
    return inside;
  };
  walk(value, "", "");
  return { found, count };
}

function Marked({ text, words }) {
  if (!words) return text;
  const at = text.toLowerCase().indexOf(words);
  if (at < 0) return text;
  return <>{text.slice(0, at)}<mark>{text.slice(at, at + words.length)}</mark><Marked text={text.slice(at + words.length)} words={words} /></>;
}

function Copy({ path, texts }) {
  const [done, setDone] = useState(false);
  if (!path) return null;
  const copy = async (event) => {
    event.preventDefault();
    await copyText(`{{ ${path} }}`);
    setDone(true);
    setTimeout(() => setDone(false), 1500);
  };
  return <button type="button" className="tree-copy" title={`{{ ${path} }}`} aria-label={`${texts.copy} ${path}`} onClick={copy}>{done ? texts.copied : "{ }"}</button>;
}

function Leaf({ value, words }) {
  const [whole, setWhole] = useState(false);
  if (typeof value !== "string") return <span className={`tree-${isNumber(value) ? "number" : typeof value}`}><Marked text={digitsOf(value)} words={words} /></span>;
  const long = value.length > 300 && !whole;
  return (
    <span className="tree-string">
      <Marked text={JSON.stringify(long ? value.slice(0, 300) : value)} words={words} />
      {long && <button type="button" className="tree-more" onClick={() => setWhole(true)}>… {value.length.toLocaleString()}</button>}
    </span>
  );
}

function Part({ name, value, path, place, depth, search, texts, special }) {
  const [open, setOpen] = useState(depth < DEEP);
  const [shown, setShown] = useState(PIECE);
  const words = search?.words ?? "";
  if (search && !search.found.has(place)) return null;
  const label = name === undefined ? null : <span className="tree-key"><Marked text={String(name)} words={words} />: </span>;
  const own = special?.(value);
  if (own) return <div className="tree-leaf" role="treeitem">{label}{own}<Copy path={path} texts={texts} /></div>;
  if (!isContainer(value)) {
    return <div className="tree-leaf" role="treeitem">{label}<Leaf value={value} words={words} /><Copy path={path} texts={texts} /></div>;
  }
  const list = Array.isArray(value);
  const entries = Object.entries(value);
  const visible = open || Boolean(search);
  return (
    <div className="tree" role="treeitem" aria-expanded={visible}>
      <div className="tree-head">
        <button type="button" className="tree-fold" aria-label={`${visible ? texts.close : texts.open} ${name ?? ""}`} onClick={() => setOpen(!open)}>{visible ? "▾" : "▸"}</button>
        {label}
        <button type="button" className="tree-count" onClick={() => setOpen(!open)}>{list ? `[${entries.length}]` : `{${entries.length}}`}</button>
        <Copy path={path} texts={texts} />
      </div>
      {visible && (
        <div role="group" className="tree-inside">
          {entries.slice(0, search ? undefined : shown).map(([key, each]) => (
            <Part key={key} name={list ? Number(key) : key} value={each} path={path && pathOf(path, list ? Number(key) : key)} place={`${place}/${key}`} depth={depth + 1} search={search} texts={texts} special={special} />
          ))}
          {!search && entries.length > shown && (
            <button type="button" className="btn small-btn" onClick={() => setShown(shown + 10 * PIECE)}>{texts.more.replace("{count}", (entries.length - shown).toLocaleString())}</button>
          )}
        </div>
      )}
    </div>
  );
}

// `root` is the path of the whole value; none means that places cannot be named. `special` draws values of its own.
export function DataTree({ value, root = "", search = "", texts, special }) {
  const words = search.trim().toLowerCase();
  const found = useMemo(() => (words ? { words, ...matches(value, words) } : null), [value, words]);
  return (
    <>
      {found && <p className="muted small" role="status">{texts.hits.replace("{count}", found.count.toLocaleString())}</p>}
      {(!found || found.count > 0) && (
        <div className="tree-root" role="tree" tabIndex={0} aria-label={texts.tree}>
          <Part value={value} path={root} place="" depth={0} search={found} texts={texts} special={special} />
        </div>
      )}
    </>
  );
}
