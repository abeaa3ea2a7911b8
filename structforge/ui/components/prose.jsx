// Plain Markdown (headings, paragraphs, lists, code, tables, emphasis) as elements: never as HTML, so a text
// cannot bring a script or load anything.
import { Fragment } from "react";
import { useWorded } from "$/public/jsx/told.jsx";

const INLINE = /(`[^`]+`|\*\*[^*]+\*\*|\*[^*\s][^*]*\*|\[[^\]]+\]\([^)\s]+\))/g;

function inline(text) {
  return text.split(INLINE).map((part, at) => {
    if (at % 2 === 0) return part;
    if (part.startsWith("`")) return <code key={at}>{part.slice(1, -1)}</code>;
    if (part.startsWith("**")) return <strong key={at}>{inline(part.slice(2, -2))}</strong>;
    if (part.startsWith("*")) return <em key={at}>{inline(part.slice(1, -1))}</em>;
    const [, words, target] = /^\[([^\]]+)\]\(([^)\s]+)\)$/.exec(part);
    return /^(https?:|\/(?!\/))/.test(target) ? <a key={at} href={target} rel="noreferrer">{words}</a> : words;
  });
}

const cells = (line) => line.replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));

function block(lines, at) {
  const first = lines[0];
  const heading = /^(#{1,6})\s+(.*)/.exec(first);
  if (heading && lines.length === 1) {
    const Tag = `h${Math.min(heading[1].length + 1, 6)}`;
    return <Tag key={at}>{inline(heading[2])}</Tag>;
  }
  if (lines.length > 1 && first.startsWith("|") && /^\|[\s:|-]+\|?$/.test(lines[1])) {
    return (
      <div key={at} className="table-wrap" tabIndex={0}>
        <table className="data">
          <thead><tr>{cells(first).map((cell, n) => <th key={n} scope="col">{inline(cell)}</th>)}</tr></thead>
          <tbody>{lines.slice(2).map((line, n) => <tr key={n}>{cells(line).map((cell, m) => <td key={m}>{inline(cell)}</td>)}</tr>)}</tbody>
        </table>
      </div>
    );
  }
  const bullet = /^\s*([-*]|\d+\.)\s+/;
  if (bullet.test(first)) {
    const items = [];
    for (const line of lines) bullet.test(line) || !items.length ? items.push(line.replace(bullet, "")) : (items[items.length - 1] += ` ${line.trim()}`);
    const Tag = /^\s*\d/.test(first) ? "ol" : "ul";
    return <Tag key={at}>{items.map((item, n) => <li key={n}>{inline(item)}</li>)}</Tag>;
  }
  return <p key={at}>{inline(lines.map((line) => line.trim()).join(" "))}</p>;
}

// `name`: what a catalogue may have the text under.
export function Prose({ text: own = "", name = "" }) {
  const worded = useWorded();
  const text = name ? worded(name, own) : own;
  const blocks = [];
  let lines = [];
  let code = null;
  const flush = () => {
    if (lines.length) blocks.push(block(lines, blocks.length));
    lines = [];
  };
  for (const line of text.split("\n")) {
    if (line.startsWith("```")) {
      if (code === null) flush();
      else blocks.push(<pre key={blocks.length} className="value" tabIndex={0}>{code.join("\n")}</pre>);
      code = code === null ? [] : null;
    } else if (code !== null) code.push(line);
    else if (!line.trim()) flush();
    else if (/^#{1,6}\s/.test(line)) {
      flush();
      lines = [line];
      flush();
    } else lines.push(line);
  }
  if (code !== null) blocks.push(<pre key={blocks.length} className="value" tabIndex={0}>{code.join("\n")}</pre>);
  flush();
  return <div className="prose">{blocks.map((each, at) => <Fragment key={at}>{each}</Fragment>)}</div>;
}
