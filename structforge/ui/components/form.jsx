// A form made of a JSON Schema: every field commits by itself, when it is left or typing pauses. Knows no words of
// the program around it; `x-widget`, `x-language`, `x-placeholder`, `x-advanced`, `x-suggest`, `x-expressions` and
// `x-show-if` choose how a field looks.
import { memo, useCallback, useContext, useEffect, useId, useMemo, useRef, useState } from "react";
import { FieldBuilder } from "$/public/jsx/field_builder.jsx";
import { post } from "$/public/jsx/outbox.jsx";
import { sameValue } from "$/public/jsx/digits.jsx";
import { isObject } from "$/public/jsx/exact.jsx";
import { FilePreview, shownInPreview } from "$/public/jsx/file_preview.jsx";
import {
  CLOSED, ChoiceInput, DateInput, FileInput, FormContext, NumberInput, PickInput, SelectInput, TextInput, below, boundsOf, isExpression, kindOf, resolved, shown,
  starting, useDraft,
} from "$/public/jsx/inputs.jsx";
import { Pairs, RowTools, Several, moved } from "$/public/jsx/rows.jsx";
import { AnyInput, JsonInput } from "$/public/jsx/typed.jsx";
import { Told, useTell, withCode } from "$/public/jsx/told.jsx";

function List({ id, schema, root, value, onChange, readOnly, literal, path, problems, labelledBy }) {
  const { texts } = useContext(FormContext);
  const items = Array.isArray(value) ? value : [];
  const item = resolved(schema.items, root);
  if (item.enum && kindOf(item) === "select") return <Several id={id} schema={{ ...schema, items: item }} value={value} onChange={onChange} readOnly={readOnly} labelledBy={labelledBy} />;
  const put = (index, next) => onChange(items.map((each, at) => (at === index ? next : each)));
  const lines = item.type === "string" ? (index) => (found) => onChange([...items.slice(0, index), ...found, ...items.slice(index + 1)]) : undefined;
  const columns = ["columns", "row_expression"].includes(schema["x-widget"]) ? { "x-widget": schema["x-widget"] } : {};
  const language = schema["x-language"] ? { "x-language": schema["x-language"] } : {};
  return (
    <div className="form-rows" id={id} role="group" aria-labelledby={labelledBy}>
      {items.map((each, index) => (
        <div className={`form-item${item.type === "string" ? " slim" : ""}`} key={index}>
          <Field id={`${id}-${index}`} name={String(index + 1)} bare schema={{ ...schema.items, ...columns }} inherited={language} root={root} value={each} readOnly={readOnly} literal={literal} problems={problems} path={below(path, index)} onLines={lines?.(index)} onChange={(next) => put(index, next)} onUnset={() => put(index, item.type === "string" ? "" : null)} />
          {!readOnly && <RowTools index={index} count={items.length} label={String(index + 1)} texts={texts} onMove={(from, to) => onChange(moved(items, from, to))} onRemove={(at) => onChange(items.filter((_, other) => other !== at))} />}
        </div>
      ))}
      {!readOnly && <button type="button" className="btn small-btn" onClick={() => onChange([...items, starting(schema.items, root)])}>+ {texts.add}</button>}
    </div>
  );
}

function Group({ id, schema, root, value, onChange, readOnly, literal, path, problems, inherited, labelledBy }) {
  const { texts } = useContext(FormContext);
  if (schema.nullable && (value === null || value === undefined)) {
    return readOnly ? <span className="muted">–</span> : <button type="button" className="btn small-btn" onClick={() => onChange(starting({ ...schema, default: undefined }, root))}>+ {texts.add}</button>;
  }
  const inner = isObject(value) ? value : {};
  const given = Object.fromEntries(Object.entries(schema.properties).map(([name, each]) => [name, inner[name] ?? each.default]));
  return (
    <div className="form-group" id={id} role="group" aria-labelledby={labelledBy}>
      {Object.entries(schema.properties).filter(([, each]) => visible(each, given)).map(([name, each]) => (
        <Field key={name} id={`${id}-${name}`} name={name} schema={each} root={root} value={inner[name]} readOnly={readOnly} literal={literal || each["x-expressions"] === false} problems={problems} path={below(path, name)} required={schema.required?.includes(name)}
          inherited={name === "expression" ? inherited : undefined}
          onChange={(next) => onChange({ ...inner, [name]: next })}
          onUnset={() => onChange(Object.fromEntries(Object.entries(inner).filter(([key]) => key !== name)))} />
      ))}
      {schema.nullable && !readOnly && <button type="button" className="btn small-btn" onClick={() => onChange(null)}>{texts.remove}</button>}
    </div>
  );
}

