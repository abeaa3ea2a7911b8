// A form made of a JSON Schema: every field commits by itself, when it is left or typing pauses. Knows no words of
// the program around it; `x-widget`, `x-language`, `x-placeholder`, `x-advanced` and `x-show-if` choose how a field looks.
import { memo, useEffect, useId, useRef, useState } from "react";

const PAUSE_MS = 700;

function resolved(schema, root) {
  let found = schema ?? {};
  while (found.$ref) {
    const { $ref, ...rest } = found;
    found = { ...$ref.slice(2).split("/").reduce((at, part) => at?.[part], root), ...rest };
  }
  const options = found.anyOf ?? found.oneOf;
  if (options) {
    const real = options.map((option) => resolved(option, root)).filter((option) => option.type !== "null");
    const nullable = real.length < options.length;
    if (real.length === 1) return { ...found, ...real[0], title: found.title ?? real[0].title, description: found.description ?? real[0].description, anyOf: undefined, oneOf: undefined, nullable };
    return { ...found, anyOf: undefined, oneOf: undefined, nullable, mixed: true };
  }
  if (found.allOf?.length === 1) return resolved({ ...found, allOf: undefined, ...found.allOf[0] }, root);
  return found;
}

function kindOf(schema) {
  const widget = schema["x-widget"];
  if (schema.const !== undefined) return "text";
  if (widget === "json") return "json";
  if (schema.enum) return "select";
  if (schema.type === "boolean") return "checkbox";
  if (schema.type === "integer" || schema.type === "number") return "number";
  if (schema.type === "array") return schema.items && Object.keys(schema.items).length ? "list" : "json";
  if (schema.type === "object") return schema.properties ? "group" : schema.additionalProperties === false ? "json" : "pairs";
  if (schema.type === "string") return ["multiline", "code", "row_expression"].includes(widget) ? "multiline" : widget === "password" ? "password" : "text";
  return "any";
}

const shown = (value) => (value === undefined || value === null ? "" : typeof value === "string" ? value : JSON.stringify(value, null, 2));

// A text that stays the person's own while they type; what comes from outside waits until they stop.
function useDraft(value, toText, commit) {
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
    state.current.typing = true;
    state.current.text = next;
    setText(next);
    clearTimeout(state.current.timer);
    state.current.timer = setTimeout(flush, PAUSE_MS);
  };
  return [text, change, flush];
}

function TextInput({ id, schema, value, onChange, readOnly, invalid, multiline, described }) {
  const expression = typeof value === "string" && value.includes("{{");
  const [text, change, flush] = useDraft(value, shown, (next) => onChange(next));
  const common = {
    id, value: text, readOnly, "aria-invalid": invalid || undefined, "aria-describedby": described, spellCheck: false,
    placeholder: schema["x-placeholder"] ?? (schema.default !== undefined && schema.default !== null ? shown(schema.default) : ""),
    onChange: (event) => change(event.target.value), onBlur: flush,
    className: `input${multiline || expression ? " mono" : ""}${expression ? " has-expression" : ""}`,
  };
  if (multiline) return <textarea {...common} rows={Math.min(14, Math.max(3, text.split("\n").length + 1))} />;
  return <input {...common} type={schema["x-widget"] === "password" ? "password" : "text"} autoComplete="off" onKeyDown={(event) => event.key === "Enter" && flush()} />;
}

function NumberInput({ id, schema, value, onChange, onUnset, readOnly, invalid, described }) {
  const [text, change, flush] = useDraft(value, shown, (next) => {
    if (next.trim() === "") return onUnset();
    const number = Number(next);
    onChange(Number.isFinite(number) ? number : next);
  });
  return <input id={id} className={`input num${typeof value === "string" ? " has-expression mono" : ""}`} inputMode="decimal" value={text} readOnly={readOnly} autoComplete="off" placeholder={shown(schema.default)} aria-invalid={invalid || undefined} aria-describedby={described} onChange={(event) => change(event.target.value)} onBlur={flush} onKeyDown={(event) => event.key === "Enter" && flush()} />;
}

