// A list of fields that becomes an object schema: add, name, order and limit them by mouse or keyboard; the schema as
// JSON beside it for what the list cannot show. Knows no words of the program around it.
import { useContext, useEffect, useRef, useState } from "react";
import { Told, tell } from "$/public/jsx/told.jsx";
import { typedNumber } from "$/public/jsx/digits.jsx";
import { digitsOf, isObject } from "$/public/jsx/exact.jsx";
import { FormContext, below, useDraft, shown } from "$/public/jsx/inputs.jsx";
import {
  KINDS, LIMITS, addField, beyondFields, canList, choicesOf, fieldsOf, freeName, isAt, moveField, putField, removeField, renameField, setChoices, setKeyword, setKind, setRequired,
} from "$/public/jsx/schema_fields.jsx";
import { JsonInput } from "$/public/jsx/typed.jsx";

// What an expression can name without quotes.
const NAME = /^[\p{L}_][\p{L}\p{N}_]*$/u;
const NUMERIC = new Set(["minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems"]);

export function FieldBuilder(props) {
  const { id, value, path, problems, readOnly, labelledBy, onChange, onUnset, Control } = props;
  const { texts } = useContext(FormContext);
  const schema = isObject(value) ? value : {};
  const listable = canList(schema);
  const [asJson, setAsJson] = useState(false);
  const json = asJson || !listable;
  const put = (next) => (Object.keys(next).length ? onChange(next) : onUnset());
  const fields = json ? [] : fieldsOf(schema);
  // What is wrong with one field stands there; the rest below the list.
  const places = fields.map(({ name }) => below(below(path, "properties"), name));
  const loose = Object.entries(problems ?? {}).filter(([place]) => place !== path && isAt(place, path) && !places.some((each) => isAt(place, each)));
  const beyond = beyondFields(schema);
  return (
    <div className="fields" id={id} role="group" aria-labelledby={labelledBy} tabIndex={-1}>
      <div className="segmented fields-switch" role="group" aria-label={texts.field_view}>
        <button type="button" aria-pressed={!json} disabled={!listable} onClick={() => setAsJson(false)}>{texts.field_list}</button>
        <button type="button" aria-pressed={json} onClick={() => setAsJson(true)}>{texts.field_json}</button>
      </div>
      {json ? (
        <>
          {!listable && <p className="help">{texts.field_no_list}</p>}
          <JsonInput {...props} id={`${id}-json`} labelledBy={undefined} label={texts.field_json} literal />
        </>
      ) : (
        <FieldList {...{ id, schema, fields, places, path, problems, readOnly, put, Control }} />
      )}
      {loose.map(([place, fault]) => <p key={place} className="error" role="alert"><Told said={fault.said} /></p>)}
      {!json && beyond.length > 0 && <p className="help">{texts.field_beyond} <code>{beyond.join(", ")}</code></p>}
    </div>
  );
}

function FieldList({ id, schema, fields, places, path, problems, readOnly, put, Control }) {
  const { texts } = useContext(FormContext);
  const [open, setOpen] = useState("");
  const [drag, setDrag] = useState(null);
  const [said, setSaid] = useState("");
  const list = useRef(null);
  const goal = useRef(null);
  useEffect(() => {
    if (!goal.current) return;
    const row = [...list.current.children].find((each) => each.dataset?.name === goal.current.name);
    if (!row) return;
    const target = row.querySelector(goal.current.part);
    goal.current = null;
    row.scrollIntoView({ block: "nearest" });
    target?.focus();
    if (target?.select) target.select();
  });
  const add = () => {
    const name = freeName(schema, texts.field_new);
    setOpen(name);
    goal.current = { name, part: ".fields-name" };
    put(addField(schema, name));
  };
  const move = (from, to) => {
    if (to < 0 || to >= fields.length || from === to) return;
    const name = fields[from].name;
    goal.current = { name, part: ".fields-title" };
    setSaid(texts.field_moved.replace("{name}", name).replace("{at}", to + 1).replace("{count}", fields.length));
    put(moveField(schema, from, to));
  };
  const drop = () => {
    if (drag && drag.over !== null) move(drag.from, drag.over > drag.from ? drag.over - 1 : drag.over);
    setDrag(null);
  };
  const over = (event, index) => {
    if (!drag) return;
    event.preventDefault();
    const box = event.currentTarget.getBoundingClientRect();
    const at = event.clientY > box.top + box.height / 2 ? index + 1 : index;
    if (at !== drag.over) setDrag({ ...drag, over: at });
  };
  return (
    <>
      {fields.length === 0 && <p className="help">{texts.field_none}</p>}
      <div className="fields-rows" ref={list}>
        {fields.map((each, index) => (
          <div
            key={each.name} data-name={each.name} data-field={places[index]}
            className={["fields-row", open === each.name && "is-open", drag?.over === index && "drop-before", drag?.over === index + 1 && index === fields.length - 1 && "drop-after", drag?.from === index && "is-dragged"].filter(Boolean).join(" ")}
            onDragOver={(event) => over(event, index)} onDrop={(event) => { event.preventDefault(); drop(); }}
          >
            <FieldHead
              each={each} index={index} count={fields.length} open={open === each.name} readOnly={readOnly}
              onToggle={() => setOpen(open === each.name ? "" : each.name)} onMove={(by) => move(index, index + by)}
              onRemove={() => { goal.current = fields.length > 1 ? { name: (fields[index + 1] ?? fields[index - 1]).name, part: ".fields-title" } : null; put(removeField(schema, each.name)); }}
              onDragStart={() => setDrag({ from: index, over: null })} onDragEnd={() => setDrag(null)}
            />
            {open === each.name && (
              <FieldBody
                id={`${id}-${index}`} schema={schema} each={each} taken={fields.map(({ name }) => name)} path={path} place={places[index]} readOnly={readOnly} Control={Control} put={put}
                onRename={(to) => { setOpen(to); put(renameField(schema, each.name, to)); }}
              />
            )}
            {Object.entries(problems ?? {}).filter(([place]) => isAt(place, places[index])).map(([place, fault]) => <p key={place} className="error" role="alert"><Told said={fault.said} /></p>)}
          </div>
        ))}
      </div>
      <span className="visually-hidden" role="status">{tell(said)}</span>
      {!readOnly && <button type="button" className="btn small-btn" onClick={add}>+ {texts.field_add}</button>}
    </>
  );
}

