// A table of any length: only the rows in sight are drawn. Rows are given, or come by the page from an address that
// answers {columns, rows, matched, total} and searches and sorts itself. Knows nothing of what the rows mean.
import { useEffect, useMemo, useRef, useState } from "react";
import { compareNumbers } from "$/public/jsx/digits.jsx";
import { digitsOf, isContainer, isNumber, readBody, writeJson } from "$/public/jsx/exact.jsx";
import { Refusal, Told, saidBy } from "$/public/jsx/told.jsx";

const ROW_PX = 30;
const PAGE = 100;
const SPARE = 8;
const SAMPLE = 60;

// Numbers with the digits they came with, what is nested as JSON.
export function cellText(value) {
  if (value === null || value === undefined) return "";
  return isContainer(value) ? writeJson(value) : digitsOf(value);
}

// A cell that shows what has no text of its own: no value, and a text without characters.
const NULL = "null", EMPTY = '""';
export function Blank({ value, texts }) {
  return value === "" ? <span className="cell-null" title={texts.emptyText}>{EMPTY}</span> : <span className="cell-null" title={texts.noValue}>{NULL}</span>;
}

const isBlank = (value) => value === null || value === undefined || value === "";

const kindOf = (values) => {
  const known = values.find((value) => value !== null && value !== undefined);
  return isNumber(known) ? "number" : typeof known === "boolean" ? "boolean" : isContainer(known) ? "other" : "text";
};

export function columnsOf(rows) {
  const names = [...new Set(rows.slice(0, 500).flatMap((row) => Object.keys(row)))];
  return names.map((name) => ({ name, kind: kindOf(rows.slice(0, SAMPLE).map((row) => row[name])) }));
}

function compare(a, b) {
  const empty = (value) => value === null || value === undefined;
  if (empty(a) || empty(b)) return empty(a) - empty(b);
  if (isNumber(a) && isNumber(b)) return compareNumbers(a, b);
  return cellText(a).localeCompare(cellText(b), undefined, { numeric: true });
}

// Given rows as the same thing a server gives: [index in the source, cells].
function useGiven(rows, search, sort) {
  return useMemo(() => {
    if (!rows) return null;
    const columns = columnsOf(rows);
    const words = search.toLowerCase();
    let found = rows.map((row, index) => [index, columns.map(({ name }) => row[name])]);
    if (words) found = found.filter(([, cells]) => cells.some((value) => cellText(value).toLowerCase().includes(words)));
    if (sort) {
      const at = columns.findIndex(({ name }) => name === sort.name);
      const sign = sort.descending ? -1 : 1;
      found = [...found].sort(([i, a], [j, b]) => {
        const blank = (cells) => cells[at] === null || cells[at] === undefined;
        return blank(a) || blank(b) ? blank(a) - blank(b) || i - j : sign * compare(a[at], b[at]) || i - j;
      });
    }
    return { columns, matched: found.length, total: rows.length, row: (index) => found[index] };
  }, [rows, search, sort]);
}

export async function getJson(address) {
  const answer = await fetch(address, { headers: { accept: "application/json" }, credentials: "same-origin" });
  const body = await readBody(answer);
  if (!answer.ok) throw new Refusal(answer.status, body);
  return body;
}

// Pages of a remote table; `want` asks for the pages of a range of rows.
function usePages(source, search, sort) {
  const [, redraw] = useState(0);
  const store = useRef({ key: "", pages: new Map(), asked: new Set(), head: null, problem: "" });
  const key = source ? JSON.stringify([source, search, sort]) : "";
  if (store.current.key !== key) store.current = { key, pages: new Map(), asked: new Set(), head: store.current.key && source ? store.current.head : null, problem: "", stale: true };
  const here = store.current;
  const ask = (page) => {
    if (!source || here.asked.has(page)) return;
    here.asked.add(page);
    const query = new URLSearchParams({ offset: page * PAGE, limit: PAGE, ...(search && { search }), ...(sort && { sort: sort.name, descending: sort.descending }) });
    getJson(`${source}?${query}`).then(
      (answer) => {
        here.pages.set(page, answer.rows);
        here.head = answer;
        here.stale = false;
        here.problem = "";
        if (store.current === here) redraw((count) => count + 1);
      },
      (error) => {
        here.problem = saidBy(error);
        if (store.current === here) redraw((count) => count + 1);
      },
    );
  };
  const want = (from, to) => {
    for (let page = Math.floor(from / PAGE); page <= Math.floor(Math.max(to - 1, from) / PAGE); page += 1) ask(page);
  };
  useEffect(() => ask(0), [key]); // eslint-disable-line
  if (!source) return null;
  const plain = !search && !sort;
  const again = () => {
    here.asked.clear();
    here.problem = "";
    ask(0);
    redraw((count) => count + 1);
  };
  return {
    want, again, problem: here.problem, loading: !here.head && !here.problem,
    columns: here.head?.columns ?? [], matched: here.head?.matched ?? 0, total: here.head?.total ?? 0,
    row: (index) => {
      const cells = here.pages.get(Math.floor(index / PAGE))?.[index % PAGE];
      return cells && [plain ? index : null, cells];
    },
  };
}

