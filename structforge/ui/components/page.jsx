// What a page needs of the browser itself: toasts, the document's language, a session kept fresh, the lost-connection strip.
import { useEffect, useRef, useState } from "react";
import { readBody } from "$/public/jsx/exact.jsx";
import { Told } from "$/public/jsx/told.jsx";

const seen = (what) => Number(sessionStorage.getItem(what) ?? 0);
const LOOK_MS = 20000;
const TURN_MS = 5000;

// Each token works once, so the tabs of a browser take turns. Pages without TLS have no locks: a note tells whose turn it is.
async function inTurn(work) {
  if (navigator.locks) return navigator.locks.request("session", work);
  while (Number(localStorage.getItem("session-turn") ?? 0) > Date.now()) await new Promise((go) => setTimeout(go, 50 + 100 * Math.random()));
  localStorage.setItem("session-turn", Date.now() + TURN_MS);
  try {
    return await work();
  } finally {
    localStorage.removeItem("session-turn");
  }
}

// Renew the session when no tab did so for `seconds`; tells whether there is one.
const goOn = (url, seconds) =>
  inTurn(async () => {
    if (Date.now() - Number(localStorage.getItem("session-renewed") ?? 0) < seconds * 1000) return true;
    const answer = await fetch(url, { method: "POST", credentials: "same-origin" });
    const on = answer.ok && (await readBody(answer)).signed_in;
    if (on) localStorage.setItem("session-renewed", Date.now());
    return on;
  });

function backHere(signInUrl) {
  const here = window.location.pathname + window.location.search;
  return here === "/" ? signInUrl : `${signInUrl}?next=${encodeURIComponent(here)}`;
}

export function PageBridge({
  toast, language, offline, offlineText, closeText, refreshUrl, refreshSeconds = 0, lost = 0, shown, signInUrl, endedText, signInText,
}) {
  const [toasts, setToasts] = useState([]);
  const [ended, setEnded] = useState(false);
  useEffect(() => {
    if (language) document.documentElement.lang = language;
  }, [language]);
  useEffect(() => {
    // Once in a tab: the var is there again on the next page.
    if (!toast || !toast.id || toast.id <= seen("toast")) return;
    sessionStorage.setItem("toast", toast.id);
    setToasts((list) => [...list.slice(-3), toast]);
    if (toast.kind !== "error") {
      const stays = toast.act ? 12000 : 5000;
      setTimeout(() => setToasts((list) => list.filter((each) => each.id !== toast.id)), stays);
    }
  }, [toast]);
  useEffect(() => {
    if (!refreshUrl || !refreshSeconds) return;
    if (!localStorage.getItem("session-renewed")) localStorage.setItem("session-renewed", Date.now());
    // Also when a sleeping machine wakes: its timers stood still.
    const look = () => goOn(refreshUrl, refreshSeconds).then((on) => !on && shown && setEnded(true), () => {});
    const seenAgain = () => document.visibilityState === "visible" && look();
    const timer = setInterval(look, LOOK_MS);
    document.addEventListener("visibilitychange", seenAgain);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", seenAgain);
    };
  }, [refreshUrl, refreshSeconds, shown]);
  useEffect(() => {
    // The server no longer knows who we are: the socket still has the cookies of its beginning, so a page that
    // gets new ones begins anew.
    if (!refreshSeconds || !lost || lost <= seen("lost")) return;
    sessionStorage.setItem("lost", lost);
    const again = Date.now() - seen("begun-anew") < 15000;
    goOn(refreshUrl, 0).then(
      (on) => {
        if (on && !again) {
          sessionStorage.setItem("begun-anew", Date.now());
          window.location.reload();
        } else if (shown) setEnded(true);
        else window.location.replace(backHere(signInUrl));
      },
      () => {},
    );
  }, [lost, shown, refreshUrl, refreshSeconds, signInUrl]);
  return (
    <>
      {offline && !ended && <div className="offline" role="status">{offlineText}</div>}
      {ended && (
        <div className="offline ended" role="alert">
          <span>{endedText}</span>
          <a className="btn primary" href={backHere(signInUrl)}>{signInText}</a>
        </div>
      )}
      <div className="toasts" role="status" aria-live="polite">
        {toasts.map((each) => (
          <div key={each.id} className={`toast is-${each.kind === "error" ? "failed" : "succeeded"}`}>
            <p><Told said={each.text} /></p>
            {each.act && (
              <button
                type="button" className="toast-act"
                onClick={() => {
                  setToasts((list) => list.filter((other) => other.id !== each.id));
                  window.dispatchEvent(new CustomEvent("toast-act", { detail: each.act }));
                }}
              >{each.act.text}</button>
            )}
            <button type="button" aria-label={closeText} onClick={() => setToasts((list) => list.filter((other) => other.id !== each.id))}>×</button>
          </div>
        ))}
      </div>
    </>
  );
}