function FieldHead({ each, index, count, open, readOnly, onToggle, onMove, onRemove, onDragStart, onDragEnd }) {
  const { texts } = useContext(FormContext);
  const { name, field, kind, required } = each;
  const keys = (event) => {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (by && event.altKey && !readOnly) {
      event.preventDefault();
      event.stopPropagation();
      onMove(by);
    }
  };
  return (
    <div className="fields-head">
      {!readOnly && <span className="fields-grip" draggable aria-hidden="true" title={texts.field_drag} onDragStart={(event) => { event.dataTransfer.effectAllowed = "move"; event.dataTransfer.setData("text/plain", name); onDragStart(); }} onDragEnd={onDragEnd}>⠿</span>}
      <button type="button" className="fields-title" aria-expanded={open} title={texts.field_keys} onClick={onToggle} onKeyDown={keys}>
        <code>{name}{required && <span className="required" title={texts.field_required}> *</span>}</code>
        {typeof field.title === "string" && field.title && <span className="fields-words">{field.title}</span>}
        <span className="fields-kind">{texts[`field_kind_${kind}`]}</span>
      </button>
      {!readOnly && (
        <span className="form-item-tools">
          <button type="button" className="btn ghost icon" disabled={index === 0} aria-label={`${texts.up} ${name}`} title={texts.up} onClick={() => onMove(-1)}>↑</button>
          <button type="button" className="btn ghost icon" disabled={index === count - 1} aria-label={`${texts.down} ${name}`} title={texts.down} onClick={() => onMove(1)}>↓</button>
          <button type="button" className="btn ghost icon" aria-label={`${texts.remove} ${name}`} title={texts.remove} onClick={onRemove}>×</button>
        </span>
      )}
    </div>
  );
}