function useLater(value, ms) {
  const [late, setLate] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setLate(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return late;
}

export function DataTable({ rows = null, source = "", search = "", texts, onRow }) {
  const [sort, setSort] = useState(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(320);
  const [picked, setPicked] = useState(null);
  const box = useRef(null);
  const late = useLater(search, source ? 250 : 0);
  const given = useGiven(source ? null : rows, late, sort);
  const pages = usePages(source, late, sort);
  const table = given ?? pages;
  const first = Math.max(0, Math.floor(top / ROW_PX) - SPARE);
  const last = Math.min(table.matched, Math.ceil((top + height) / ROW_PX) + SPARE);
  useEffect(() => {
    pages?.want(first, last);
  });
  useEffect(() => {
    const watcher = new ResizeObserver(([entry]) => setHeight(entry.contentRect.height));
    if (box.current) watcher.observe(box.current);
    return () => watcher.disconnect();
  }, []);
  useEffect(() => {
    box.current?.scrollTo?.({ top: 0 });
    setPicked(null);
    onRow?.(null);
  }, [late, sort, source]); // eslint-disable-line
  const widths = useRef({ key: "", ch: [] });
  const known = table.columns.map(({ name }) => name).join("\u0000");
  if (widths.current.key !== known && table.row(0)) {
    const sample = Array.from({ length: Math.min(SAMPLE, table.matched) }, (_, index) => table.row(index)?.[1]).filter(Boolean);
    widths.current = { key: known, ch: table.columns.map(({ name }, at) => Math.min(38, Math.max(name.length + 3, 5, ...sample.map((cells) => cellText(cells[at]).length + 1)))) };
  }
  if (pages?.problem) {
    return (
      <div className="notice" role="alert">
        <p><Told said={pages.problem} /></p>
        <button type="button" className="btn small-btn" onClick={pages.again}>{texts.retry}</button>
      </div>
    );
  }
  if (pages?.loading) return <div className="skeleton line" role="status" aria-label={texts.loading} />;
  const turn = (name) => setSort((now) => (now?.name !== name ? { name, descending: false } : now.descending ? null : { name, descending: true }));
  const pick = (index, found) => {
    if (!found) return;
    setPicked(index);
    onRow?.({ index: found[0], value: Object.fromEntries(table.columns.map(({ name }, at) => [name, found[1][at]])) });
  };
  const lines = [];
  for (let index = first; index < last; index += 1) {
    const found = table.row(index);
    lines.push(
      <tr key={index} aria-rowindex={index + 2} aria-selected={onRow ? index === picked : undefined} style={{ height: ROW_PX }} onClick={() => pick(index, found)}>
        <td className="grid-n num muted">{(found?.[0] ?? index) + 1}</td>
        {table.columns.map(({ name, kind }, at) => {
          const cell = found?.[1][at];
          const text = found ? cellText(cell) : "…";
          return <td key={name} className={kind === "number" ? "num right" : ""} title={text.length > 24 ? text : undefined}>{found && isBlank(cell) ? <Blank value={cell} texts={texts} /> : text}</td>;
        })}
        <td aria-hidden="true" />
      </tr>,
    );
  }
  const space = (rowsAway) => (rowsAway > 0 ? <tr aria-hidden="true" style={{ height: rowsAway * ROW_PX }}><td colSpan={table.columns.length + 2} style={{ padding: 0, border: 0 }} /></tr> : null);
  const keys = (event) => {
    if (!onRow || (event.key !== "ArrowDown" && event.key !== "ArrowUp") || picked === null) return;
    event.preventDefault();
    const next = Math.min(table.matched - 1, Math.max(0, picked + (event.key === "ArrowDown" ? 1 : -1)));
    pick(next, table.row(next));
    const at = next * ROW_PX;
    if (at < top || at + 3 * ROW_PX > top + height) box.current.scrollTop = Math.max(0, at - height / 2);
  };
  return (
    <>
      <div ref={box} className="grid-box" tabIndex={0} role="region" aria-label={texts.table} onScroll={(event) => setTop(event.currentTarget.scrollTop)} onKeyDown={keys} style={{ height: Math.min(420, (table.matched + 1) * ROW_PX + 14) }}>
        <table className="data grid" aria-rowcount={table.matched + 1}>
          <colgroup><col style={{ width: "6ch" }} />{widths.current.ch.map((ch, at) => <col key={at} style={{ width: `${ch}ch` }} />)}<col /></colgroup>
          <thead>
            <tr>
              <th scope="col" className="grid-n" aria-label={texts.row} />
              {table.columns.map(({ name, kind }) => (
                <th key={name} scope="col" className={kind === "number" ? "right" : ""} aria-sort={sort?.name === name ? (sort.descending ? "descending" : "ascending") : "none"}>
                  <button type="button" title={name} onClick={() => turn(name)}>{name}<span aria-hidden="true">{sort?.name === name ? (sort.descending ? " ↓" : " ↑") : ""}</span></button>
                </th>
              ))}
              <th aria-hidden="true" />
            </tr>
          </thead>
          <tbody>
            {space(first)}
            {lines}
            {space(table.matched - last)}
          </tbody>
        </table>
      </div>
      <p className="muted small" role="status">
        {(late ? texts.found : texts.rows).replace("{shown}", table.matched.toLocaleString()).replace("{all}", table.total.toLocaleString())}
      </p>
    </>
  );
}