// Posts a form as the browser itself does, when `fields` are there: cookies need an HTTP answer. Once in a tab, as
// the var is there again on the next page.
export function NativePost({ url, fields }) {
  const form = useRef(null);
  const ready = fields && Object.keys(fields).length > 0;
  useEffect(() => {
    const what = JSON.stringify(fields ?? {});
    if (!ready || sessionStorage.getItem("posted") === what) return;
    sessionStorage.setItem("posted", what);
    form.current.submit();
  }, [ready, fields]);
  return (
    <form ref={form} method="post" action={url} hidden>
      {Object.entries(fields ?? {}).map(([name, value]) => <input key={name} type="hidden" name={name} value={value} readOnly />)}
    </form>
  );
}

// What stands where a page broke. Takes its words by language, as nothing of the page can be relied on.
export function Broken({ texts, home }) {
  const words = texts[document.documentElement.lang.slice(0, 2)] ?? Object.values(texts)[0];
  return (
    <main className="broken" role="alert">
      <h1>{words.title}</h1>
      <p>{words.hint}</p>
      <div className="row">
        <button type="button" className="btn primary" onClick={() => window.location.reload()}>{words.reload}</button>
        <a className="btn" href={home}>{words.home}</a>
      </div>
    </main>
  );
}

// Hears of the button in a toast: `act` is what the toast carried.
export function ToastActs({ onAct }) {
  const act = useRef(onAct);
  useEffect(() => {
    act.current = onAct;
  });
  useEffect(() => {
    const heard = (event) => act.current?.(event.detail.name, event.detail.value);
    window.addEventListener("toast-act", heard);
    return () => window.removeEventListener("toast-act", heard);
  }, []);
  return null;
}

// Calls onTick while the page is visible.
export function Ticker({ everyMs, onTick }) {
  const tick = useRef(onTick);
  useEffect(() => {
    tick.current = onTick;
  });
  useEffect(() => {
    const timer = setInterval(() => document.visibilityState === "visible" && tick.current?.(), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return null;
}

// Calls onPulse when `value` changes: soon, but at most once in `everyMs`, and when a hidden page shows again.
export function Pulse({ value, everyMs = 1000, onPulse }) {
  const pulse = useRef(onPulse);
  const state = useRef({ first: true, last: 0, timer: 0, due: false });
  useEffect(() => {
    pulse.current = onPulse;
  });
  useEffect(() => {
    const now = state.current;
    if (now.first) {
      now.first = false;
      return;
    }
    const go = () => {
      now.timer = 0;
      if (document.visibilityState !== "visible") {
        now.due = true;
        return;
      }
      now.last = Date.now();
      pulse.current?.();
    };
    now.timer ||= setTimeout(go, Math.max(0, now.last + everyMs - Date.now()));
  }, [value, everyMs]);
  useEffect(() => {
    const shown = () => {
      if (document.visibilityState !== "visible" || !state.current.due) return;
      state.current.due = false;
      pulse.current?.();
    };
    document.addEventListener("visibilitychange", shown);
    return () => {
      document.removeEventListener("visibilitychange", shown);
      clearTimeout(state.current.timer);
      state.current.timer = 0;
    };
  }, []);
  return null;
}
