// What is recognised in a file, on the form of what reads it: format, encoding, signs, header and the type of each column,
// each to be changed, with the first rows below. Knows no words of the program around it.
import { useEffect, useId, useMemo, useState } from "react";
import { Blank } from "$/public/jsx/data_table.jsx";
import { sameValue } from "$/public/jsx/digits.jsx";
import { digitsOf, isNumber, readBody, writeJson } from "$/public/jsx/exact.jsx";
import { Refusal, Told, saidBy } from "$/public/jsx/told.jsx";

const PAUSE_MS = 350;
const MOST_COLUMNS = 40;
const SETTINGS = ["format", "encoding", "delimiter", "decimal", "has_header", "sheet"];
// What a setting can be where the schema does not say it.
const DELIMITERS = [",", ";", "tab", "|"];
const DATES = ["date", "datetime"];
const NUMBERS = ["integer", "decimal", "number"];
// A place that the sentence names itself.
const LINE = /^line \d+$/;

const isExpression = (value) => typeof value === "string" && value.includes("{{");
const textOf = (value) => (value === null || value === undefined ? "" : isNumber(value) ? digitsOf(value) : String(value));

// Which fields of the form stand here while a file is looked at: those that hold no expression.
export function shownInPreview(values) {
  return [...SETTINGS, "types", "recognised"].filter((name) => !isExpression(values[name]));
}

