// The widgets of a form made of a JSON Schema, one for each kind of value. Knows no words of the program around it.
import { Suspense, createContext, lazy, useContext, useEffect, useRef, useState } from "react";
import { Told, useWorded } from "$/public/jsx/told.jsx";

const CodeField = lazy(() => import("$/public/jsx/code.jsx"));
const PAUSE_MS = 700;

// What all fields of a form share: `{texts, readOnly, scope, help, helpTexts, files, preview, onPreview}`.
export const FormContext = createContext({ texts: {} });

export const PLAIN_KEY = /^[A-Za-z_][A-Za-z0-9_]*$/;
export const below = (path, key) => (typeof key === "number" ? `${path}[${key}]` : PLAIN_KEY.test(key) ? (path ? `${path}.${key}` : key) : `${path}[${JSON.stringify(key)}]`);
export const isExpression = (value) => typeof value === "string" && value.includes("{{");
export const shown = (value) => (value === undefined || value === null ? "" : typeof value === "string" ? value : JSON.stringify(value, null, 2));

export function resolved(schema, root) {
  let found = schema ?? {};
  while (found.$ref) {
    const { $ref, ...rest } = found;
    found = { ...$ref.slice(2).split("/").reduce((at, part) => at?.[part], root), ...rest };
  }
  const options = found.anyOf ?? found.oneOf;
  if (options) {
    const real = options.map((option) => resolved(option, root)).filter((option) => option.type !== "null");
    const nullable = real.length < options.length;
    const plain = { ...found, anyOf: undefined, oneOf: undefined, nullable };
    if (real.length === 1) return { ...plain, ...real[0], title: found.title ?? real[0].title, description: found.description ?? real[0].description, default: found.default, nullable };
    // Words to choose from, or else a number: one list that takes both.
    const words = real.find((option) => option.enum);
    const number = real.find((option) => ["integer", "number"].includes(option.type));
    if (real.length === 2 && words && number) return { ...plain, choices: words.enum, bounds: number };
    return { ...plain, mixed: true };
  }
  if (found.allOf?.length === 1) return resolved({ ...found, allOf: undefined, ...found.allOf[0] }, root);
  return found;
}

const FORMATS = { date: "date", "date-time": "datetime-local", time: "time" };

export function kindOf(schema) {
  const widget = schema["x-widget"];
  if (widget === "file" || widget === "fields") return widget;
  if (schema.choices) return "choice";
  if (schema.const !== undefined) return "text";
  if (widget === "json") return "json";
  if (schema.enum) return "select";
  if (schema.type === "boolean") return "checkbox";
  if (schema.type === "integer" || schema.type === "number") return "number";
  if (schema.type === "array") return schema.items && Object.keys(schema.items).length ? "list" : "json";
  if (schema.type === "object") return schema.properties ? "group" : schema.additionalProperties === false ? "json" : "pairs";
  if (schema.type === "string") {
    if (FORMATS[schema.format]) return "date";
    return ["multiline", "code"].includes(widget) || schema["x-language"] ? "multiline" : widget === "password" ? "password" : "text";
  }
  return "any";
}

// Kinds whose own widget cannot hold the text of an expression.
export const CLOSED = new Set(["number", "checkbox", "select", "list", "pairs", "group", "date", "choice"]);

export function starting(schema, root) {
  const real = resolved(schema, root);
  if (real.default !== undefined) return real.default;
  if (real.enum) return real.enum[0];
  if (real.type === "object") return Object.fromEntries((real.required ?? []).map((name) => [name, starting(real.properties[name], root)]));
  if (real.type === "array") return [];
  if (real.type === "boolean") return false;
  if (real.type === "number" || real.type === "integer") return Math.max(real.minimum ?? 0, 0);
  return "";
}

