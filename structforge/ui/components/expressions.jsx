// `{{ }}` inside any text, for CodeMirror: colours, and completion from what can be named. Knows no words of the
// program around it. `scope` is `{names, columns}` of entries `{label, kind, sample, size, fields, item, title}`;
// `language` is `{functions, tests, methods, rowFunctions}`.
import { Decoration, ViewPlugin } from "@codemirror/view";
import { pickedCompletion } from "@codemirror/autocomplete";

const WORDS = new Set(["and", "or", "not", "in", "is", "if", "else"]);
const VALUES = new Set(["true", "false", "none", "True", "False", "None", "null"]);
const PLAIN = /^[A-Za-z_][A-Za-z0-9_]*$/;
// A column that an expression can name as it is; others are written `row["unit price"]`.
const named = (label) => /^[\p{L}_][\p{L}\p{N}_]*$/u.test(label) && !WORDS.has(label) && !VALUES.has(label) && label !== "row";
const TOKEN = /\s+|"(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?|\d+(?:\.\d+)?|[A-Za-z_][A-Za-z0-9_]*|./gsy;

// Where expressions stand: `{from, to}` with the braces, `closed` when `}}` is there.
export function regionsOf(text) {
  const found = [];
  let at = text.indexOf("{{");
  while (at >= 0) {
    let depth = 0, quote = "", i = at + 2, closed = false;
    for (; i < text.length; i += 1) {
      const c = text[i];
      if (quote) {
        if (c === "\\") i += 1;
        else if (c === quote) quote = "";
      } else if (c === '"' || c === "'") quote = c;
      else if (c === "{") depth += 1;
      else if (c === "}") {
        if (depth > 0) depth -= 1;
        else if (text[i + 1] === "}") {
          closed = true;
          i += 2;
          break;
        }
      }
    }
    found.push({ from: at, to: Math.min(i, text.length), closed });
    at = text.indexOf("{{", Math.max(i, at + 2));
  }
  return found;
}

function tokensOf(inner, base, names) {
  const found = [];
  let before = "";
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(inner); match; match = TOKEN.exec(inner)) {
    const text = match[0];
    if (!text.trim()) continue;
    let look = "op";
    if (text[0] === '"' || text[0] === "'") look = "string";
    else if (/^\d/.test(text)) look = "number";
    else if (PLAIN.test(text)) {
      const called = /^\s*\(/.test(inner.slice(match.index + text.length));
      const named = /^\s*=[^=]/.test(inner.slice(match.index + text.length));
      if (before === ".") look = called ? "function" : "property";
      else if (before === "|" || called) look = "function";
      else if (before === "is" || before === "is not") look = "function";
      else if (WORDS.has(text)) look = "keyword";
      else if (VALUES.has(text)) look = "atom";
      else if (named) look = "property";
      else look = names && !names.has(text) ? "unknown" : "name";
    }
    found.push({ from: base + match.index, to: base + match.index + text.length, look });
    before = before === "is" && text === "not" ? "is not" : text;
  }
  return found;
}

const marks = Object.fromEntries(["brace", "op", "string", "number", "function", "property", "keyword", "atom", "name", "unknown"].map((look) => [look, Decoration.mark({ class: `cx-${look}` })]));
const inside = Decoration.mark({ class: "cx" });
const fault = Decoration.mark({ class: "cx-fault" });

function decorate(view, getScope, getFaults) {
  const text = view.state.doc.toString();
  const scope = getScope();
  const names = scope?.names ? new Set(scope.names.map((each) => each.label)) : null;
  const ranges = [];
  for (const { from, to, closed } of regionsOf(text)) {
    ranges.push(inside.range(from, to), marks.brace.range(from, from + 2));
    const end = closed ? to - 2 : to;
    for (const token of tokensOf(text.slice(from + 2, end), from + 2, names)) ranges.push(marks[token.look].range(token.from, token.to));
    if (closed) ranges.push(marks.brace.range(end, to));
  }
  for (const { start, end } of getFaults()) {
    const from = Math.min(start, text.length), to = Math.min(Math.max(end, start + 1), text.length);
    if (from < to) ranges.push(fault.range(from, to));
  }
  return Decoration.set(ranges, true);
}

export function expressionColours(getScope, getFaults) {
  return ViewPlugin.fromClass(
    class {
      constructor(view) {
        this.decorations = decorate(view, getScope, getFaults);
      }
      update(update) {
        // An empty transaction is how the field says that scope or faults changed.
        if (update.docChanged || update.transactions.length) this.decorations = decorate(update.view, getScope, getFaults);
      }
    },
    { decorations: (plugin) => plugin.decorations },
  );
}

// ---- completion ------------------------------------------------------------------------------------------------

