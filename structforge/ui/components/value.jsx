// A JSON value for people: as table, chart, tree, Markdown, text or picture, whichever it can be; with search and
// download. Large values stay where they are and are read in pieces. Knows no words of the program around it.
import { useEffect, useMemo, useState } from "react";
import { DataChart } from "$/public/jsx/data_chart.jsx";
import { DataTable, cellText, columnsOf, getJson } from "$/public/jsx/data_table.jsx";
import { DataTree, copyText, pathOf } from "$/public/jsx/data_tree.jsx";
import { isContainer, isObject, writeJson } from "$/public/jsx/exact.jsx";
import { LogView } from "$/public/jsx/logs.jsx";
import { tabKeys } from "$/public/jsx/keyboard.jsx";
import { Prose } from "$/public/jsx/prose.jsx";
import { Told, saidBy } from "$/public/jsx/told.jsx";

const PICTURE = /^data:image\/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+$/;
const PICTURE_TYPES = ["image/png", "image/jpeg", "image/gif", "image/webp"];
const MARKDOWN = /(^|\n)(#{1,6} |[-*] |\d+\. |\|.+\||```)|\*\*[^*\n]+\*\*/;

const isRow = isObject;
const isRows = (value) => Array.isArray(value) && value.length > 0 && value.every(isRow);
const markdownOf = (value) => (isRow(value) && typeof value.markdown === "string" ? value.markdown : typeof value === "string" ? value : null);

// What a choice is remembered by survives the page; a browser without storage forgets.
function recall(key) {
  try {
    return localStorage.getItem(`value-view:${key}`) ?? "";
  } catch {
    return "";
  }
}
function remember(key, choice) {
  try {
    localStorage.setItem(`value-view:${key}`, choice);
  } catch {
    // Forgotten.
  }
}
function useRemembered(key, options) {
  const [chosen, setChosen] = useState({});
  const wanted = chosen[key] ?? recall(key);
  const choice = options.includes(wanted) ? wanted : options[0];
  return [choice, (next) => {
    remember(key, next);
    setChosen((before) => ({ ...before, [key]: next }));
  }];
}

function viewsOf(value) {
  if (isRows(value)) return columnsOf(value).some(({ kind }) => kind === "number") ? ["table", "chart", "tree", "text"] : ["table", "tree", "text"];
  if (typeof value === "string") {
    if (PICTURE.test(value)) return ["picture", "text"];
    return MARKDOWN.test(value) ? ["markdown", "text"] : ["text", "markdown"];
  }
  if (isRow(value) && typeof value.markdown === "string") return ["markdown", "tree", "text"];
  return isContainer(value) ? ["tree", "text"] : ["text"];
}

export function sizeText(bytes) {
  if (!Number.isFinite(bytes)) return "";
  const unit = bytes < 1024 ? 0 : bytes < 1024 ** 2 ? 1 : 2;
  return `${(bytes / 1024 ** unit).toLocaleString(undefined, { maximumFractionDigits: unit ? 1 : 0 })} ${["B", "KiB", "MiB"][unit]}`;
}

function save(name, text, type) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  URL.revokeObjectURL(url);
}

function csv(rows) {
  const names = columnsOf(rows).map(({ name }) => name);
  const quote = (text) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  // An empty text is quoted, so that it is none of the cells without a value.
  const cell = (value) => (value === "" ? '""' : quote(cellText(value)));
  return [names.map(quote), ...rows.map((row) => names.map((name) => cell(row[name])))].map((line) => line.join(",")).join("\r\n");
}

function Downloads({ name, value, artifact, table, texts }) {
  const links = [];
  const file = encodeURIComponent(name);
  if (artifact) {
    if (table) links.push(["CSV", `${artifact.href}/export?form=csv&name=${file}`], ["JSON", `${artifact.href}/export?form=json&name=${file}`]);
    links.push([texts.raw, `${artifact.href}?name=${encodeURIComponent(artifact.name || name)}`]);
    return (
      <span className="downloads" role="group" aria-label={texts.download}>
        {links.map(([label, href]) => <a key={label} className="btn small-btn" href={href} download>{label}</a>)}
      </span>
    );
  }
  return (
    <span className="downloads" role="group" aria-label={texts.download}>
      {isRows(value) && <button type="button" className="btn small-btn" onClick={() => save(`${name}.csv`, csv(value), "text/csv")}>CSV</button>}
      {typeof value !== "string" && <button type="button" className="btn small-btn" onClick={() => save(`${name}.json`, writeJson(value, 2), "application/json")}>JSON</button>}
      {markdownOf(value) !== null && <button type="button" className="btn small-btn" onClick={() => save(`${name}.txt`, markdownOf(value), "text/plain")}>{texts.raw}</button>}
    </span>
  );
}