function JsonInput({ id, value, onChange, onUnset, readOnly, texts, described }) {
  const [fault, setFault] = useState("");
  const [text, change, flush] = useDraft(value, (each) => (each === undefined ? "" : JSON.stringify(each, null, 2)), (next) => {
    if (next.trim() === "") return onUnset();
    try {
      onChange(JSON.parse(next));
      setFault("");
    } catch (error) {
      if (next.includes("{{")) onChange(next);
      else setFault(`${texts.notJson} ${error.message}`);
    }
  });
  return (
    <>
      <textarea id={id} className="input mono" value={text} readOnly={readOnly} spellCheck={false} rows={Math.min(14, Math.max(3, text.split("\n").length + 1))} aria-invalid={Boolean(fault) || undefined} aria-describedby={described} onChange={(event) => change(event.target.value)} onBlur={flush} />
      {fault && <p className="error">{fault}</p>}
    </>
  );
}

// A value of any type: JSON where it reads as JSON, text otherwise.
function AnyInput(props) {
  const read = (text) => {
    try {
      const value = JSON.parse(text);
      return typeof value === "string" ? text : value;
    } catch {
      return text;
    }
  };
  return <TextInput {...props} onChange={(text) => props.onChange(read(text))} />;
}

function Pairs({ id, value, onChange, readOnly, texts }) {
  const entries = Object.entries(value && typeof value === "object" ? value : {});
  const [draft, setDraft] = useState(null);
  const rows = draft ?? entries;
  const put = (next, done) => {
    const complete = next.filter(([key]) => key.trim());
    setDraft(done && complete.length === next.length ? null : next);
    onChange(Object.fromEntries(complete));
  };
  return (
    <div className="form-rows" id={id}>
      {rows.map(([key, each], index) => (
        <div className="form-pair" key={index}>
          <TextInput schema={{ "x-placeholder": texts.name }} value={key} readOnly={readOnly} id={`${id}-k${index}`} onChange={(name) => put(rows.map((row, at) => (at === index ? [name, row[1]] : row)), true)} />
          <AnyInput schema={{ "x-placeholder": texts.value }} value={each} readOnly={readOnly} id={`${id}-v${index}`} onChange={(next) => put(rows.map((row, at) => (at === index ? [row[0], next] : row)), true)} />
          {!readOnly && <button type="button" className="btn ghost icon" aria-label={`${texts.remove} ${key}`} onClick={() => put(rows.filter((_, at) => at !== index), true)}>×</button>}
        </div>
      ))}
      {!readOnly && <button type="button" className="btn small-btn" onClick={() => setDraft([...rows, ["", ""]])}>+ {texts.add}</button>}
    </div>
  );
}

function starting(schema, root) {
  const real = resolved(schema, root);
  if (real.default !== undefined) return real.default;
  if (real.enum) return real.enum[0];
  if (real.type === "object") return Object.fromEntries((real.required ?? []).map((name) => [name, starting(real.properties[name], root)]));
  if (real.type === "array") return [];
  if (real.type === "boolean") return false;
  if (real.type === "number" || real.type === "integer") return 0;
  return "";
}

