// JSON in an editor, checked while it is typed; told when it is left, whether it is JSON or not. Knows no words of the
// program around it.
import { Suspense, lazy, useEffect, useId, useState } from "react";
import { placeOfFault } from "$/public/jsx/digits.jsx";
import { readJson } from "$/public/jsx/exact.jsx";
import { Told } from "$/public/jsx/told.jsx";

const CodeField = lazy(() => import("$/public/jsx/code.jsx"));

export function JsonText({ value = "", label, texts, readOnly, onSet }) {
  const [text, setText] = useState(value);
  const [fault, setFault] = useState("");
  const id = useId();
  useEffect(() => {
    setText(value);
    setFault("");
  }, [value]);
  const changed = (next) => {
    setText(next);
    try {
      readJson(next);
      setFault("");
    } catch {
      setFault(placeOfFault(next, texts.jsonAt));
    }
  };
  return (
    <div className="field json-text">
      <Suspense fallback={<div className="code input many">{text}</div>}>
        <CodeField
          id={id} label={label} value={text} readOnly={readOnly} invalid={Boolean(fault)} describedBy={fault ? `${id}-fault` : undefined}
          multiline language="json" onChange={changed} onLeave={() => onSet?.(text)}
        />
      </Suspense>
      {fault && <p className="error" role="alert" id={`${id}-fault`}>{texts.notJson} <Told said={fault} /></p>}
    </div>
  );
}