const WIDGETS = { select: SelectInput, number: NumberInput, list: List, pairs: Pairs, json: JsonInput, group: Group, date: DateInput, choice: ChoiceInput, file: FileInput };

function Control(props) {
  const { id, schema, value, onChange, readOnly, described, asText } = props;
  const { offers } = useContext(FormContext);
  const kind = kindOf(schema);
  if (kind === "text" && offers?.[schema["x-widget"]]) return <PickInput {...props} offered={offers[schema["x-widget"]]} />;
  if (asText && CLOSED.has(kind)) return <TextInput {...props} schema={{ "x-placeholder": "{{ }}" }} />;
  if (kind === "fields") return <FieldBuilder {...props} Control={Control} />;
  if (kind === "checkbox") return <input id={id} type="checkbox" checked={Boolean(value ?? schema.default)} disabled={readOnly} aria-describedby={described} onChange={(event) => onChange(event.target.checked)} />;
  const any = kind === "json" && schema.type === undefined;
  const Widget = any ? undefined : WIDGETS[kind];
  if (Widget) return <Widget {...props} />;
  if (any || kind === "any" || schema.mixed) return <AnyInput {...props} />;
  return <TextInput {...props} multiline={kind === "multiline" && schema["x-language"] !== "row-expression"} />;
}

const Field = memo(function Field({ id, name, schema, inherited, root, value, onChange, onUnset, readOnly, literal, problems = {}, path, required, bare, onLines }) {
  const { texts, titles } = useContext(FormContext);
  const tell = useTell();
  const real = { ...inherited, ...resolved(schema, root) };
  const kind = kindOf(real);
  const closed = CLOSED.has(kind) && !literal && kind !== "group";
  const [chosen, setChosen] = useState(false);
  const asText = closed && (chosen || isExpression(value));
  const found = problems[path];
  const fault = tell(found?.said ?? found);
  const bounds = kind === "number" && !asText ? boundsOf(real, texts) : "";
  const help = (real.description || bounds) && !bare ? `${id}-help` : undefined;
  const described = [fault ? `${id}-fault` : "", help ?? ""].filter(Boolean).join(" ") || undefined;
  const title = titles?.[real.title] ?? real.title ?? name;
  const labels = bare ? { label: name } : { labelledBy: `${id}-label` };
  const control = <Control {...labels} id={id} schema={real} inherited={inherited} root={root} value={value} onChange={onChange} onUnset={onUnset} readOnly={readOnly} literal={literal} problems={problems} path={path} invalid={Boolean(fault)} fault={found} described={described} canUnset={!bare && !required} asText={asText} onLines={onLines} />;
  const inline = kind === "checkbox" && !asText;
  const flip = () => {
    if (asText) {
      setChosen(false);
      if (typeof value === "string") onUnset();
    } else setChosen(true);
  };
  return (
    <div className={`field${inline ? " inline" : ""}`} data-field={path}>
      {inline && control}
      {!bare && (
        <div className="field-head">
          <label id={`${id}-label`} htmlFor={id} onClick={() => document.getElementById(id)?.focus()}>{title}{required && <span className="required" aria-hidden="true"> *</span>}</label>
          {closed && !readOnly && <button type="button" className="fx-flip" aria-pressed={asText} aria-label={`${texts.asExpression}: ${title}`} title={texts.asExpression} onClick={flip}>{"{{ }}"}</button>}
        </div>
      )}
      {!inline && kind !== "group" && control}
      {help && <p className="help" id={help}>{withCode(tell(real.description))}{bounds && <span className="bounds"> {bounds}</span>}</p>}
      {kind === "group" && control}
      {fault && <p className="error" id={`${id}-fault`} role="alert">{withCode(fault)}</p>}
    </div>
  );
});

