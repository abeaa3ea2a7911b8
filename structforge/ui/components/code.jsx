// A text in CodeMirror: one line or many, plain, with `{{ }}` or in a programming language. Loaded when the first
// such field shows. Knows no words of the program around it.
import { useEffect, useMemo, useRef, useState } from "react";
import CodeMirror from "@uiw/react-codemirror";
import { EditorView, keymap, tooltips } from "@codemirror/view";
import { EditorState, Prec } from "@codemirror/state";
import { acceptCompletion, autocompletion, startCompletion } from "@codemirror/autocomplete";
import { syntaxHighlighting } from "@codemirror/language";
import { classHighlighter } from "@lezer/highlight";
import { expressionColours, expressionCompletions } from "$/public/jsx/expressions.jsx";

// One chunk each, loaded when a field of that language shows.
const LANGUAGES = {
  json: () => import("@codemirror/lang-json").then((each) => each.json()),
  markdown: () => import("@codemirror/lang-markdown").then((each) => each.markdown()),
  sql: () => import("@codemirror/lang-sql").then((each) => each.sql()),
  python: () => import("@codemirror/lang-python").then((each) => each.python()),
  javascript: () => import("@codemirror/lang-javascript").then((each) => each.javascript()),
};
const SETUP = {
  lineNumbers: false, foldGutter: false, highlightActiveLine: false, highlightActiveLineGutter: false, autocompletion: false,
  closeBrackets: true, bracketMatching: true, searchKeymap: false, lintKeymap: false, completionKeymap: false,
  highlightSelectionMatches: false, drawSelection: false, dropCursor: true, syntaxHighlighting: false, rectangularSelection: false, crosshairCursor: false,
};
const NUMBERED = { ...SETUP, lineNumbers: true };

const oneLine = EditorState.transactionFilter.of((change) => {
  if (!change.docChanged || change.newDoc.lines === 1) return change;
  // What was pasted over several lines becomes one.
  return [{ changes: { from: 0, to: change.startState.doc.length, insert: change.newDoc.toString().replace(/\s*\n\s*/g, " ") }, sequential: false }];
});

export default function CodeField({
  id, labelledBy, label, describedBy, invalid, value, onChange, onLeave, onEnter, onFocus, onLines, readOnly, multiline, language, placeholder,
  expressions, scope, help, helpTexts, suggestions, faults = [], spellCheck,
}) {
  const [mode, setMode] = useState(null);
  const view = useRef(null);
  const latest = useRef({});
  latest.current = { onChange, onLeave, onEnter, onFocus, onLines, scope, help, helpTexts, suggestions, faults };
  useEffect(() => {
    let here = true;
    setMode(null);
    LANGUAGES[language]?.().then((found) => here && setMode(found));
    return () => {
      here = false;
    };
  }, [language]);
  const faultKey = JSON.stringify(faults);
  // Colours depend on both: an empty transaction draws them again.
  useEffect(() => {
    view.current?.dispatch({});
  }, [scope, faultKey]);
  const coded = ["sql", "python", "javascript"].includes(language);
  const extensions = useMemo(() => {
    const own = () => latest.current;
    const row = language === "row-expression";
    const source = expressionCompletions({
      getScope: () => (expressions ? own().scope : {}), getLanguage: () => own().help, getTexts: () => own().helpTexts ?? {},
      getSuggestions: () => own().suggestions, rowLanguage: row,
    });
    return [
      mode ?? [],
      syntaxHighlighting(classHighlighter),
      multiline ? EditorView.lineWrapping : oneLine,
      expressions ? expressionColours(() => own().scope, () => own().faults) : [],
      autocompletion({ override: [source], icons: false, activateOnTyping: true, maxRenderedOptions: 80, closeOnBlur: true }),
      tooltips({ parent: document.body, position: "fixed" }),
      Prec.highest(keymap.of([
        { key: "Ctrl-Space", run: startCompletion },
        { key: "Tab", run: acceptCompletion },
        { key: "Mod-Enter", run: () => (own().onLeave?.(), true) },
      ])),
      multiline ? [] : keymap.of([{ key: "Enter", run: () => (own().onEnter?.(), true) }]),
      EditorView.contentAttributes.of({
        id, tabindex: "0", "aria-multiline": String(Boolean(multiline)), spellcheck: String(Boolean(spellCheck)),
        ...(labelledBy ? { "aria-labelledby": labelledBy } : { "aria-label": label ?? "" }),
        ...(describedBy ? { "aria-describedby": describedBy } : {}), ...(invalid ? { "aria-invalid": "true" } : {}),
        ...(readOnly ? { "aria-readonly": "true" } : {}),
      }),
      EditorView.domEventHandlers({
        focus: () => own().onFocus?.(),
        blur: () => own().onLeave?.(),
        paste: (event) => {
          const lines = event.clipboardData?.getData("text/plain").split(/\r?\n/).filter((line) => line.trim()) ?? [];
          if (!own().onLines || lines.length < 2) return false;
          event.preventDefault();
          own().onLines(lines);
          return true;
        },
      }),
    ];
  }, [mode, multiline, expressions, language, id, labelledBy, label, describedBy, invalid, readOnly, spellCheck]);
  return (
    <CodeMirror
      className={`code input${multiline ? " many" : ""}${coded ? " coded" : ""}${invalid ? " invalid" : ""}`} theme="none" value={value} readOnly={readOnly} editable={!readOnly} indentWithTab={false}
      basicSetup={coded ? NUMBERED : SETUP} placeholder={placeholder || undefined} extensions={extensions}
      onCreateEditor={(made) => { view.current = made; }} onChange={(next) => latest.current.onChange?.(next)}
    />
  );
}