function Text({ value, query, texts }) {
  const text = typeof value === "string" ? value : writeJson(value, 2);
  const words = query.trim().toLowerCase();
  const lines = useMemo(() => (words ? text.split("\n").filter((line) => line.toLowerCase().includes(words)) : null), [text, words]);
  if (lines && !lines.length) return <p className="muted">{texts.noMatch}</p>;
  return <pre className="value" tabIndex={0}>{lines ? lines.join("\n") : text}</pre>;
}

// A file inside a value.
function File({ artifact, texts }) {
  const picture = PICTURE_TYPES.includes(artifact.media_type);
  return (
    <span className="file-chip">
      <a href={`${artifact.href}?name=${encodeURIComponent(artifact.name || "file")}`} download>{artifact.name || artifact.media_type}</a>
      <span className="muted"> {sizeText(artifact.size_bytes)}</span>
      {picture && <img className="value-picture small" src={`${artifact.href}/picture`} alt={artifact.name || texts.picture} loading="lazy" />}
    </span>
  );
}

function Rows({ rows, source, query, root, texts, special }) {
  const [picked, setPicked] = useState(null);
  return (
    <>
      <DataTable rows={rows} source={source} search={query} texts={texts} onRow={setPicked} />
      {picked && <DataTree value={picked.value} root={root && picked.index !== null ? pathOf(root, picked.index) : ""} texts={texts} special={special} />}
    </>
  );
}

// entry: {name, value, root, artifact}; `root` is what expressions call it. artifact: {href, name, size_bytes,
// media_type, kind, rows, columns}; kind: "table" | "value" | "picture" | "text" | "file".
export function Value({ entry, texts, reference, compact = false }) {
  const { name, artifact } = entry;
  const [query, setQuery] = useState("");
  const [read, setRead] = useState(null);
  const [tries, setTries] = useState(0);
  const inside = artifact && (artifact.kind === "value" || artifact.kind === "text" || artifact.kind === "table");
  const table = artifact?.kind === "table" || (artifact?.kind === "value" && isRows(read?.value));
  const value = artifact ? read?.value : entry.value;
  const views = useMemo(() => {
    if (artifact?.kind === "picture") return ["picture"];
    if (artifact?.kind === "table") return ["table", "chart", "tree"];
    if (artifact && !inside) return ["file"];
    return read || !artifact ? viewsOf(value) : [];
  }, [artifact, inside, read, value]);
  const [view, setView] = useRemembered(views.join("+"), views);
  const wanted = inside && (artifact.kind !== "table" || view === "tree" || view === "text");
  useEffect(() => {
    setRead(null);
  }, [artifact?.href]);
  useEffect(() => {
    if (!wanted || read?.value !== undefined) return undefined;
    let here = true;
    getJson(`${artifact.href}/value`).then((found) => here && setRead(found), (error) => here && setRead({ problem: saidBy(error) }));
    return () => {
      here = false;
    };
  }, [wanted, artifact?.href, tries]); // eslint-disable-line
  const special = useMemo(() => (each) => {
    const body = reference && isRow(each) && Object.keys(each).length === 1 ? each[reference.key] : null;
    return body?.hash ? <File artifact={{ ...body, href: reference.href + body.hash }} texts={texts} /> : null;
  }, [reference, texts]);
  const source = table && artifact ? `${artifact.href}/rows` : "";
  const waiting = wanted && !read;
  const searchable = ["table", "tree", "text"].includes(view);
  return (
    <div className={`stack value-one${compact ? " compact" : ""}`}>
      <div className="row value-bar">
        {views.length > 1 && (
          <div className="segmented" role="group" aria-label={texts.view}>
            {views.map((each) => <button key={each} type="button" aria-pressed={each === view} onClick={() => setView(each)}>{texts[each]}</button>)}
          </div>
        )}
        {searchable && <input className="input value-search" type="search" value={query} placeholder={texts.search} aria-label={texts.search} onChange={(event) => setQuery(event.target.value)} />}
        <Downloads name={entry.root || name} value={value} artifact={artifact} table={table} texts={texts} />
      </div>
      {read?.problem && (
        <div className="notice" role="alert">
          <p><Told said={read.problem} /></p>
          <button type="button" className="btn small-btn" onClick={() => { setRead(null); setTries(tries + 1); }}>{texts.retry}</button>
        </div>
      )}
      {waiting && <div className="skeleton line" role="status" aria-label={texts.loading} />}
      {view === "table" && <Rows rows={source ? null : value} source={source} query={query} root={entry.root} texts={texts} special={special} />}
      {view === "chart" && <DataChart rows={source ? null : value} source={source} texts={texts} />}
      {view === "tree" && !waiting && !read?.problem && <DataTree value={value} root={entry.root} search={query} texts={texts} special={special} />}
      {view === "markdown" && <div className="value-prose"><Prose text={markdownOf(value) ?? ""} /></div>}
      {view === "text" && !waiting && !read?.problem && <Text value={value} query={query} texts={texts} />}
      {view === "picture" && <img className="value-picture" src={artifact ? `${artifact.href}/picture` : value} alt={artifact?.name || name} />}
      {view === "file" && <File artifact={artifact} texts={texts} />}
      {read?.cut && <p className="muted small">{texts.cut}</p>}
    </div>
  );
}