function FieldBody({ id, schema, each, taken, path, place, readOnly, Control, put, onRename }) {
  const { texts } = useContext(FormContext);
  const { name, field, kind, required } = each;
  const set = (key, value) => put(setKeyword(schema, name, key, value));
  const line = (key, label, more = {}) => (
    <LineField id={`${id}-${key}`} label={label} path={path} value={field[key]} readOnly={readOnly} onChange={(text) => set(key, text === "" ? undefined : text)} {...more} />
  );
  const { default: preset, title: _title, description: _description, ...plain } = field;
  return (
    <div className="fields-body">
      <div className="fields-pair">
        <NameField id={`${id}-name`} name={name} taken={taken} readOnly={readOnly} onRename={onRename} />
        <div className="field">
          <label htmlFor={`${id}-kind`}>{texts.field_kind}</label>
          <select id={`${id}-kind`} className="input" value={kind} disabled={readOnly} onChange={(event) => put(setKind(schema, name, event.target.value, [1, 2].map((number) => `${texts.field_choice} ${number}`)))}>
            {kind === "other" && <option value="other">{texts.field_kind_other}</option>}
            {KINDS.map((one) => <option key={one} value={one}>{texts[`field_kind_${one}`]}</option>)}
          </select>
        </div>
      </div>
      {line("title", texts.field_title)}
      {line("description", texts.field_help)}
      <label className="row tight fields-check">
        <input type="checkbox" checked={required} disabled={readOnly} onChange={(event) => put(setRequired(schema, name, event.target.checked))} />
        {texts.field_required}
      </label>
      {(kind === "choice" || kind === "several") && <ChoicesField id={`${id}-choices`} path={path} value={choicesOf(field)} readOnly={readOnly} onChange={(choices) => put(setChoices(schema, name, choices))} />}
      {kind === "other" ? (
        <div className="field">
          <span className="label" id={`${id}-own-label`}>{texts.field_schema}</span>
          <JsonInput id={`${id}-own`} labelledBy={`${id}-own-label`} schema={{}} value={field} path={path} literal readOnly={readOnly} onUnset={() => put(putField(schema, name, {}))} onChange={(next) => put(putField(schema, name, next))} />
        </div>
      ) : (
        <>
          {LIMITS[kind] && (
            <div className="fields-pair">
              {LIMITS[kind].map((key) => line(key, texts[`field_${key}`], NUMERIC.has(key) ? { numeric: true } : { mono: true }))}
            </div>
          )}
          <div className="field">
            <span className="label" id={`${id}-default-label`}>{texts.field_default}</span>
            {kind === "boolean" ? (
              <select className="input" aria-labelledby={`${id}-default-label`} value={preset === undefined ? "" : digitsOf(preset)} disabled={readOnly} onChange={(event) => set("default", event.target.value === "" ? undefined : event.target.value === "true")}>
                <option value="">–</option>
                <option value="true">{texts.yes}</option>
                <option value="false">{texts.no}</option>
              </select>
            ) : (
              <Control id={`${id}-default`} labelledBy={`${id}-default-label`} schema={plain} root={{}} value={preset} path={path} literal readOnly={readOnly} onUnset={() => set("default", undefined)} onChange={(next) => set("default", next === "" || (Array.isArray(next) && next.length === 0) ? undefined : next)} />
            )}
          </div>
        </>
      )}
      <p className="help">{texts.field_use} <code>{`{{ inputs.${name} }}`}</code></p>
    </div>
  );
}

// Commits when it is left: a half-written name would be a name too.
function NameField({ id, name, taken, readOnly, onRename }) {
  const { texts } = useContext(FormContext);
  const [text, setText] = useState(name);
  useEffect(() => setText(name), [name]);
  const wanted = text.trim();
  const fault = wanted === name ? "" : !NAME.test(wanted) ? texts.field_bad_name : taken.includes(wanted) ? texts.field_twice : "";
  const commit = () => wanted !== name && !fault && onRename(wanted);
  return (
    <div className="field">
      <label htmlFor={id}>{texts.field_name}</label>
      <input
        id={id} className="input mono fields-name" value={text} readOnly={readOnly} autoComplete="off" spellCheck={false} maxLength={100} aria-invalid={fault ? true : undefined} aria-describedby={fault ? `${id}-fault` : undefined}
        onChange={(event) => setText(event.target.value)} onBlur={commit} onKeyDown={(event) => { if (event.key === "Enter") commit(); if (event.key === "Escape" && wanted !== name) { event.stopPropagation(); setText(name); } }}
      />
      {fault && <p className="error" id={`${id}-fault`} role="alert"><Told said={fault} /></p>}
    </div>
  );
}

function LineField({ id, label, path, value, readOnly, numeric, mono, onChange }) {
  const { texts } = useContext(FormContext);
  const [wrong, setWrong] = useState(false);
  const [text, change, flush] = useDraft(value, shown, (next) => {
    const number = typedNumber(next);
    const bad = numeric && next.trim() !== "" && number === undefined;
    setWrong(bad);
    if (!bad) onChange(numeric && next.trim() !== "" ? number : next.trim() === "" ? "" : next);
  }, path);
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input id={id} className={`input${numeric ? " num" : ""}${mono ? " mono" : ""}`} inputMode={numeric ? "decimal" : undefined} value={text} readOnly={readOnly} autoComplete="off" spellCheck={!mono} aria-invalid={wrong || undefined} onChange={(event) => change(event.target.value)} onBlur={flush} onKeyDown={(event) => event.key === "Enter" && flush()} />
      {wrong && <p className="error" role="alert">{texts.field_no_number}</p>}
    </div>
  );
}

// One a line, so that a list can be pasted.
function ChoicesField({ id, path, value, readOnly, onChange }) {
  const { texts } = useContext(FormContext);
  const toText = (choices) => (Array.isArray(choices) ? choices.join("\n") : "");
  const [text, change, flush] = useDraft(value, toText, (next) => onChange([...new Set(next.split("\n").map((each) => each.trim()).filter(Boolean))]), path);
  return (
    <div className="field">
      <label htmlFor={id}>{texts.field_choices}</label>
      <textarea id={id} className="input" rows={Math.max(3, Math.min(8, text.split("\n").length + 1))} value={text} readOnly={readOnly} spellCheck={false} onChange={(event) => change(event.target.value)} onBlur={flush} />
    </div>
  );
}
