// What a page needs of the browser itself: toasts, the document's language, a session kept fresh, the lost-connection strip.
import { useEffect, useRef, useState } from "react";

export function PageBridge({ toast, language, offline, offlineText, closeText, refreshUrl, refreshSeconds = 0 }) {
  const [toasts, setToasts] = useState([]);
  const last = useRef(0);
  useEffect(() => {
    if (language) document.documentElement.lang = language;
  }, [language]);
  useEffect(() => {
    if (!toast || !toast.id || toast.id === last.current) return;
    last.current = toast.id;
    setToasts((list) => [...list.slice(-3), toast]);
    if (toast.kind !== "error") {
      const timer = setTimeout(() => setToasts((list) => list.filter((each) => each.id !== toast.id)), 5000);
      return () => clearTimeout(timer);
    }
  }, [toast]);
  useEffect(() => {
    if (!refreshUrl || !refreshSeconds) return;
    const timer = setInterval(() => {
      fetch(refreshUrl, { method: "POST", credentials: "same-origin" }).catch(() => {});
    }, refreshSeconds * 1000);
    return () => clearInterval(timer);
  }, [refreshUrl, refreshSeconds]);
  return (
    <>
      {offline && <div className="offline" role="status">{offlineText}</div>}
      <div className="toasts" role="status" aria-live="polite">
        {toasts.map((each) => (
          <div key={each.id} className={`toast is-${each.kind === "error" ? "failed" : "succeeded"}`}>
            <p>{each.text}</p>
            <button type="button" aria-label={closeText} onClick={() => setToasts((list) => list.filter((other) => other.id !== each.id))}>×</button>
          </div>
        ))}
      </div>
    </>
  );
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
