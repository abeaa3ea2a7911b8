// The way through a page without a mouse: F6 goes from one part of it to the next, what opens beside takes the focus and
// gives it back, and a page that replaced another does not leave it nowhere. Knows no words of the program around it.
import { useEffect, useRef } from "react";
import { useLocation } from "react-router";

export const FOCUSABLE = "a[href], button:not(:disabled), input:not(:disabled, [type=hidden], [type=file]), select:not(:disabled), textarea:not(:disabled), summary, [contenteditable=true], [tabindex='0']";
const ARRIVES_MS = 3000;
// The page that was here last: each page brings its own frame.
let came = "";
const nowhere = () => !document.activeElement || document.activeElement === document.body;
const seen = (element) => element.getClientRects().length > 0;

// A part of the page is what has `data-region`. Each remembers what was focused in it last.
export function Regions() {
  const last = useRef(new WeakMap());
  const { pathname } = useLocation();
  useEffect(() => {
    const regions = () => [...document.querySelectorAll("[data-region]")].filter(seen);
    const of = (element) => element?.closest?.("[data-region]");
    const focused = (event) => {
      const region = of(event.target);
      if (region) last.current.set(region, event.target);
    };
    const pressed = (event) => {
      if (event.key !== "F6" || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
      const all = regions();
      if (!all.length) return;
      event.preventDefault();
      const at = all.indexOf(of(document.activeElement));
      const region = all[at < 0 ? 0 : (at + (event.shiftKey ? -1 : 1) + all.length) % all.length];
      const before = last.current.get(region);
      const inside = [...region.querySelectorAll(FOCUSABLE)].filter(seen);
      const target = before?.isConnected && region.contains(before) && seen(before) ? before : inside.find((each) => each.matches("[aria-selected=true], .selected")) ?? inside[0] ?? region;
      target.focus();
    };
    document.addEventListener("focusin", focused);
    window.addEventListener("keydown", pressed);
    return () => {
      document.removeEventListener("focusin", focused);
      window.removeEventListener("keydown", pressed);
    };
  }, []);
  // A link led here: what had the focus is gone with its page.
  useEffect(() => {
    const first = came === "";
    if (came === pathname) return undefined;
    came = pathname;
    if (first) return undefined;
    const until = Date.now() + ARRIVES_MS;
    const arrive = () => {
      if (!nowhere() || document.querySelector("dialog[open]")) return;
      const content = document.getElementById("content");
      if (content && !content.ariaBusy) content.focus({ preventScroll: true });
      else if (Date.now() < until) timer = setTimeout(arrive, 100);
    };
    let timer = setTimeout(arrive, 100);
    return () => clearTimeout(timer);
  }, [pathname]);
  return null;
}

// The first stop of a page, past its navigation. Without the browser's own jump: an address with a fragment opens the
// page anew.
export function SkipLink({ className, children, to }) {
  const skip = (event) => {
    event.preventDefault();
    document.getElementById(to)?.focus();
  };
  return <a className={className} href={`#${to}`} onClick={skip}>{children}</a>;
}

// What opens beside the work: takes the focus, leaves at Escape, and the focus goes back to where it came from.
export function Aside({ className, label, onLeave, children }) {
  const box = useRef(null);
  useEffect(() => {
    const opener = document.activeElement;
    if (!box.current.contains(opener)) box.current.focus({ preventScroll: true });
    return () => {
      setTimeout(() => nowhere() && opener?.isConnected && opener.focus());
    };
  }, []);
  const pressed = (event) => {
    if (event.key !== "Escape" || event.defaultPrevented || !onLeave) return;
    event.preventDefault();
    event.stopPropagation();
    onLeave();
  };
  // What was pressed in it may be gone since, and the focus with it.
  useEffect(() => {
    const lost = (event) => nowhere() && !document.querySelector("dialog[open]") && pressed(event);
    window.addEventListener("keydown", lost);
    return () => window.removeEventListener("keydown", lost);
  });
  return <div ref={box} className={className} role="region" aria-label={label} tabIndex={-1} onKeyDown={pressed}>{children}</div>;
}

// Keys of a row of tabs, of which the chosen one is the stop of Tab.
export function tabKeys(event) {
  const tabs = [...event.currentTarget.querySelectorAll("[role=tab]")];
  const at = tabs.indexOf(event.target);
  const step = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
  if (at < 0 || step === undefined) return;
  event.preventDefault();
  const next = tabs[(step + tabs.length) % tabs.length];
  next.focus();
  next.click();
}

export const TabList = ({ className, children }) => <div className={className} role="tablist" onKeyDown={tabKeys}>{children}</div>;

// Keys of a list with one stop of Tab: up, down, first and last among `entries`; tells whether it took the key.
export function walk(event, entries) {
  const at = entries.indexOf(document.activeElement);
  const step = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: entries.length - 1 }[event.key];
  if (step === undefined || !entries.length) return false;
  entries[(step + entries.length) % entries.length].focus();
  event.preventDefault();
  event.stopPropagation();
  return true;
}
