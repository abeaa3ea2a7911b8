// The widgets of a form made of a JSON Schema, one for each kind of value. Knows no words of the program around it.
import { Suspense, createContext, lazy, useContext, useEffect, useRef, useState } from "react";
import { compareNumbers, sameValue, stepped, typedNumber } from "$/public/jsx/digits.jsx";
import { digitsOf, isNumber, readBody, writeJson } from "$/public/jsx/exact.jsx";
import { Told, useWorded } from "$/public/jsx/told.jsx";

const CodeField = lazy(() => import("$/public/jsx/code.jsx"));
const PAUSE_MS = 700;

// What all fields of a form share: `{texts, readOnly, scope, help, helpTexts, files, preview, onPreview}`.
export const FormContext = createContext({ texts: {} });

export const PLAIN_KEY = /^[A-Za-z_][A-Za-z0-9_]*$/;
export const below = (path, key) => (typeof key === "number" ? `${path}[${key}]` : PLAIN_KEY.test(key) ? (path ? `${path}.${key}` : key) : `${path}[${JSON.stringify(key)}]`);
export const isExpression = (value) => typeof value === "string" && value.includes("{{");
export const shown = (value) => (value === undefined || value === null ? "" : typeof value === "string" ? value : writeJson(value, 2));

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
  if (real.type === "number" || real.type === "integer") return real.minimum !== undefined && compareNumbers(real.minimum, 0) > 0 ? real.minimum : 0;
  return "";
}

// A text that stays the person's own while they type; what comes from outside waits until they stop. Where it means what
// is written already (`means(text, value)`), as 1.1 does where 1.10 was typed, that stays as it is.
export function useDraft(value, toText, commit, path, means) {
  const { onBegin } = useContext(FormContext);
  const [text, setText] = useState(() => toText(value));
  const state = useRef({ typing: false, timer: 0, text, commit });
  state.current.commit = commit;
  useEffect(() => {
    if (!state.current.typing) setText((now) => (means?.(now, value) ? now : toText(value)));
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

export function TextInput({ id, label, schema, value, onChange, readOnly, invalid, multiline, described, literal, path, labelledBy, onLines, toText = shown, means, fault }) {
  const { scope, help, helpTexts, onPreview, preview } = useContext(FormContext);
  const [text, change, flush] = useDraft(value, toText, onChange, path, means);
  const language = schema["x-language"] ?? "";
  const hidden = schema["x-widget"] === "password";
  const row = language === "row-expression" || schema["x-widget"] === "row_expression";
  const expression = row ? text.trim() && /(^|\.)expression$/.test(path ?? "") : !literal && text.includes("{{");
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

// ---- numbers, dates, choices ---------------------------------------------------------------------------------------

export function boundsOf(schema, texts) {
  const low = schema.minimum ?? schema.exclusiveMinimum;
  const high = schema.maximum ?? schema.exclusiveMaximum;
  if (low === undefined && high === undefined) return "";
  if (high === undefined) return texts.atLeast?.replace("{low}", digitsOf(low)) ?? "";
  return low === undefined ? (texts.atMost?.replace("{high}", digitsOf(high)) ?? "") : `${digitsOf(low)} – ${digitsOf(high)}`;
}

const meansNumber = (text, value) => {
  const typed = typedNumber(text);
  return typed !== undefined && isNumber(value) && compareNumbers(typed, value) === 0;
};

export function NumberInput({ path, id, label, labelledBy, schema, value, onChange, onUnset, readOnly, invalid, described }) {
  // What is no number is sent as it stands: the server says so.
  const [text, change, flush] = useDraft(value, shown, (next) => (next.trim() === "" ? onUnset() : onChange(typedNumber(next) ?? next)), path, meansNumber);
  const step = (by) => {
    const { minimum: low, maximum: high } = schema;
    const next = typedNumber(stepped(digitsOf(typedNumber(text === "" ? shown(schema.default ?? 0) : text) ?? ""), by));
    if (next === undefined) return;
    change(digitsOf(low !== undefined && compareNumbers(next, low) < 0 ? low : high !== undefined && compareNumbers(next, high) > 0 ? high : next));
  };
  return (
    <input
      id={id} className="input num" inputMode="decimal" value={text} readOnly={readOnly} autoComplete="off" placeholder={shown(schema.default)} role="spinbutton"
      aria-label={label} aria-labelledby={labelledBy} aria-invalid={invalid || undefined} aria-describedby={described} aria-valuemin={schema.minimum && digitsOf(schema.minimum)} aria-valuemax={schema.maximum && digitsOf(schema.maximum)} aria-valuenow={typedNumber(text) === undefined ? undefined : digitsOf(typedNumber(text))}
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

export const choiceText = (each, names, worded) => names?.[digitsOf(each)] ?? worded(`choice:${digitsOf(each)}`, digitsOf(each).replaceAll("_", " "));

export function SelectInput({ id, label, labelledBy, schema, value, onChange, onUnset, readOnly, invalid, described }) {
  const { names } = useContext(FormContext);
  const worded = useWorded();
  const empty = value === undefined || value === null;
  // A value that is no longer among the choices stays visible until another is chosen.
  const known = schema.enum.filter((each) => each !== null);
  const stray = !empty && !known.some((each) => sameValue(each, value)) ? [value] : [];
  return (
    <select id={id} className="input" value={empty ? "" : digitsOf(value)} disabled={readOnly} aria-label={label} aria-labelledby={labelledBy} aria-invalid={invalid || undefined} aria-describedby={described} onChange={(event) => (event.target.value === "" ? onUnset() : onChange(known.find((each) => digitsOf(each) === event.target.value)))}>
      {(empty || schema.nullable) && <option value="">{schema.default !== undefined && schema.default !== null ? choiceText(schema.default, names, worded) : "–"}</option>}
      {[...known, ...stray].map((each) => <option key={digitsOf(each)} value={digitsOf(each)}>{choiceText(each, names, worded)}</option>)}
    </select>
  );
}

// One of some words, or a number instead.
export function ChoiceInput(props) {
  const { schema, value, onChange, readOnly } = props;
  const { names, texts } = useContext(FormContext);
  const worded = useWorded();
  const numeric = isNumber(value);
  const now = value ?? schema.default;
  return (
    <div className="form-choice">
      <select id={props.id} className="input" value={numeric ? "#" : digitsOf(now)} disabled={readOnly} aria-labelledby={props.labelledBy} aria-describedby={props.described} onChange={(event) => onChange(event.target.value === "#" ? 60 : event.target.value)}>
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
  const read = () => files && fetch(files, { credentials: "same-origin" }).then((answer) => (answer.ok ? readBody(answer) : {})).then((found) => setKnown((found.items ?? []).map((each) => each.path))).catch(() => {});
  useEffect(() => {
    read();
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [files]);
  const upload = async (file) => {
    if (!file) return;
    setState(texts.uploading);
    try {
      const answer = await fetch(`${files}/${file.name.split("/").map(encodeURIComponent).join("/")}`, { method: "PUT", credentials: "same-origin", body: file });
      const said = await readBody(answer);
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
      <TextInput {...props} />
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