function List({ id, schema, root, value, onChange, readOnly, texts, path, problems }) {
  const items = Array.isArray(value) ? value : [];
  const item = resolved(schema.items, root);
  const simple = item.type === "string" && !item.enum;
  if (simple) {
    return <Lines id={id} value={items} onChange={onChange} readOnly={readOnly} placeholder={texts.lines} />;
  }
  const put = (index, next) => onChange(items.map((each, at) => (at === index ? next : each)));
  return (
    <div className="form-rows" id={id}>
      {items.map((each, index) => (
        <div className="form-item" key={index}>
          <Field id={`${id}-${index}`} name={String(index + 1)} bare schema={schema.items} root={root} value={each} texts={texts} readOnly={readOnly} problems={problems} path={`${path}[${index}]`} onChange={(next) => put(index, next)} onUnset={() => put(index, null)} />
          {!readOnly && (
            <span className="form-item-tools">
              {index > 0 && <button type="button" className="btn ghost icon" aria-label={texts.up} title={texts.up} onClick={() => onChange([...items.slice(0, index - 1), each, items[index - 1], ...items.slice(index + 1)])}>↑</button>}
              <button type="button" className="btn ghost icon" aria-label={`${texts.remove} ${index + 1}`} title={texts.remove} onClick={() => onChange(items.filter((_, at) => at !== index))}>×</button>
            </span>
          )}
        </div>
      ))}
      {!readOnly && <button type="button" className="btn small-btn" onClick={() => onChange([...items, starting(schema.items, root)])}>+ {texts.add}</button>}
    </div>
  );
}

function Lines({ id, value, onChange, readOnly, placeholder }) {
  const [text, change, flush] = useDraft(value, (each) => each.join("\n"), (next) => onChange(next.split("\n").map((line) => line.trim()).filter(Boolean)));
  return <textarea id={id} className="input mono" value={text} readOnly={readOnly} placeholder={placeholder} spellCheck={false} rows={Math.min(10, Math.max(2, text.split("\n").length + 1))} onChange={(event) => change(event.target.value)} onBlur={flush} />;
}

function Control(props) {
  const { id, schema, root, value, onChange, onUnset, readOnly, texts, invalid, described } = props;
  const kind = kindOf(schema);
  if (typeof value === "string" && value.includes("{{") && ["number", "checkbox", "select", "list", "pairs", "json", "group"].includes(kind)) return <TextInput {...props} />;
  if (kind === "select")
    return (
      <select id={id} className="input" value={value === undefined || value === null ? "" : String(value)} disabled={readOnly} aria-invalid={invalid || undefined} aria-describedby={described} onChange={(event) => (event.target.value === "" ? onUnset() : onChange(schema.enum.find((each) => String(each) === event.target.value)))}>
        {(value === undefined || value === null || schema.nullable) && <option value="">{schema.default !== undefined && schema.default !== null ? `${schema.default}` : "–"}</option>}
        {schema.enum.filter((each) => each !== null).map((each) => <option key={String(each)} value={String(each)}>{String(each).replaceAll("_", " ")}</option>)}
      </select>
    );
  if (kind === "checkbox") return <input id={id} type="checkbox" checked={Boolean(value ?? schema.default)} disabled={readOnly} aria-describedby={described} onChange={(event) => onChange(event.target.checked)} />;
  if (kind === "number") return <NumberInput {...props} />;
  if (kind === "list") return <List {...props} />;
  if (kind === "pairs") return <Pairs id={id} value={value} onChange={onChange} readOnly={readOnly} texts={texts} />;
  if (kind === "json") return <JsonInput {...props} />;
  if (kind === "group") return <Group {...props} />;
  if (kind === "any" || schema.mixed) return <AnyInput {...props} multiline={typeof value === "object" && value !== null} />;
  return <TextInput {...props} multiline={kind === "multiline"} />;
}

function Group({ id, schema, root, value, onChange, readOnly, texts, path, problems }) {
  if (schema.nullable && (value === null || value === undefined)) {
    return readOnly ? <span className="muted">–</span> : <button type="button" className="btn small-btn" onClick={() => onChange(starting({ ...schema, default: undefined }, root))}>+ {texts.add}</button>;
  }
  const inner = value && typeof value === "object" ? value : {};
  return (
    <div className="form-group" id={id}>
      {Object.entries(schema.properties).map(([name, each]) => (
        <Field key={name} id={`${id}-${name}`} name={name} schema={each} root={root} value={inner[name]} readOnly={readOnly} texts={texts} problems={problems} path={path ? `${path}.${name}` : name}
          onChange={(next) => onChange({ ...inner, [name]: next })}
          onUnset={() => onChange(Object.fromEntries(Object.entries(inner).filter(([key]) => key !== name)))} />
      ))}
      {schema.nullable && !readOnly && <button type="button" className="btn small-btn" onClick={() => onChange(null)}>{texts.remove}</button>}
    </div>
  );
}