// A text that stays the person's own while they type; what comes from outside waits until they stop.
export function useDraft(value, toText, commit, path) {
  const { onBegin } = useContext(FormContext);
  const [text, setText] = useState(() => toText(value));
  const state = useRef({ typing: false, timer: 0, text, commit });
  state.current.commit = commit;
  useEffect(() => {
    if (!state.current.typing) setText(toText(value));
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [JSON.stringify(value)]);
  const flush = () => {
    clearTimeout(state.current.timer);
    if (!state.current.typing) return;
    state.current.typing = false;
    state.current.commit(state.current.text);
  };
  useEffect(() => flush, []); // eslint-disable-line react-hooks/exhaustive-deps
  const change = (next) => {
    if (!state.current.typing && path) onBegin?.(path);
    state.current.typing = true;
    state.current.text = next;
    setText(next);
    clearTimeout(state.current.timer);
    state.current.timer = setTimeout(flush, PAUSE_MS);
  };
  return [text, change, flush];
}

const hintOf = (schema) => schema["x-placeholder"] ?? (schema.default !== undefined && schema.default !== null && schema.default !== "" ? shown(schema.default) : "");

// ---- texts -----------------------------------------------------------------------------------------------------

// What an expression gives now, told by the server for the field that was written in last.
function Evaluated({ path, text }) {
  const { preview, texts } = useContext(FormContext);
  if (!preview || preview.path !== path || preview.asked !== text.slice(0, 2000) || preview.state === "constant") return null;
  if (preview.state === "error") return <p className="fx-preview is-wrong" role="status"><Told said={preview} /></p>;
  if (preview.state === "large") return <p className="fx-preview" role="status">{texts.previewLarge}</p>;
  if (preview.state === "unknown") return <p className="fx-preview" role="status">{texts.previewUnknown} <code>{preview.names.join(", ")}</code></p>;
  const kind = `${texts[`kind_${preview.kind}`] ?? preview.kind}${preview.size ? ` (${preview.size})` : ""}`;
  return (
    <div className="fx-preview" role="status">
      <span className="fx-kind">{kind}</span>
      <pre>{preview.text ?? ""}{preview.cut ? " …" : ""}</pre>
    </div>
  );
}

const ASK_MS = 350;

export function TextInput({ id, label, schema, value, onChange, readOnly, invalid, multiline, described, literal, path, labelledBy, onLines, toText = shown, fault }) {
  const { scope, help, helpTexts, onPreview, preview } = useContext(FormContext);
  const [text, change, flush] = useDraft(value, toText, onChange, path);
  const language = schema["x-language"] ?? "";
  const hidden = schema["x-widget"] === "password";
  const expression = !literal && text.includes("{{");
  const [focused, setFocused] = useState(false);
  const ask = useRef(onPreview);
  ask.current = onPreview;
  useEffect(() => {
    if (!focused || !expression || hidden || !ask.current) return;
    const timer = setTimeout(() => ask.current(path, text), ASK_MS);
    return () => clearTimeout(timer);
  }, [focused, expression, hidden, path, text, scope]);
  if (hidden) {
    return <input id={id} className="input" type="password" value={text} readOnly={readOnly} aria-invalid={invalid || undefined} aria-describedby={described} aria-label={label} autoComplete="off" placeholder={hintOf(schema)} onChange={(event) => change(event.target.value)} onBlur={flush} onKeyDown={(event) => event.key === "Enter" && flush()} />;
  }
  const columns = schema["x-suggest"] === "columns" || ["columns", "row_expression"].includes(schema["x-widget"]) || language === "row-expression";
  const wrong = preview?.path === path && preview.state === "error" && preview.asked === text ? [{ start: preview.start ?? 0, end: preview.end ?? 0 }] : [];
  return (
    <>
      <Suspense fallback={<div className={`code input${multiline ? " many" : ""}`}>{text}</div>}>
        <CodeField
          id={id} label={label} labelledBy={labelledBy} describedBy={described} invalid={invalid} value={text} readOnly={readOnly}
          multiline={multiline} language={language || (schema["x-widget"] === "row_expression" ? "row-expression" : "")} placeholder={hintOf(schema)}
          expressions={!literal} scope={scope} help={help} helpTexts={helpTexts} suggestions={columns ? scope?.columns : undefined}
          faults={wrong.length ? wrong : (fault?.spans ?? [])} spellCheck={language === "markdown"} onLines={onLines}
          onChange={(next) => next !== text && change(next)} onEnter={flush} onFocus={() => setFocused(true)} onLeave={() => { setFocused(false); flush(); }}
        />
      </Suspense>
      {expression && <Evaluated path={path} text={text} />}
    </>
  );
}

// JSON with `{{ }}` in its texts; what is no JSON is told and not sent, except where a whole text is an expression.
export function JsonInput(props) {
  const { texts } = useContext(FormContext);
  const [wrong, setWrong] = useState("");
  const commit = (next) => {
    if (next.trim() === "") {
      setWrong("");
      return props.onUnset();
    }
    try {
      props.onChange(JSON.parse(next));
      setWrong("");
    } catch (error) {
      if (next.trim().startsWith("{{")) {
        setWrong("");
        props.onChange(next);
      } else setWrong(`${texts.notJson} ${error.message}`);
    }
  };
  const toText = (each) => (each === undefined || each === null ? "" : isExpression(each) ? each : JSON.stringify(each, null, 2));
  return (
    <>
      <TextInput {...props} multiline schema={{ "x-language": "json", "x-placeholder": props.schema["x-placeholder"] ?? shown(props.schema.default ?? undefined) }} toText={toText} onChange={commit} invalid={Boolean(wrong) || props.invalid} />
      {wrong && <p className="error" role="alert">{wrong}</p>}
    </>
  );
}

// A value of any type: JSON where it reads as JSON, text otherwise.
export function AnyInput(props) {
  const read = (text) => {
    try {
      const value = JSON.parse(text);
      return typeof value === "string" ? text : value;
    } catch {
      return text;
    }
  };
  const long = typeof props.value === "object" && props.value !== null;
  return <TextInput {...props} multiline={long || props.multiline} schema={long ? { ...props.schema, "x-language": "json" } : props.schema} onChange={(text) => props.onChange(read(text))} />;
}

// ---- numbers, dates, choices ---------------------------------------------------------------------------------------

export function boundsOf(schema, texts) {
  const low = schema.minimum ?? schema.exclusiveMinimum;
  const high = schema.maximum ?? schema.exclusiveMaximum;
  if (low === undefined && high === undefined) return "";
  if (high === undefined) return texts.atLeast?.replace("{low}", low) ?? "";
  return low === undefined ? (texts.atMost?.replace("{high}", high) ?? "") : `${low} – ${high}`;
}

export function NumberInput({ path, id, label, labelledBy, schema, value, onChange, onUnset, readOnly, invalid, described }) {
  const [text, change, flush] = useDraft(value, shown, (next) => {
    if (next.trim() === "") return onUnset();
    const number = Number(next);
    onChange(Number.isFinite(number) ? number : next);
  }, path);
  const step = (by) => {
    const low = schema.minimum ?? -Infinity, high = schema.maximum ?? Infinity;
    const from = Number(text === "" ? (schema.default ?? 0) : text);
    if (Number.isFinite(from)) change(String(Math.min(high, Math.max(low, from + by))));
  };
  return (
    <input
      id={id} className="input num" inputMode="decimal" value={text} readOnly={readOnly} autoComplete="off" placeholder={shown(schema.default)} role="spinbutton"
      aria-label={label} aria-labelledby={labelledBy} aria-invalid={invalid || undefined} aria-describedby={described} aria-valuemin={schema.minimum} aria-valuemax={schema.maximum} aria-valuenow={Number.isFinite(Number(text)) && text !== "" ? Number(text) : undefined}
      onChange={(event) => change(event.target.value)} onBlur={flush}
      onKeyDown={(event) => {
        if (event.key === "Enter") flush();
        const by = { ArrowUp: 1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
        if (by && !readOnly) {
          event.preventDefault();
          step(by);
        }
      }}
    />
  );
}

export function DateInput({ id, label, labelledBy, schema, value, onChange, onUnset, readOnly, invalid, described }) {
  const type = FORMATS[schema.format];
  return <input id={id} className="input num" type={type} value={String(value ?? schema.default ?? "").slice(0, type === "datetime-local" ? 16 : undefined)} readOnly={readOnly} aria-label={label} aria-labelledby={labelledBy} aria-invalid={invalid || undefined} aria-describedby={described} onChange={(event) => (event.target.value ? onChange(event.target.value) : onUnset())} />;
}

const choiceText = (each, names, worded) => names?.[String(each)] ?? worded(`choice:${each}`, String(each).replaceAll("_", " "));

export function SelectInput({ id, label, labelledBy, schema, value, onChange, onUnset, readOnly, invalid, described }) {
  const { names } = useContext(FormContext);
  const worded = useWorded();
  const empty = value === undefined || value === null;
  // A value that is no longer among the choices stays visible until another is chosen.
  const known = schema.enum.filter((each) => each !== null);
  const stray = !empty && !known.includes(value) ? [value] : [];
  return (
    <select id={id} className="input" value={empty ? "" : String(value)} disabled={readOnly} aria-label={label} aria-labelledby={labelledBy} aria-invalid={invalid || undefined} aria-describedby={described} onChange={(event) => (event.target.value === "" ? onUnset() : onChange(known.find((each) => String(each) === event.target.value)))}>
      {(empty || schema.nullable) && <option value="">{schema.default !== undefined && schema.default !== null ? choiceText(schema.default, names, worded) : "–"}</option>}
      {[...known, ...stray].map((each) => <option key={String(each)} value={String(each)}>{choiceText(each, names, worded)}</option>)}
    </select>
  );
}

// One of some words, or a number instead.
export function ChoiceInput(props) {
  const { schema, value, onChange, readOnly } = props;
  const { names, texts } = useContext(FormContext);
  const worded = useWorded();
  const numeric = typeof value === "number";
  const now = value ?? schema.default;
  return (
    <div className="form-choice">
      <select id={props.id} className="input" value={numeric ? "#" : String(now)} disabled={readOnly} aria-labelledby={props.labelledBy} aria-describedby={props.described} onChange={(event) => onChange(event.target.value === "#" ? 60 : event.target.value)}>
        {schema.choices.map((each) => <option key={each} value={each}>{choiceText(each, names, worded)}</option>)}
        <option value="#">{texts.seconds}</option>
      </select>
      {numeric && <NumberInput {...props} id={`${props.id}-n`} labelledBy={undefined} label={texts.seconds} schema={schema.bounds} />}
    </div>
  );
}

// One of what is offered, or a text of one's own. A value that is not offered shows as such a text.
export function PickInput(props) {
  const { id, value, offered, onChange, onUnset, readOnly } = props;
  const { texts } = useContext(FormContext);
  const [own, setOwn] = useState(false);
  const text = shown(value);
  const found = offered.find((each) => each.value === text) ?? offered.find((each) => each.text === text);
  const free = own || (text !== "" && !found);
  const choose = (next) => {
    setOwn(next === "#");
    if (next === "") onUnset();
    else if (next !== "#") onChange(next);
  };
  return (
    <>
      <select id={id} className="input" value={free ? "#" : (found?.value ?? "")} disabled={readOnly} aria-label={props.label} aria-labelledby={props.labelledBy} aria-invalid={props.invalid || undefined} aria-describedby={props.described} onChange={(event) => choose(event.target.value)}>
        <option value="">{texts.none}</option>
        {offered.map((each) => <option key={each.value} value={each.value}>{each.text}</option>)}
        <option value="#">{texts.other}</option>
      </select>
      {free && <TextInput {...props} id={`${id}-own`} />}
    </>
  );
}

// A file of the workspace by its path, or one to upload; `files` is the address that lists, takes and gives them.
export function FileInput(props) {
  const { files, texts } = useContext(FormContext);
  const [known, setKnown] = useState([]);
  const [state, setState] = useState("");
  const pick = useRef(null);
  const read = () => files && fetch(files, { credentials: "same-origin" }).then((answer) => (answer.ok ? answer.json() : { items: [] })).then((found) => setKnown(found.items.map((each) => each.path))).catch(() => {});
  useEffect(() => {
    read();
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [files]);
  const upload = async (file) => {
    if (!file) return;
    setState(texts.uploading);
    try {
      const answer = await fetch(`${files}/${file.name.split("/").map(encodeURIComponent).join("/")}`, { method: "PUT", credentials: "same-origin", body: file });
      const said = await answer.json().catch(() => ({}));
      if (!answer.ok) return setState(said.problems?.[0] ?? texts.uploadFailed);
      setState("");
      props.onChange(said.path ?? file.name);
      read();
    } catch {
      setState(texts.uploadFailed);
    }
  };
  const stored = typeof props.value === "string" && known.includes(props.value) ? props.value : "";
  return (
    <>
      {known.length > 0 && !isExpression(props.value) && (
        <select className="input" aria-label={texts.chooseFile} value={stored} disabled={props.readOnly} onChange={(event) => event.target.value && props.onChange(event.target.value)}>
          <option value="">{texts.chooseFile}</option>
          {known.map((path) => <option key={path} value={path}>{path}</option>)}
        </select>
      )}
      <AnyInput {...props} />
      {!props.readOnly && files && (
        <div className="row tight">
          <button type="button" className="btn small-btn" onClick={() => pick.current.click()}>{texts.upload}</button>
          <input ref={pick} type="file" className="visually-hidden" tabIndex={-1} aria-label={texts.upload} onChange={(event) => { upload(event.target.files[0]); event.target.value = ""; }} />
          {state && <span className="small muted" role="status"><Told said={state} /></span>}
        </div>
      )}
    </>
  );
}

// ---- lists and tables ----------------------------------------------------------------------------------------------

export function RowTools({ index, count, label, onMove, onRemove, texts }) {
  return (
    <span className="form-item-tools">
      <button type="button" className="btn ghost icon" disabled={index === 0} aria-label={`${texts.up} ${label}`} title={texts.up} onClick={() => onMove(index, index - 1)}>↑</button>
      <button type="button" className="btn ghost icon" disabled={index === count - 1} aria-label={`${texts.down} ${label}`} title={texts.down} onClick={() => onMove(index, index + 1)}>↓</button>
      <button type="button" className="btn ghost icon" aria-label={`${texts.remove} ${label}`} title={texts.remove} onClick={() => onRemove(index)}>×</button>
    </span>
  );
}

export const moved = (list, from, to) => {
  const next = list.filter((_, at) => at !== from);
  next.splice(to, 0, list[from]);
  return next;
};

// Names with values. Rows without a name, or with one that is there already, wait here until they can be sent.
export function Pairs({ id, value, onChange, readOnly, literal, path, problems, labelledBy }) {
  const { texts } = useContext(FormContext);
  const entries = Object.entries(value && typeof value === "object" && !Array.isArray(value) ? value : {});
  const [draft, setDraft] = useState(null);
  const rows = draft ?? entries;
  const put = (next) => {
    const names = next.map(([key]) => key);
    const complete = next.filter(([key], at) => key.trim() && names.indexOf(key) === at);
    setDraft(complete.length === next.length ? null : next);
    onChange(Object.fromEntries(complete));
  };
  return (
    <div className="form-rows" id={id} role="group" aria-labelledby={labelledBy}>
      {rows.map(([key, each], index) => {
        const here = below(path, key);
        const again = rows.findIndex(([other]) => other === key) < index;
        return (
          <div className={`form-pair${each && typeof each === "object" ? " tall" : ""}`} key={index} data-field={here}>
            <NameInput path={here} value={key} readOnly={readOnly} label={`${texts.name} ${index + 1}`} placeholder={texts.name} invalid={again} onChange={(name) => put(rows.map((row, at) => (at === index ? [name, row[1]] : row)))} />
            <AnyInput schema={{ "x-placeholder": texts.value }} value={each} readOnly={readOnly} literal={literal} path={here} label={`${texts.value} ${key}`} id={`${id}-v${index}`} onChange={(next) => put(rows.map((row, at) => (at === index ? [row[0], next] : row)))} />
            {!readOnly && <RowTools index={index} count={rows.length} label={key} texts={texts} onMove={(from, to) => put(moved(rows, from, to))} onRemove={(at) => put(rows.filter((_, other) => other !== at))} />}
            {again && <p className="error" role="alert">{texts.twice}</p>}
            {problems?.[here]?.said && <p className="error" role="alert"><Told said={problems[here].said} /></p>}
          </div>
        );
      })}
      {!readOnly && <button type="button" className="btn small-btn" onClick={() => setDraft([...rows, ["", ""]])}>+ {texts.add}</button>}
    </div>
  );
}

function NameInput({ path, value, label, placeholder, readOnly, invalid, onChange }) {
  const [text, change, flush] = useDraft(value, shown, onChange, path);
  return <input className="input" value={text} readOnly={readOnly} aria-label={label} placeholder={placeholder} aria-invalid={invalid || undefined} autoComplete="off" spellCheck={false} onChange={(event) => change(event.target.value)} onBlur={flush} onKeyDown={(event) => event.key === "Enter" && flush()} />;
}

// Some of a few words.
export function Several({ id, schema, value, onChange, readOnly, labelledBy }) {
  const { names } = useContext(FormContext);
  const worded = useWorded();
  const chosen = Array.isArray(value) ? value : (schema.default ?? []);
  const all = schema.items.enum;
  return (
    <div className="form-several" id={id} role="group" aria-labelledby={labelledBy}>
      {all.map((each) => (
        <label key={String(each)} className="row tight">
          <input type="checkbox" checked={chosen.includes(each)} disabled={readOnly} onChange={(event) => onChange(all.filter((other) => (other === each ? event.target.checked : chosen.includes(other))))} />
          {choiceText(each, names, worded)}
        </label>
      ))}
    </div>
  );
}
