// JSON whose numbers keep every digit. What a browser's number would change (12345678901234567890, 1.10, 3.0) is an
// object with one key that no text of the program can have, so that it travels, compares and is stored like any value.
// Pure, imports nothing; tested in Node against Python.

const KEY = "\u0000n";
// Texts are passed over whole; what is left of a number that is no JSON stays and is refused.
const TOKENS = /"(?:[^"\\]|\\.)*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const HELD = /\{\s*"\\u0000n":\s*"([^"]+)"\s*\}/g;

// The number that a literal writes: the browser's own where that is written the same way.
export const exactNumber = (digits) => (String(Number(digits)) === digits ? Number(digits) : { [KEY]: digits });
export const isExact = (value) => value !== null && typeof value === "object" && typeof value[KEY] === "string";
export const isNumber = (value) => typeof value === "number" || isExact(value);
export const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value) && !isExact(value);
// Lists and objects, but no number.
export const isContainer = (value) => value !== null && typeof value === "object" && !isExact(value);
export const digitsOf = (value) => (isExact(value) ? value[KEY] : String(value));
// The nearest number of the browser: for places on a screen, never for what is kept.
export const nearNumber = (value) => (isExact(value) ? Number(value[KEY]) : value);

// Raises SyntaxError as JSON.parse does.
export function readJson(text) {
  const plain = JSON.parse(text);
  let held = false;
  const kept = text.replace(TOKENS, (token) => {
    if (token[0] === '"' || String(Number(token)) === token) return token;
    held = true;
    return `{"\\u0000n":"${token}"}`;
  });
  return held ? JSON.parse(kept) : plain;
}

// What an answer of the server holds; nothing when that is no JSON.
export async function readBody(answer) {
  try {
    return readJson(await answer.text());
  } catch {
    return {};
  }
}

// undefined gives undefined, as JSON.stringify does.
export const writeJson = (value, indent) => JSON.stringify(value, null, indent)?.replace(HELD, "$1");
