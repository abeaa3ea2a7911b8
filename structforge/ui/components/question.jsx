// A question to a person: declared fields, a remark, and a button for each decision. Knows no words of the program
// around it.
import { memo, useEffect, useId, useState } from "react";
import { placeOfFault, typedNumber } from "$/public/jsx/digits.jsx";
import { readJson } from "$/public/jsx/exact.jsx";
import { Prose } from "$/public/jsx/prose.jsx";
import { Told, useTell } from "$/public/jsx/told.jsx";

function Field({ field, value, problem, set, disabled, texts }) {
  const id = useId();
  const common = { id, disabled, "aria-invalid": Boolean(problem), "aria-describedby": problem ? `${id}-problem` : undefined };
  const label = field.title || field.name;
  let input;
  if (field.type === "boolean") {
    input = (
      <select {...common} className="input" value={value === undefined ? "" : String(value)} onChange={(event) => set(event.target.value === "" ? undefined : event.target.value === "true")}>
        <option value="">{texts.choose}</option>
        <option value="true">{texts.yes}</option>
        <option value="false">{texts.no}</option>
      </select>
    );
  } else if (field.type === "choice") {
    input = (
      <select {...common} className="input" value={value ?? ""} onChange={(event) => set(event.target.value || undefined)}>
        <option value="">{texts.choose}</option>
        {field.choices.map((choice) => <option key={choice} value={choice}>{choice}</option>)}
      </select>
    );
  } else if (field.type === "number") {
    input = <input {...common} className="input num" inputMode="decimal" autoComplete="off" value={value ?? ""} onChange={(event) => set(event.target.value || undefined)} />;
  } else if (field.type === "date") {
    input = <input {...common} className="input" type="date" value={value ?? ""} onChange={(event) => set(event.target.value || undefined)} />;
  } else if (field.type === "json") {
    input = <textarea {...common} className="input mono" rows={4} spellCheck={false} value={value ?? ""} onChange={(event) => set(event.target.value)} />;
  } else {
    input = <textarea {...common} className="input" rows={2} maxLength={20000} value={value ?? ""} onChange={(event) => set(event.target.value || undefined)} />;
  }
  return (
    <div className="field">
      <label htmlFor={id}>{label}{field.required && <span className="muted"> · {texts.required}</span>}</label>
      {input}
      {problem && <p className="error" id={`${id}-problem`}><Told said={problem} /></p>}
    </div>
  );
}

// question: {key, title, message, fields: [{name, title, type, choices, required}], decisions: [{name, text, look}], until,
// audience, may}; the answer is told as (key, decision, fields, comment).
export const Question = memo(function Question({ question, problems = {}, texts, locale, onAnswer }) {
  const tell = useTell();
  const [values, setValues] = useState({});
  const [comment, setComment] = useState("");
  const [sent, setSent] = useState(false);
  const [faults, setFaults] = useState({});
  const id = useId();
  useEffect(() => setSent(false), [problems]);
  const answer = (decision) => {
    const fields = {};
    const wrong = {};
    for (const field of question.fields) {
      const value = values[field.name];
      if (value === undefined) continue;
      if (field.type === "number") {
        // Every digit goes along; what is no number the server refuses in its words.
        if (value.trim()) fields[field.name] = typedNumber(value) ?? value;
      } else if (field.type !== "json") fields[field.name] = value;
      else if (value.trim()) {
        try {
          fields[field.name] = readJson(value);
        } catch {
          wrong[field.name] = `${texts.notJson} ${placeOfFault(value, texts.jsonAt)}`;
        }
      }
    }
    setFaults(wrong);
    if (Object.keys(wrong).length) return;
    setSent(true);
    onAnswer?.(question.key, decision, fields, comment);
  };
  const here = problems.key === question.key ? problems.fields ?? {} : {};
  return (
    <section className="question" aria-labelledby={id}>
      <h3 id={id}>{question.title}</h3>
      {question.message && <div className="prose"><Prose text={question.message} /></div>}
      <p className="muted small">
        <code>{question.key}</code>
        {question.audience && <> · {texts.audience} {question.audience}</>}
        {question.until && <> · {texts.until} <time dateTime={question.until}>{new Date(question.until).toLocaleString(locale)}</time></>}
      </p>
      {question.fields.map((field) => (
        <Field key={field.name} field={field} value={values[field.name]} problem={faults[field.name] ?? here[field.name]} disabled={!question.may} texts={texts} set={(value) => setValues((before) => ({ ...before, [field.name]: value }))} />
      ))}
      {question.may ? (
        <>
          {question.remark && (
            <div className="field">
              <label htmlFor={`${id}-comment`}>{texts.comment}</label>
              <textarea id={`${id}-comment`} className="input" rows={2} maxLength={20000} value={comment} onChange={(event) => setComment(event.target.value)} />
            </div>
          )}
          {here[""] && <p className="error" role="alert"><Told said={here[""]} /></p>}
          <div className="row">
            {question.decisions.map((each) => (
              <button key={each.name} type="button" className={`btn ${each.look}`} disabled={sent} title={tell(each.hint)} onClick={() => answer(each.name)}>{each.text}</button>
            ))}
          </div>
        </>
      ) : <p className="muted">{texts.notYours}</p>}
    </section>
  );
});