function Ports({ entries, texts, reference, emptyText, side }) {
  const names = entries.map(({ name }) => name);
  const [name, choose] = useRemembered(`${side}:${names.join("+")}`, names);
  if (!entries.length) return <p className="muted value-none">{emptyText}</p>;
  const entry = entries[Math.max(0, names.indexOf(name))];
  return (
    <>
      {entries.length > 1 && (
        <div className="segmented" role="group" aria-label={texts.port}>
          {entries.map((each, at) => <button key={`${each.name}${at}`} type="button" aria-pressed={each === entry} onClick={() => choose(each.name)}>{each.title || each.name}</button>)}
        </div>
      )}
      {/* A key: another value begins with an empty search. */}
      <Value key={`${side}/${entry.root}/${entry.name}`} entry={entry} texts={texts} reference={reference} />
    </>
  );
}

// step: {status, problem, hint, where, code, ports: [entry], inputs: [entry], logs: [[level, message]], log_href};
// what comes in, what comes out and the log lie beside each other as tabs.
export function ValueView({ step, texts, reference, live = false }) {
  const sides = step ? ["out", ...(step.inputs ? ["in"] : []), ...(step.logs || step.log_href ? ["log"] : [])] : [];
  const [side, setSide] = useRemembered("side", sides);
  if (!step?.status && !step?.problem) return <p className="muted value-none">{texts.none}</p>;
  const names = { out: texts.output, in: texts.input, log: texts.logs };
  return (
    <div className="stack value-view">
      {step.problem && (
        <div className="notice" role="alert">
          <div>
            <p><Told said={{ text: step.problem, ...step.sentences?.message }} /></p>
            {step.hint && <p className="muted"><Told said={{ text: step.hint, ...step.sentences?.hint }} /></p>}
            {step.code && (
              <details className="problem-details">
                <summary className="small muted">{texts.details}</summary>
                <p className="mono small muted">{[step.where, step.code].filter(Boolean).join(" · ")}</p>
              </details>
            )}
          </div>
        </div>
      )}
      {sides.length > 1 && (
        <div className="tabs" role="tablist" onKeyDown={tabKeys}>
          {sides.map((each) => <button key={each} type="button" role="tab" aria-selected={each === side} tabIndex={each === side ? 0 : -1} onClick={() => setSide(each)}>{names[each]}{each === "log" && step.logs?.length ? ` (${step.logs.length})` : ""}</button>)}
        </div>
      )}
      {side === "out" && <Ports key="out" side="out" entries={step.ports ?? []} texts={texts} reference={reference} emptyText={live ? texts.working : texts.empty} />}
      {side === "in" && <Ports key="in" side="in" entries={step.inputs ?? []} texts={texts} reference={reference} emptyText={texts.noInput} />}
      {side === "log" && <LogView lines={step.logs} source={step.log_href ?? ""} live={live || ["running", "pending", "waiting"].includes(step.status)} texts={texts} />}
    </div>
  );
}

export { copyText };