function visible(schema, values) {
  const rule = schema["x-show-if"];
  if (!rule) return true;
  return Object.entries(rule).every(([name, wanted]) => (Array.isArray(wanted) ? wanted.includes(values[name]) : values[name] === wanted));
}

export function SchemaForm(props) {
  return props.schema?.properties ? <Fields key={props.subject} {...props} /> : null;
}

// How long after its confirmation an own value shows at the most: by then the server's has come.
const SETTLES_MS = 2_000;

function Fields({ subject, schema, values, problems, texts, readOnly, focus, refused, names, titles, scope, help, helpTexts, files, look, lookTexts, offers, preview, onSet: send, onUnset: sendUnset, onPreview }) {
  const prefix = useId();
  const root = useRef(null);
  // What was sent shows at once, and the next commit builds on it; the answer replaces it.
  const [sent, setSent] = useState({});
  useEffect(() => {
    setSent((before) => {
      const open = Object.entries(before).filter(([name, value]) => (values?.[name] === undefined) !== (value === undefined) || !sameValue(values?.[name], value));
      return open.length === Object.keys(before).length ? before : Object.fromEntries(open);
    });
  }, [values]);
  const keep = (name, value) => setSent((before) => ({ ...before, [name]: value }));
  const settled = (name, value) => () => setTimeout(() => setSent((before) => (before[name] === value ? Object.fromEntries(Object.entries(before).filter(([each]) => each !== name)) : before)), SETTLES_MS);
  const now = useRef({});
  now.current = { ...values, ...sent };
  // What a field held when its editing began: the server refuses to overwrite anything else.
  const begun = useRef(new Map());
  const hold = (name) => (now.current[name] === undefined ? { value: null, unset: true } : { value: now.current[name], unset: false });
  const onBegin = useCallback((path) => {
    const name = path.match(/^[^.[]+/)?.[0];
    if (name && !begun.current.has(name)) begun.current.set(name, hold(name));
  }, []);
  const seenOf = (name) => {
    const seen = begun.current.get(name) ?? hold(name);
    begun.current.delete(name);
    return seen;
  };
  const onSet = (name, value) => {
    const seen = seenOf(name);
    keep(name, value);
    post((key) => send(subject, name, value, seen, key), settled(name, value));
  };
  const onUnset = (name) => {
    const seen = seenOf(name);
    keep(name, undefined);
    post((key) => sendUnset(subject, name, seen, key), settled(name, undefined));
  };
  useEffect(() => {
    if (refused?.subject !== subject) return;
    setSent((before) => Object.fromEntries(Object.entries(before).filter(([name]) => name !== refused.name)));
  }, [refused, subject]);
  // Brings a field into view: the nearest one that is there, as a place may name a part that has none.
  useEffect(() => {
    if (!focus?.path || focus.subject !== subject) return;
    const fields = [...(root.current?.querySelectorAll("[data-field]") ?? [])];
    const near = fields.filter((each) => focus.path === each.dataset.field || focus.path.startsWith(`${each.dataset.field}.`) || focus.path.startsWith(`${each.dataset.field}[`)).pop();
    if (!near) return;
    near.closest("details")?.setAttribute("open", "");
    near.scrollIntoView({ block: "center" });
    setTimeout(() => near.querySelector("input, textarea, select, [contenteditable=true], button")?.focus(), 60);
  }, [focus, subject]);
  const context = useMemo(() => ({ texts, names, titles, scope, help, helpTexts, files, offers, preview, onPreview, onBegin }), [texts, names, titles, scope, help, helpTexts, files, offers, preview, onPreview, onBegin]);
  const given = { ...values, ...sent };
  const defaults = Object.fromEntries(Object.entries(schema.properties).map(([name, each]) => [name, given[name] ?? each.default]));
  const fields = Object.entries(schema.properties).filter(([, each]) => visible(each, defaults));
  if (!fields.length) return <p className="muted">{texts.nothing}</p>;
  // A file by its path is looked into: what its reader recognises stands below it, in the place of those fields.
  const seen = look && typeof given.file === "string" && given.file.trim() !== "" && !isExpression(given.file) ? given.file : "";
  const elsewhere = seen ? shownInPreview(given) : [];
  const one = ([name, each]) => (
    <Field key={`${subject}/${name}`} id={`${prefix}-${name}`} name={name} schema={each} root={schema} value={given[name]} required={schema.required?.includes(name)} problems={problems} path={name} readOnly={readOnly} literal={each["x-expressions"] === false || !help} onChange={(value) => onSet(name, value)} onUnset={() => onUnset(name)} />
  );
  const here = fields.filter(([name]) => !elsewhere.includes(name));
  const plain = here.filter(([, each]) => !each["x-advanced"]);
  const advanced = here.filter(([, each]) => each["x-advanced"]);
  return (
    <FormContext.Provider value={context}>
      <div className="form" data-subject={subject} ref={root}>
        {plain.flatMap((each) => (seen && each[0] === "file" ? [one(each), <FilePreview key={`${subject}/look/${seen}`} href={look} file={seen} schema={schema} values={given} problems={problems} texts={lookTexts} readOnly={readOnly} onSet={onSet} onUnset={onUnset} />] : [one(each)]))}
        {advanced.length > 0 && (
          <details className="form-advanced">
            <summary>{texts.advanced}</summary>
            {advanced.map(one)}
          </details>
        )}
      </div>
    </FormContext.Provider>
  );
}

// One line of text that commits when it is left or Enter is pressed. What was sent shows until the answer has come:
// an answer to an earlier text does not put that back.
export function TextLine({ value, label, className = "", readOnly, maxLength, onSet }) {
  const [mine, setMine] = useState(null);
  useEffect(() => {
    if (mine === null) return;
    if (mine === value) return setMine(null);
    const timer = setTimeout(() => setMine(null), 2 * SETTLES_MS);
    return () => clearTimeout(timer);
  }, [mine, value]);
  // What stood there when the typing began: the server refuses to overwrite anything else.
  const seen = useRef(null);
  const [text, change, flush] = useDraft(mine ?? value, shown, (next) => {
    const kept = next.trim(), before = seen.current;
    seen.current = null;
    if (!kept) return;
    setMine(kept);
    post((key) => onSet(kept, before, key));
  });
  const type = (event) => {
    seen.current ??= mine ?? value;
    change(event.target.value);
  };
  return <input className={`input ${className}`} aria-label={label} value={text} readOnly={readOnly} maxLength={maxLength} onChange={type} onBlur={flush} onKeyDown={(event) => event.key === "Enter" && event.target.blur()} />;
}

// The name that others refer to, changed after a click: commits when it is left or Enter is pressed, Escape gives the
// old one back. `fault` says why the last one was not taken; it stays to be mended.
export function NameLine({ value, label, fault, onSet }) {
  const id = useId();
  const [text, setText] = useState(null);
  const box = useRef(null);
  useEffect(() => setText(null), [value]);
  useEffect(() => {
    if (text !== null && document.activeElement !== box.current) box.current.select();
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [text === null]);
  const commit = () => {
    const next = text.trim();
    if (!next || next === value) setText(null);
    else onSet(value, next);
  };
  const keys = (event) => {
    if (event.key === "Enter") commit();
    if (event.key !== "Escape") return;
    event.stopPropagation();
    setText(null);
  };
  if (text === null) {
    return <button type="button" className="name-line" title={label} aria-label={`${label}: ${value}`} data-names={value} onClick={() => setText(value)}><code>{value}</code></button>;
  }
  return (
    <span className="name-line">
      <input
        ref={box} className="input mono" aria-label={label} value={text} size={Math.max(8, text.length + 1)} maxLength={60} autoComplete="off" spellCheck={false} aria-invalid={fault ? true : undefined} aria-describedby={fault ? id : undefined}
        onChange={(event) => setText(event.target.value)} onBlur={commit} onKeyDown={keys}
      />
      {fault && <span className="error" id={id} role="alert"><Told said={fault} /></span>}
    </span>
  );
}
