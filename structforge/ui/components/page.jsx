// What a page needs of the browser itself: toasts, the document's language, a session kept fresh, the lost-connection strip.
import { useEffect, useRef, useState } from "react";

const seen = () => Number(sessionStorage.getItem("toast") ?? 0);

export function PageBridge({ toast, language, offline, offlineText, closeText, refreshUrl, refreshSeconds = 0 }) {
  const [toasts, setToasts] = useState([]);
  useEffect(() => {
    if (language) document.documentElement.lang = language;
  }, [language]);
  useEffect(() => {
    // Once in a tab: the var is there again on the next page.
    if (!toast || !toast.id || toast.id <= seen()) return;
    sessionStorage.setItem("toast", toast.id);
    setToasts((list) => [...list.slice(-3), toast]);
    if (toast.kind !== "error") {
      const stays = toast.act ? 12000 : 5000;
      setTimeout(() => setToasts((list) => list.filter((each) => each.id !== toast.id)), stays);
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
