// Lists, names with values, and several of some words: the fields of a form that hold more than one value. Knows no words
// of the program around it.
import { useContext, useState } from "react";
import { sameValue } from "$/public/jsx/digits.jsx";
import { digitsOf, isContainer, isObject } from "$/public/jsx/exact.jsx";
import { FormContext, TextInput, below, choiceText, resolved, shown, useDraft } from "$/public/jsx/inputs.jsx";
import { Told, useWorded } from "$/public/jsx/told.jsx";
import { AnyInput } from "$/public/jsx/typed.jsx";

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
export function Pairs({ id, schema, root, value, onChange, readOnly, literal, path, problems, labelledBy }) {
  const { texts } = useContext(FormContext);
  const of = resolved(schema.additionalProperties === true ? {} : schema.additionalProperties, root);
  const One = of.type === "string" ? TextInput : AnyInput;
  const entries = Object.entries(isObject(value) ? value : {});
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
          <div className={`form-pair${isContainer(each) ? " tall" : ""}`} key={index} data-field={here}>
            <NameInput path={here} value={key} readOnly={readOnly} label={`${texts.name} ${index + 1}`} placeholder={texts.name} invalid={again} onChange={(name) => put(rows.map((row, at) => (at === index ? [name, row[1]] : row)))} />
            <One schema={{ "x-placeholder": texts.value }} value={each} readOnly={readOnly} literal={literal} path={here} label={`${texts.value} ${key}`} about={key} id={`${id}-v${index}`} onChange={(next) => put(rows.map((row, at) => (at === index ? [row[0], next] : row)))} />
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
        <label key={digitsOf(each)} className="row tight">
          <input type="checkbox" checked={chosen.some((other) => sameValue(other, each))} disabled={readOnly} onChange={(event) => onChange(all.filter((other) => (other === each ? event.target.checked : chosen.some((one) => sameValue(one, other)))))} />
          {choiceText(each, names, worded)}
        </label>
      ))}
    </div>
  );
}
