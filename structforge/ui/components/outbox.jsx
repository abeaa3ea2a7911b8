// What was done here and not confirmed yet: kept until the server says so, sent again when the connection is back.
// Knows no words of the program around it.
import { useEffect, useRef, useSyncExternalStore } from "react";

const RETRY_MS = 8000;
const waiting = new Map();
const listeners = new Set();
let size = 0;

function changed() {
  size = waiting.size;
  listeners.forEach((listener) => listener());
}

// Sends an action under a key of its own; `send(key)` may be called again with the same key, `onDone` is told once.
export function post(send, onDone) {
  const random = crypto.getRandomValues(new Uint32Array(3));
  const key = [...random].map((part) => part.toString(36)).join("");
  waiting.set(key, { send, onDone, at: Date.now() });
  changed();
  send(key);
}

const subscribe = (listener) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

function again(olderThan) {
  const now = Date.now();
  for (const [key, entry] of waiting) {
    if (now - entry.at < olderThan) continue;
    entry.at = now;
    entry.send(key);
  }
}

export function Outbox({ done = [], offline, texts }) {
  const count = useSyncExternalStore(subscribe, () => size, () => 0);
  const was = useRef(offline);
  useEffect(() => {
    let any = false;
    for (const key of done) {
      const entry = waiting.get(key);
      any = waiting.delete(key) || any;
      entry?.onDone?.();
    }
    if (any) changed();
  }, [done]);
  useEffect(() => {
    if (was.current && !offline) {
      const timer = setTimeout(() => again(0), 600);
      was.current = offline;
      return () => clearTimeout(timer);
    }
    was.current = offline;
  }, [offline]);
  useEffect(() => {
    // An answer may be lost on a connection that never seemed gone.
    const timer = setInterval(() => !offline && again(RETRY_MS), RETRY_MS / 2);
    return () => clearInterval(timer);
  }, [offline]);
  useEffect(() => {
    const ask = (event) => size && event.preventDefault();
    window.addEventListener("beforeunload", ask);
    return () => window.removeEventListener("beforeunload", ask);
  }, []);
  if (!offline || !count) return null;
  return <div className="outbox" role="status">{texts.waiting.replace("{count}", count)}</div>;
}
