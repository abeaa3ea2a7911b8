// What is done with numbers of any length: typed, compared, counted up; and where a text stops being JSON. Beside exact.jsx,
// so that pages without forms do not load it. Pure; tested in Node against Python.
import { digitsOf, exactNumber, isContainer, isNumber, nearNumber } from "$/public/jsx/exact.jsx";

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
// Longer exponents are compared as the browser's own numbers.
const MOST_ZEROS = 6000;

export const isNumberText = (text) => NUMBER.test(text);

// How many characters of a text are the beginning of JSON: where it goes wrong, in every browser.
function soundUntil(text) {
  let at = 0;
  const take = (pattern) => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found) at += found[0].length;
    return Boolean(found);
  };
  const list = (close, entry) => {
    if (take(close)) return true;
    do {
      if (!entry()) return false;
    } while (take(/\s*,/y));
    return take(close);
  };
  const value = () => {
    take(/\s*/y);
    if (take(/\[/y)) return list(/\s*\]/y, value);
    if (take(/\{/y)) return list(/\s*\}/y, () => take(/\s*"(?:[^"\\]|\\.)*"/y) && take(/\s*:/y) && value());
    return take(/"(?:[^"\\]|\\.)*"|true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y);
  };
  value();
  take(/\s*/y);
  return at;
}

// Says where a text stops being JSON; `words` has "line {line}, character {column}".
export function placeOfFault(text, words) {
  const before = text.slice(0, soundUntil(text)).split("\n");
  return words.replace("{line}", before.length).replace("{column}", before.at(-1).length + 1);
}

// The number a person typed: also as `+5`, `.5`, `5.` or `007`. undefined when it is none.
export function typedNumber(text) {
  const digits = text.trim().replace(/^\+/, "").replace(/^(-?)0+(?=\d)/, "$1").replace(/^(-?)\./, "$10.").replace(/\.$/, "");
  return isNumberText(digits) ? exactNumber(digits) : undefined;
}

function parts(digits) {
  const [, sign, whole, fraction = "", exponent = "0"] = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(digits);
  return [BigInt(`${sign}${whole}${fraction}`), Number(exponent) - fraction.length];
}

// By value, every digit counted: negative, 0 or positive.
export function compareNumbers(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  const [one, oneZeros] = parts(digitsOf(a));
  const [other, otherZeros] = parts(digitsOf(b));
  if (Math.max(Math.abs(oneZeros), Math.abs(otherZeros)) > MOST_ZEROS) return nearNumber(a) - nearNumber(b);
  const least = Math.min(oneZeros, otherZeros);
  const left = one * 10n ** BigInt(oneZeros - least), right = other * 10n ** BigInt(otherZeros - least);
  return left < right ? -1 : Number(left > right);
}

// Whether two JSON values mean the same: 1.10 is 1.1.
export function sameValue(a, b) {
  if (isNumber(a) && isNumber(b)) return compareNumbers(a, b) === 0;
  if (!isContainer(a) || !isContainer(b)) return a === b;
  const names = Object.keys(a);
  return Array.isArray(a) === Array.isArray(b) && names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && sameValue(a[name], b[name]));
}

// `by` more, in the digits the number is written with: 0.10 and 1 give 1.10.
export function stepped(digits, by) {
  if (!isNumberText(digits)) return digits;
  const [number, zeros] = parts(digits);
  if (Math.abs(zeros) > MOST_ZEROS) return digits;
  if (zeros >= 0) return String(number * 10n ** BigInt(zeros) + BigInt(by));
  const scale = 10n ** BigInt(-zeros);
  const sum = number + BigInt(by) * scale;
  const whole = String(sum < 0n ? -sum : sum).padStart(1 - zeros, "0");
  return `${sum < 0n ? "-" : ""}${whole.slice(0, zeros)}.${whole.slice(zeros)}`;
}
