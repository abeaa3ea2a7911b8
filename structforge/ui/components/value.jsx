// A JSON value for people: a table where it is one, else a tree; Markdown and long text as text. Search and download.
import { useMemo, useState } from "react";

const ROWS = 200;
const flat = (row) => row && typeof row === "object" && !Array.isArray(row);
const tableOf = (value) => (Array.isArray(value) && value.length > 0 && value.every(flat) ? value : null);
// 15 digits are what a float holds for sure: 203.79999999999998 is 203.8.
const cell = (value) => (value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : typeof value === "number" ? String(Number(value.toPrecision(15))) : String(value));

function Table({ rows, texts }) {
  const columns = useMemo(() => [...new Set(rows.slice(0, ROWS).flatMap((row) => Object.keys(row)))], [rows]);
  return (
    <>
      <div className="table-wrap" tabIndex={0} role="region" aria-label={texts.table}>
        <table className="data grid">
          <thead><tr>{columns.map((name) => <th key={name} scope="col" className={typeof rows[0][name] === "number" ? "right" : ""}>{name}</th>)}</tr></thead>
          <tbody>{rows.slice(0, ROWS).map((row, index) => <tr key={index}>{columns.map((name) => <td key={name} className={typeof row[name] === "number" ? "num right" : ""}>{cell(row[name])}</td>)}</tr>)}</tbody>
        </table>
      </div>
      <p className="muted small">{texts.rows.replace("{shown}", Math.min(rows.length, ROWS)).replace("{all}", rows.length)}</p>
    </>
  );
}

function Tree({ name, value, depth = 0 }) {
  if (value === null || typeof value !== "object") {
    return <div className="tree-leaf">{name !== undefined && <span className="tree-key">{name}: </span>}<span className={`tree-${typeof value}`}>{typeof value === "string" ? value : String(value)}</span></div>;
  }
  const entries = Object.entries(value);
  return (
    <details className="tree" open={depth < 2}>
      <summary>{name !== undefined && <span className="tree-key">{name} </span>}<span className="muted">{Array.isArray(value) ? `[${entries.length}]` : `{${entries.length}}`}</span></summary>
      {entries.slice(0, ROWS).map(([key, each]) => <Tree key={key} name={key} value={each} depth={depth + 1} />)}
    </details>
  );
}

function Shown({ value, query, texts }) {
  const rows = tableOf(value);
  const words = query.toLowerCase();
  if (rows) return <Table rows={words ? rows.filter((row) => JSON.stringify(row).toLowerCase().includes(words)) : rows} texts={texts} />;
  const text = typeof value === "string" ? value : typeof value?.markdown === "string" ? value.markdown : null;
  if (text !== null) return <pre className="value">{words ? text.split("\n").filter((line) => line.toLowerCase().includes(words)).join("\n") : text}</pre>;
  return <Tree value={value} />;
}

function download(name, value) {
  const url = URL.createObjectURL(new Blob([typeof value === "string" ? value : JSON.stringify(value, null, 2)], { type: "application/json" }));
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  URL.revokeObjectURL(url);
}

// step: {ports: [[name, value, link]], logs: [[level, message]], problem, status}
export function ValueView({ step, texts }) {
  const [query, setQuery] = useState("");
  const [port, setPort] = useState(0);
  if (!step?.status && !step?.problem) return <p className="muted">{texts.none}</p>;
  const ports = step.ports ?? [];
  const chosen = ports[Math.min(port, ports.length - 1)];
  return (
    <div className="stack value-view">
      {step.problem && <div className="notice" role="alert"><p>{step.problem}</p></div>}
      {ports.length > 1 && (
        <div className="segmented">{ports.map(([name], index) => <button key={name} type="button" aria-pressed={chosen[0] === name} onClick={() => setPort(index)}>{name}</button>)}</div>
      )}
      {chosen && (
        <>
          <div className="row">
            <input className="input" type="search" value={query} placeholder={texts.search} aria-label={texts.search} onChange={(event) => setQuery(event.target.value)} style={{ flex: 1, width: "auto" }} />
            {chosen[2] ? <a className="btn small-btn" href={chosen[2]} download>{texts.download}</a> : <button type="button" className="btn small-btn" onClick={() => download(`${chosen[0]}.json`, chosen[1])}>{texts.download}</button>}
          </div>
          <Shown value={chosen[1]} query={query} texts={texts} />
        </>
      )}
      {!chosen && !step.problem && <p className="muted">{texts.empty}</p>}
      {step.logs?.length > 0 && (
        <section>
          <h3>{texts.logs}</h3>
          <ul className="loglines">{step.logs.map(([level, message], index) => <li key={index} className={`log-${level}`}>{message}</li>)}</ul>
        </section>
      )}
    </div>
  );
}
