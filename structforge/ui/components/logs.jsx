// Log lines, given or read from an address that answers {items: [{seq, level, message, at}]} after a number; while
// `live`, it is asked again: soon after lines came, every second otherwise, and not while nobody sees the page.
// Filtered by the least level and by words.
import { useEffect, useRef, useState } from "react";
import { getJson } from "$/public/jsx/data_table.jsx";
import { Told, saidBy, useTell } from "$/public/jsx/told.jsx";

const LEVELS = ["debug", "info", "warning", "error"];
const AGAIN_MS = 1000;
const SOON_MS = 250;
const PAUSE_MS = 250;
const MOST = 2000;

function useLines(source, live) {
  const [lines, setLines] = useState([]);
  const [problem, setProblem] = useState("");
  const [ready, setReady] = useState(false);
  const after = useRef(0);
  useEffect(() => {
    after.current = 0;
    setLines([]);
    setReady(false);
  }, [source]);
  useEffect(() => {
    if (!source) return undefined;
    let here = true;
    let timer = 0;
    const look = async () => {
      if (document.hidden && live) return document.addEventListener("visibilitychange", look, { once: true });
      try {
        const { items } = await getJson(`${source}${source.includes("?") ? "&" : "?"}after=${after.current}`);
        if (!here) return;
        if (items.length) {
          after.current = items.at(-1).seq;
          setLines((before) => [...before, ...items].slice(-MOST));
        }
        setProblem("");
        setReady(true);
        if (items.length >= 500) timer = setTimeout(look, 0);
        else if (live) timer = setTimeout(look, items.length ? SOON_MS : AGAIN_MS);
      } catch (error) {
        if (!here) return;
        setProblem(saidBy(error));
        if (live) timer = setTimeout(look, 3 * AGAIN_MS);
      }
    };
    look();
    return () => {
      here = false;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", look);
    };
  }, [source, live]);
  return { lines, problem, ready };
}

// `remote`: the address itself filters, by `level` and `search`, so that lines beyond those here are found too; `named`
// shows of what step each line is.
export function LogView({ lines = null, source = "", live = false, remote = false, named = false, texts }) {
  const tell = useTell();
  const [least, setLeast] = useState("debug");
  const [search, setSearch] = useState("");
  const [asked, setAsked] = useState("");
  useEffect(() => {
    if (!remote) return undefined;
    const timer = setTimeout(() => setAsked(`?level=${least}&search=${encodeURIComponent(search)}`), asked ? PAUSE_MS : 0);
    return () => clearTimeout(timer);
  }, [remote, least, search]);
  const read = useLines(remote ? asked && source + asked : source, live);
  const box = useRef(null);
  const all = source ? read.lines : (lines ?? []).map(([level, message], seq) => ({ seq, level, message }));
  const words = search.toLowerCase();
  const shown = remote ? all : all.filter((line) => LEVELS.indexOf(line.level) >= LEVELS.indexOf(least) && (!words || tell(line.message).toLowerCase().includes(words)));
  const end = useRef(true);
  useEffect(() => {
    // Who scrolled up reads there: new lines do not move the place.
    if (live && end.current && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [shown.length, live]);
  if (read.problem) return <div className="notice" role="alert"><p><Told said={read.problem} /></p></div>;
  if (source && !read.ready && !(remote && asked && (search || least !== "debug"))) return <div className="skeleton line" role="status" aria-label={texts.loading} />;
  const narrowed = remote && (least !== "debug" || search !== "");
  if (!all.length && !narrowed) return <p className="muted">{live ? texts.noLogsYet : texts.noLogs}</p>;
  return (
    <div className="stack log-view">
      <div className="row">
        <select className="input log-level" value={least} aria-label={texts.level} onChange={(event) => setLeast(event.target.value)}>
          {LEVELS.map((level) => <option key={level} value={level}>{texts[`level_${level}`]}</option>)}
        </select>
        <input className="input value-search" type="search" value={search} placeholder={texts.search} aria-label={texts.search} onChange={(event) => setSearch(event.target.value)} />
      </div>
      {shown.length === 0 ? <p className="muted">{texts.noMatch}</p> : (
        <div ref={box} className="loglines" tabIndex={0} aria-label={texts.logs} role="log" onScroll={({ currentTarget: list }) => { end.current = list.scrollHeight - list.scrollTop - list.clientHeight < 24; }}>
          <ol>
            {shown.map((line) => (
              <li key={line.seq} className={`log-${line.level}`}>
                {line.at && <time dateTime={line.at} className="muted">{new Date(line.at).toLocaleTimeString([], { hour12: false })} </time>}
                <span className="log-word">{texts[`level_${line.level}`] ?? line.level}</span>{named && line.step_key && <span className="log-step"> {line.step_key}</span>} {tell(line.message)}
              </li>
            ))}
          </ol>
        </div>
      )}
    </div>
  );
}