// What the server finds in the file, and whether that is of other settings; asked again a little after file or settings changed.
function useLook(href, file, settings, tries) {
  const [state, setState] = useState({ found: null, problem: null, asked: "" });
  const body = writeJson({ file, parameters: settings });
  useEffect(() => {
    const stop = new AbortController();
    const ask = async () => {
      try {
        const answer = await fetch(href, { method: "POST", credentials: "same-origin", headers: { "content-type": "application/json", accept: "application/json" }, body, signal: stop.signal });
        const found = await readBody(answer);
        if (!answer.ok) throw new Refusal(answer.status, found);
        setState({ found, problem: null, asked: body });
      } catch (error) {
        if (!stop.signal.aborted) setState((before) => ({ ...before, problem: saidBy(error), asked: body }));
      }
    };
    const timer = setTimeout(ask, PAUSE_MS);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [href, body, tries]);
  return { ...state, old: state.asked !== body };
}

function Setting({ name, value, fallback, found, options, texts, readOnly, problem, onSet, onUnset }) {
  const id = useId();
  const chosen = value !== undefined && value !== null && !sameValue(value, fallback);
  const known = chosen && !options.some((each) => sameValue(each, value)) ? [...options, value] : options;
  const said = (each) => texts[`${name}_${textOf(each)}`] ?? textOf(each);
  const change = (event) => (event.target.value === "" ? onUnset(name) : onSet(name, known.find((each) => textOf(each) === event.target.value)));
  const sure = typeof fallback === "boolean";
  const seen = sure ? fallback : found === "auto" ? "" : found;
  const auto = !sure && (chosen || seen === "" || seen === undefined || seen === null) ? texts.auto : said(seen);
  // What is recognised stands there once: as that.
  const others = known.filter((each) => (sure ? each !== fallback : chosen || !sameValue(each, seen ?? null)));
  return (
    <div className={`look-setting${chosen ? " is-chosen" : ""}`} data-field={name}>
      <div className="look-label">
        <label htmlFor={id}>{texts[name]}</label>
        {!chosen && !sure && <span className="muted" id={`${id}-how`}>{texts.recognised}</span>}
      </div>
      <select id={id} className="input" value={chosen ? textOf(value) : ""} disabled={readOnly} aria-invalid={problem ? true : undefined} aria-describedby={!chosen && !sure ? `${id}-how` : undefined} onChange={change}>
        <option value="">{auto}</option>
        {others.map((each) => <option key={textOf(each)} value={textOf(each)}>{said(each)}</option>)}
      </select>
      {problem?.said && <span className="error" role="alert"><Told said={problem.said} /></span>}
    </div>
  );
}

// The head of a column: its name, its type and, of dates, how they are written.
function Column({ column, own, choices, texts, readOnly, onType }) {
  const [pattern, setPattern] = useState(own?.pattern ?? "");
  useEffect(() => setPattern(own?.pattern ?? ""), [own?.pattern]);
  const send = () => pattern !== (own?.pattern ?? "") && onType(column.name, own.type, pattern.trim());
  const type = (each) => texts[`type_${each}`] ?? each;
  return (
    <th scope="col" className={NUMBERS.includes(column.type) ? "right" : ""}>
      <span className="look-name" title={column.name}>{column.name}</span>
      <select className={`input${own ? " is-chosen" : ""}`} value={own ? own.type : ""} disabled={readOnly} aria-label={texts.type_of.replace("{name}", column.name)} onChange={(event) => onType(column.name, event.target.value, pattern.trim())}>
        <option value="">{own ? texts.auto : type(column.type)}</option>
        {choices.map((each) => <option key={each} value={each}>{type(each)}</option>)}
      </select>
      {own && DATES.includes(own.type) && (
        <input className="input mono" value={pattern} placeholder="%d.%m.%Y" readOnly={readOnly} aria-label={texts.pattern_of.replace("{name}", column.name)} onChange={(event) => setPattern(event.target.value)} onBlur={send} onKeyDown={(event) => event.key === "Enter" && send()} />
      )}
    </th>
  );
}

function Rows({ found, types, choices, texts, readOnly, onType }) {
  const [all, setAll] = useState(false);
  const shown = all ? found.columns : found.columns.slice(0, MOST_COLUMNS);
  return (
    <>
      <div className="grid-box look-rows" tabIndex={0} role="region" aria-label={texts.rows}>
        <table className="data grid look-grid">
          <thead>
            <tr>
              <th scope="col" className="grid-n" aria-label={texts.row} />
              {shown.map((column) => <Column key={column.name} column={column} own={types.find((each) => each.column === column.name)} {...{ choices, texts, readOnly, onType }} />)}
            </tr>
          </thead>
          <tbody>
            {found.rows.map((cells, index) => (
              <tr key={index}>
                <td className="grid-n num muted">{index + 1}</td>
                {shown.map((column, at) => <td key={column.name} className={NUMBERS.includes(column.type) ? "num right" : ""} title={(cells[at] ?? "").length > 24 ? cells[at] : undefined}>{cells[at] || <Blank value={cells[at]} texts={texts} />}</td>)}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {found.rows.length === 0 && <p className="muted small">{texts.no_rows}</p>}
      {shown.length < found.columns.length && <button type="button" className="btn small-btn" onClick={() => setAll(true)}>{texts.all_columns.replace("{count}", found.columns.length)}</button>}
    </>
  );
}

// `schema` is that of the form, `values` what it holds; a change is told as `onSet(name, value)` or `onUnset(name)`.
export function FilePreview({ href, file, schema, values, problems = {}, texts, readOnly, onSet, onUnset }) {
  const [tries, setTries] = useState(0);
  const settings = useMemo(() => Object.fromEntries(Object.entries(values).filter(([name, value]) => name !== "file" && value !== undefined && !isExpression(value) && schema.properties[name])), [values, schema]);
  const { found, problem, old } = useLook(href, file, settings, tries);
  const again = <button type="button" className="btn small-btn" onClick={() => setTries(tries + 1)}>{texts.retry}</button>;
  if (problem && !old) return <div className="notice look" role="alert"><div><p><Told said={problem} /></p>{again}</div></div>;
  if (!found) return <div className="skeleton line look" role="status" aria-label={texts.loading} />;
  const types = Array.isArray(values.types) ? values.types : [];
  const choices = (schema.$defs?.ColumnType?.properties?.type?.enum ?? []).filter((each) => each !== "auto");
  const onType = (column, type, pattern) => {
    const others = types.filter((each) => each.column !== column);
    const next = type === "" ? others : [...others, { column, type, ...(DATES.includes(type) && pattern ? { pattern } : {}) }];
    if (next.length) onSet("types", next);
    else onUnset("types");
  };
  const table = found.columns.length > 0;
  const fits = { delimiter: found.format === "csv", decimal: found.format === "csv", has_header: ["csv", "excel"].includes(found.format), sheet: found.format === "excel", encoding: found.format !== "excel" };
  const options = { encoding: found.encodings, delimiter: DELIMITERS, sheet: found.sheets, has_header: [true, false] };
  const pinned = values.recognised && typeof values.recognised === "object";
  return (
    <section className={`look${old ? " old" : ""}`} aria-label={texts.title} aria-busy={old}>
      <div className="look-settings">
        {SETTINGS.filter((name) => schema.properties[name] && fits[name] !== false && !isExpression(values[name])).map((name) => (
          <Setting
            key={name} name={name} value={values[name]} fallback={schema.properties[name].default} found={name === "format" ? found.format : found.recognised[name]}
            options={(options[name] ?? schema.properties[name].enum ?? []).filter((each) => each !== "auto")} texts={texts} readOnly={readOnly} problem={problems[name]} onSet={onSet} onUnset={onUnset}
          />
        ))}
      </div>
      {found.problems.map((each, at) => (
        <p key={at} className="error" role="alert"><Told said={each} part="message" /> {each.where && each.where !== file && !LINE.test(each.where) && <code>{each.where}</code>} <span className="muted"><Told said={each} part="hint" /></span></p>
      ))}
      {problems.types?.said && <p className="error" role="alert"><Told said={problems.types.said} /></p>}
      {table && !isExpression(values.types) && <Rows {...{ found, types, choices, texts, readOnly, onType }} />}
      {!table && found.text && <pre className="value look-text" tabIndex={0}>{found.text}</pre>}
      {!table && !found.text && !found.problems.length && <p className="muted small">{texts.no_rows}</p>}
      <p className="muted small" role="status">
        {table && texts.seen.replace("{shown}", found.rows.length.toLocaleString()).replace("{seen}", found.rows_seen.toLocaleString())}
        {table && !found.complete && ` ${texts.part}`}
      </p>
      {!readOnly && table && (
        <div className="row tight look-pin">
          {pinned ? (
            <>
              <span className="small">{texts.pinned}</span>
              <button type="button" className="btn small-btn" onClick={() => onUnset("recognised")}>{texts.unpin}</button>
            </>
          ) : (
            <button type="button" className="btn small-btn" title={texts.pin_hint} onClick={() => onSet("recognised", found.recognised)}>{texts.pin}</button>
          )}
        </div>
      )}
      {pinned && problems.recognised?.said && <p className="error" role="alert"><Told said={problems.recognised.said} /></p>}
    </section>
  );
}
