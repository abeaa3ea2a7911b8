// Texts the program says in its own language, told in the reader's. A catalogue is JSON modules of sections, each from
// the program's text or pattern to the reader's; it is loaded when it is first needed. What it lacks stays as it came.
import { useSyncExternalStore } from "react";

const CATALOGUES = {
  zh: () => Promise.all([
    import("$/public/jsx/node_types.zh.json"), import("$/public/jsx/parameters.zh.json"), import("$/public/jsx/problems.zh.json"), import("$/public/jsx/node_docs.zh.json"),
  ]),
};
const here = typeof document !== "undefined";
const languageNow = () => (here ? document.documentElement.lang.slice(0, 2) : "");
const known = {};
const listeners = new Set();
let shown = "";

// The first module has titles by kind: a sentence names a kind as its value `node_type`. The second has titles of fields.
const titlesIn = (kinds) => Object.fromEntries(Object.entries(kinds).map(([kind, { title }]) => [`node_type:${kind}`, title]));

const changed = () => listeners.forEach((each) => each());

function follow() {
  const language = languageNow();
  if (!CATALOGUES[language] || known[language]) {
    shown = language;
    return changed();
  }
  CATALOGUES[language]().then(([kinds, fields, ...others]) => {
    known[language] = Object.assign(titlesIn(kinds.default), fields.default, ...others.flatMap((each) => Object.values(each.default)));
    if (language === languageNow()) shown = language;
    changed();
  }, () => {});
}

if (here) {
  new MutationObserver(follow).observe(document.documentElement, { attributes: true, attributeFilter: ["lang"] });
  follow();
}

const subscribe = (listener) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

const words = () => known[shown] ?? {};

// What the catalogue has under a name, else the program's own text.
export const worded = (name, own) => words()[name] ?? own;

// Values of these names are people's own: a field that is called "nothing" is no word of the program.
const OWN = ["name", "field", "column", "node", "key", "path", "file"];

function filled(pattern, values) {
  return pattern.replace(/\{\{|\}\}|\{(\w+)\}/g, (all, name) => {
    if (name === undefined) return all[0];
    const value = values[name] ?? "";
    return worded(`${name}:${value}`, typeof value === "string" && OWN.includes(name) ? value : tell(value));
  });
}

// said: a text; a sentence {text, pattern, values}; a problem {message, hint, sentences}; or a list of these.
export function tell(said) {
  if (said === null || said === undefined) return "";
  if (typeof said === "string") return words()[said] ?? said;
  if (Array.isArray(said)) return said.map(tell).filter(Boolean).join(shown === "zh" ? "" : " ").trim();
  if (typeof said !== "object") return String(said);
  if (said.message !== undefined) return tell(partsOf(said));
  const pattern = words()[said.pattern];
  if (pattern) return filled(pattern, said.values ?? {});
  return said.text !== undefined ? tell(said.text) : Object.keys(said).length ? JSON.stringify(said) : "";
}

export const partOf = (problem, name) => (problem.sentences?.[name] ? { text: problem[name] ?? "", ...problem.sentences[name] } : problem[name] ?? "");

const partsOf = (problem) => [partOf(problem, "message"), partOf(problem, "hint")];

// Draws again when the language changes or its catalogue has come.
export function useTell() {
  useSyncExternalStore(subscribe, () => shown + Object.keys(known).length, () => "");
  return tell;
}

export function useWorded() {
  useTell();
  return worded;
}

// Words between backticks are code.
export function withCode(text) {
  return text?.split("`").map((each, number) => (number % 2 ? <code key={number}>{each}</code> : each));
}

// `part` takes one text of a problem; `name` is what a catalogue may have a text under.
export function Told({ said, part = "", name = "" }) {
  const told = useTell();
  if (name) return <>{told(worded(name, said))}</>;
  return <>{withCode(told(part && said && typeof said === "object" ? partOf(said, part) : said))}</>;
}

// An answer that is a problem, as an error that can be told.
export class Refusal extends Error {
  constructor(status, body) {
    const problem = body?.problems?.[0];
    super(problem?.message ?? `HTTP ${status}`);
    this.problem = problem;
  }
}

export const saidBy = (error) => error.problem ?? String(error.message || error);
