// Ways to put something in: a search line that waits for a pause, a text edited in its place, a file to upload.
import { useEffect, useRef, useState } from "react";
import { readBody } from "$/public/jsx/exact.jsx";
import { Told } from "$/public/jsx/told.jsx";

const PAUSE_MS = 200;

export function SearchLine({ value = "", label, maxLength = 200, onSearch }) {
  const [text, setText] = useState(value);
  const timer = useRef(null);
  const sent = useRef(value);
  useEffect(() => {
    // Changed from elsewhere, such as "clear the filters".
    if (value !== sent.current) {
      sent.current = value;
      setText(value);
    }
  }, [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const send = (next) => {
    clearTimeout(timer.current);
    if (next === sent.current) return;
    sent.current = next;
    onSearch?.(next);
  };
  return (
    <input
      className="input search-line" type="search" value={text} maxLength={maxLength} placeholder={label} aria-label={label}
      onChange={(event) => {
        const next = event.target.value;
        setText(next);
        clearTimeout(timer.current);
        timer.current = setTimeout(() => send(next), PAUSE_MS);
      }}
      onKeyDown={(event) => event.key === "Enter" && send(event.target.value)}
    />
  );
}

export function InPlace({ value, label, problem, saveText, cancelText, maxLength = 200, onSave, onCancel }) {
  const [text, setText] = useState(value);
  const line = useRef(null);
  useEffect(() => {
    line.current.focus();
    line.current.select();
  }, []);
  useEffect(() => {
    if (problem) line.current.focus();
  }, [problem]);
  return (
    <form
      className="in-place"
      onSubmit={(event) => {
        event.preventDefault();
        onSave?.(text);
      }}
    >
      <div className="row tight">
        <input
          ref={line} className="input" value={text} maxLength={maxLength} aria-label={label} aria-invalid={Boolean(problem)}
          aria-describedby={problem ? "in-place-problem" : undefined} onChange={(event) => setText(event.target.value)}
          onKeyDown={(event) => event.key === "Escape" && onCancel?.()}
        />
        <button type="submit" className="btn primary">{saveText}</button>
        <button type="button" className="btn ghost" onClick={() => onCancel?.()}>{cancelText}</button>
      </div>
      {problem && <p className="error" id="in-place-problem" role="alert"><Told said={problem} /></p>}
    </form>
  );
}

// A file or pasted text, posted to `url`; what the server finds wrong is shown beside the field, nothing is lost.
// It is asked first (`?check=true`): a refused request is logged by the browser as if the page were broken.
export function FilePost({ url, maxBytes, texts, onDone }) {
  const [text, setText] = useState("");
  const [file, setFile] = useState(null);
  const [problems, setProblems] = useState([]);
  const [busy, setBusy] = useState(false);
  const [over, setOver] = useState(false);
  const choose = (chosen) => {
    if (!chosen) return;
    setFile(chosen);
    setText("");
    setProblems(chosen.size > maxBytes ? [{ message: texts.tooLarge }] : []);
  };
  const send = async (event) => {
    event.preventDefault();
    const body = file ?? text;
    const size = file ? file.size : new Blob([text]).size;
    if (size > maxBytes) return setProblems([{ message: texts.tooLarge }]);
    if (size === 0) return setProblems([{ message: texts.nothing }]);
    setBusy(true);
    setProblems([]);
    try {
      // Read first: a browser tells a file that is gone only as "failed to fetch".
      const data = file ? await file.arrayBuffer() : body;
      const post = async (to) => {
        const answer = await fetch(to, { method: "POST", credentials: "same-origin", headers: { "content-type": "application/json" }, body: data });
        return [answer.ok, await readBody(answer)];
      };
      let [fine, said] = await post(`${url}?check=true`);
      if (fine && said.valid) {
        [fine, said] = await post(url);
        if (fine) return onDone?.(said.id);
      }
      setProblems(said.problems?.length ? said.problems : [{ message: texts.failed }]);
    } catch {
      setProblems([{ message: texts.failed }]);
    }
    setBusy(false);
  };
  const wrong = problems.length > 0;
  return (
    <form className="file-post" onSubmit={send}>
      <label
        className={over ? "drop over" : "drop"}
        onDragOver={(event) => { event.preventDefault(); setOver(true); }}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => { event.preventDefault(); setOver(false); choose(event.dataTransfer.files[0]); }}
      >
        <input
          type="file" accept="application/json,.json" className="visually-hidden"
          onChange={(event) => {
            choose(event.target.files[0]);
            // So that the same file, mended, can be chosen again.
            event.target.value = "";
          }}
        />
        <strong>{file ? file.name : texts.choose}</strong>
        <span className="muted small">{file ? `${(file.size / 1024).toFixed(1)} kB` : texts.drop}</span>
      </label>
      <div className="field">
        <label htmlFor="file-post-text">{texts.paste}</label>
        <textarea
          id="file-post-text" className="input mono" rows={7} spellCheck={false} value={text} placeholder={texts.placeholder}
          aria-invalid={wrong} aria-describedby={wrong ? "file-post-problems" : undefined}
          onChange={(event) => { setText(event.target.value); setFile(null); setProblems([]); }}
        />
        {wrong && (
          <ul className="problems" id="file-post-problems" role="alert">
            {problems.slice(0, 8).map((problem, number) => (
              <li key={number} className="error">
                <span><Told said={problem} part="message" /> {problem.where && <code>{problem.where}</code>} <Told said={problem} part="hint" /></span>
              </li>
            ))}
            {problems.length > 8 && <li className="muted small">+ {problems.length - 8}</li>}
          </ul>
        )}
      </div>
      <div className="row end"><button type="submit" className="btn primary" disabled={busy}>{busy ? texts.busy : texts.send}</button></div>
    </form>
  );
}

const local = (iso) => {
  if (!iso) return "";
  const date = new Date(iso);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
};

// A date and time in the reader's time zone; `value` and what is told are ISO 8601 in UTC, empty when there is none.
export function MomentLine({ value = "", label, onSet }) {
  const [text, setText] = useState(local(value));
  useEffect(() => setText(local(value)), [value]);
  const send = () => text !== local(value) && onSet?.(text ? new Date(text).toISOString() : "");
  return (
    <input
      className="input moment-line" type="datetime-local" value={text} aria-label={label} title={label}
      onChange={(event) => setText(event.target.value)} onBlur={send} onKeyDown={(event) => event.key === "Enter" && send()}
    />
  );
}