const Field = memo(function Field({ id, name, schema, root, value, onChange, onUnset, readOnly, texts, problems = {}, path, required, bare }) {
  const real = resolved(schema, root);
  const fault = problems[path];
  const help = real.description && !bare ? `${id}-help` : undefined;
  const described = [fault ? `${id}-fault` : "", help ?? ""].filter(Boolean).join(" ") || undefined;
  const control = <Control id={id} schema={real} root={root} value={value} onChange={onChange} onUnset={onUnset} readOnly={readOnly} texts={texts} problems={problems} path={path} invalid={Boolean(fault)} described={described} />;
  const title = real.title ?? name;
  const inline = kindOf(real) === "checkbox" && !(typeof value === "string");
  return (
    <div className={`field${inline ? " inline" : ""}`} data-field={path}>
      {inline && control}
      {!bare && <label htmlFor={id}>{title}{required && <span className="required" aria-hidden="true"> *</span>}</label>}
      {!inline && control}
      {help && <p className="help" id={help}>{real.description}</p>}
      {fault && <p className="error" id={`${id}-fault`} role="alert">{fault}</p>}
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

const GIVE_UP_MS = 6000;

function Fields({ subject, schema, values, problems, texts, readOnly, onSet: send, onUnset: sendUnset }) {
  const prefix = useId();
  // What was sent shows at once, and the next commit builds on it; the answer, or none for a while, replaces it.
  const [sent, setSent] = useState({});
  useEffect(() => {
    setSent((before) => {
      const open = Object.entries(before).filter(([name, value]) => JSON.stringify(values?.[name]) !== JSON.stringify(value));
      return open.length === Object.keys(before).length ? before : Object.fromEntries(open);
    });
  }, [values]);
  const keep = (name, value) => {
    setSent((before) => ({ ...before, [name]: value }));
    setTimeout(() => setSent((before) => (before[name] === value ? Object.fromEntries(Object.entries(before).filter(([each]) => each !== name)) : before)), GIVE_UP_MS);
  };
  const onSet = (name, value) => {
    keep(name, value);
    send(name, value);
  };
  const onUnset = (name) => {
    keep(name, undefined);
    sendUnset(name);
  };
  const given = { ...values, ...sent };
  const defaults = Object.fromEntries(Object.entries(schema.properties).map(([name, each]) => [name, given[name] ?? each.default]));
  const fields = Object.entries(schema.properties).filter(([, each]) => visible(each, defaults));
  if (!fields.length) return <p className="muted">{texts.nothing}</p>;
  const one = ([name, each]) => (
    <Field key={`${subject}/${name}`} id={`${prefix}-${name}`} name={name} schema={each} root={schema} value={given[name]} required={schema.required?.includes(name)} problems={problems} path={name} texts={texts} readOnly={readOnly} onChange={(value) => onSet(name, value)} onUnset={() => onUnset(name)} />
  );
  const plain = fields.filter(([, each]) => !each["x-advanced"]);
  const advanced = fields.filter(([, each]) => each["x-advanced"]);
  return (
    <div className="form" data-subject={subject}>
      {plain.map(one)}
      {advanced.length > 0 && (
        <details className="form-advanced">
          <summary>{texts.advanced}</summary>
          {advanced.map(one)}
        </details>
      )}
    </div>
  );
}

// One line of text that commits when it is left or Enter is pressed.
export function TextLine({ value, label, className = "", readOnly, maxLength, onSet }) {
  const [text, change, flush] = useDraft(value, shown, (next) => next.trim() && onSet(next.trim()));
  return <input className={`input ${className}`} aria-label={label} value={text} readOnly={readOnly} maxLength={maxLength} onChange={(event) => change(event.target.value)} onBlur={flush} onKeyDown={(event) => event.key === "Enter" && event.target.blur()} />;
}