function follow(scope, path) {
  const parts = path.match(/[A-Za-z_][A-Za-z0-9_]*|\[\s*(?:-?\d+|"[^"]*"|'[^']*')\s*\]/g) ?? [];
  let entry = scope.names?.find((each) => each.label === parts[0]);
  for (const part of parts.slice(1)) {
    const key = part[0] === "[" ? part.slice(1, -1).trim() : part;
    if (!entry) return undefined;
    if (/^-?\d+$/.test(key)) entry = entry.item;
    else {
      const name = key.replace(/^["']|["']$/g, "");
      entry = entry.fields?.find((each) => each.label === name);
    }
  }
  return entry;
}

const detailOf = (entry) => [entry.kind, entry.size !== undefined ? `(${entry.size})` : ""].filter(Boolean).join(" ");

function note(lines) {
  const box = document.createElement("div");
  for (const [look, text] of lines) {
    if (!text) continue;
    const line = document.createElement("div");
    line.className = look;
    line.textContent = text;
    box.append(line);
  }
  return box;
}

const infoOf = (entry) => (entry.title || entry.sample ? () => note([["cx-info", entry.title], ["cx-sample", entry.sample]]) : undefined);

function insert(before, after = "") {
  return (view, completion, from, to) => {
    view.dispatch({ changes: { from, to, insert: before + after }, selection: { anchor: from + before.length }, annotations: pickedCompletion.of(completion) });
  };
}

function functionOption(each, texts, piped) {
  const takes = piped ? each.signature : `value${each.signature ? `, ${each.signature}` : ""}`;
  return {
    label: each.label, type: "function", detail: takes ? `(${takes})` : "", boost: piped ? 0 : -20,
    apply: takes ? insert(`${each.label}(`, ")") : each.label,
    info: () => note([["cx-info", texts[each.label]], ["cx-sample", `${each.example} → ${each.result}`]]),
  };
}

function fieldOption(entry, from, dot) {
  const plain = PLAIN.test(entry.label);
  const quoted = `[${JSON.stringify(entry.label)}]`;
  return {
    label: entry.label, type: "property", detail: detailOf(entry), info: infoOf(entry),
    apply: plain ? undefined : (view, completion, at, to) => view.dispatch({ changes: { from: dot, to, insert: quoted }, selection: { anchor: dot + quoted.length }, annotations: pickedCompletion.of(completion) }),
  };
}

const nameOption = (entry) => ({ label: entry.label, type: "variable", detail: detailOf(entry), info: infoOf(entry), boost: 20 });

export function expressionCompletions({ getScope, getLanguage, getTexts, getSuggestions, rowLanguage }) {
  return (context) => {
    const text = context.state.doc.toString();
    const scope = getScope() ?? {};
    const language = getLanguage() ?? { functions: [], tests: [], methods: [] };
    const region = regionsOf(text).find(({ from, to, closed }) => context.pos >= from + 2 && context.pos <= (closed ? to - 2 : to));
    if (!region) {
      const word = context.matchBefore(/[\p{L}\p{N}_ .-]*$/u);
      const from = rowLanguage ? (context.matchBefore(/[A-Za-z_]\w*$/)?.from ?? context.pos) : (word?.from ?? context.pos);
      const options = (getSuggestions?.() ?? []).map((label) => ({ label, type: "property", boost: 10, ...(rowLanguage && !named(label) ? { apply: `row[${JSON.stringify(label)}]` } : {}) }));
      if (rowLanguage) options.push(...(language.rowFunctions ?? []).map((label) => ({ label, type: "function", apply: insert(`${label}(`, ")") })));
      else if (context.explicit && scope.names) {
        options.push(...scope.names.map((entry) => ({ ...nameOption(entry), label: `{{ ${entry.label} }}`, boost: -10, apply: insert(`{{ ${entry.label}`, " }}") })));
      }
      if (!options.length || (!context.explicit && from === context.pos)) return null;
      return { from: context.explicit && !rowLanguage && !getSuggestions?.()?.length ? context.pos : from, options, validFor: rowLanguage ? /^\w*$/ : undefined };
    }
    const before = text.slice(region.from + 2, context.pos);
    // Inside a quoted text there is nothing to name.
    if ((before.replace(/\\./g, "").match(/"/g) ?? []).length % 2 || (before.replace(/\\./g, "").replace(/"[^"]*"/g, "").match(/'/g) ?? []).length % 2) return null;
    const word = /[A-Za-z_]\w*$/.exec(before)?.[0] ?? "";
    const from = context.pos - word.length;
    const lead = before.slice(0, before.length - word.length);
    const valid = { from, validFor: /^\w*$/ };
    if (/\|\s*$/.test(lead)) return { ...valid, options: language.functions.map((each) => functionOption(each, getTexts(), true)) };
    if (/\bis\s+(not\s+)?$/.test(lead)) return { ...valid, options: language.tests.map((label) => ({ label, type: "keyword" })) };
    const path = /([A-Za-z_]\w*(?:\.\w+|\[\s*(?:-?\d+|"[^"]*"|'[^']*')\s*\])*)\.$/.exec(lead);
    if (path) {
      const entry = follow(scope, path[1]);
      const fields = (entry?.fields ?? []).map((each) => fieldOption(each, from, from - 1));
      const methods = !entry?.kind || entry.kind === "text" ? language.methods.map((label) => ({ label, type: "method", boost: -50, apply: insert(`${label}(`, ")") })) : [];
      return fields.length || context.explicit ? { ...valid, options: [...fields, ...methods] } : null;
    }
    if (!word && !context.explicit && !/(^|[\s(,[+*/~-])$/.test(lead)) return null;
    if (/[\w)\]]$/.test(lead)) return null;
    return { ...valid, options: [...(scope.names ?? []).map(nameOption), ...language.functions.map((each) => functionOption(each, getTexts(), false))] };
  };
}
