// Fields for a value of any type: JSON as text, and a text with a switch beside it that says what the text means. Knows no
// words of the program around it.
import { useContext, useEffect, useRef, useState } from "react";
import { isNumberText, placeOfFault, sameValue, typedNumber } from "$/public/jsx/digits.jsx";
import { digitsOf, exactNumber, isContainer, isNumber, readJson, writeJson } from "$/public/jsx/exact.jsx";
import { FormContext, TextInput, isExpression, shown } from "$/public/jsx/inputs.jsx";
import { Told } from "$/public/jsx/told.jsx";

// What JSON a text is, or undefined.
function jsonOf(text) {
  try {
    return readJson(text);
  } catch {
    return undefined;
  }
}

// The text as somebody typed it stays where it means the value that has come back.
const meansJson = (text, value) => {
  const found = jsonOf(text);
  return found !== undefined && sameValue(found, value ?? null);
};

export const jsonFault = (text, texts) => `${texts.notJson} ${placeOfFault(text, texts.jsonAt)}`;

// JSON with `{{ }}` in its texts; what is no JSON is told and not sent, except where a whole text is an expression.
export function JsonInput(props) {
  const { texts } = useContext(FormContext);
  const [wrong, setWrong] = useState("");
  const commit = (next) => {
    const found = jsonOf(next);
    const fine = next.trim() === "" || found !== undefined || next.trim().startsWith("{{");
    setWrong(fine ? "" : jsonFault(next, texts));
    if (next.trim() === "") props.onUnset();
    else if (fine) props.onChange(found === undefined ? next : found);
  };
  const toText = (each) => (each === undefined || each === null ? "" : isExpression(each) ? each : writeJson(each, 2));
  return (
    <>
      <TextInput {...props} multiline schema={{ "x-language": "json", "x-placeholder": props.schema["x-placeholder"] ?? shown(props.schema.default ?? undefined) }} toText={toText} means={meansJson} onChange={commit} invalid={Boolean(wrong) || props.invalid} />
      {wrong && <p className="error" role="alert"><Told said={wrong} /></p>}
    </>
  );
}

// ---- a value of any type ---------------------------------------------------------------------------------------

const GLYPHS = { unset: "–", text: "T", number: "#", boolean: "✓", nothing: "∅", json: "{ }", expression: "fx" };

export function kindOfValue(value, literal) {
  if (value === undefined) return "unset";
  if (value === null) return "nothing";
  if (isNumber(value)) return "number";
  if (typeof value === "boolean") return "boolean";
  if (isContainer(value)) return "json";
  return !literal && isExpression(value) ? "expression" : "text";
}

// Numbers that are written like this and in no other way: 1.10, 1E5 and 007 may be anything.
const ONE_WAY = /^-?(?:0|[1-9]\d*)(?:\.\d*[1-9])?$/;

// What a text means where nobody has chosen: more than a text only where writing it gives the same text again.
function plainValue(text) {
  const bare = text.trim();
  if (bare === "true" || bare === "false") return bare === "true";
  if (bare === "null") return null;
  if (ONE_WAY.test(bare) && bare !== "-0") return exactNumber(bare);
  const found = /^[[{]/.test(bare) ? jsonOf(bare) : undefined;
  return found === undefined ? text : found;
}

// What a text means as a value of a kind: `{value}`, or `{wrong}` in words.
function read(kind, text, texts) {
  const bare = text.trim();
  if (kind === "number") {
    const number = typedNumber(bare);
    return number === undefined ? { wrong: texts.field_no_number } : { value: number };
  }
  if (kind === "boolean") return ["true", "false"].includes(bare) ? { value: bare === "true" } : { wrong: texts.value_no_boolean };
  if (kind === "json") {
    const found = jsonOf(text);
    return found === undefined ? { wrong: jsonFault(text, texts) } : { value: found };
  }
  if (kind === "expression" && bare && !bare.includes("{{")) return { value: `{{ ${bare} }}` };
  return { value: text };
}

// The kind that has to be remembered: where the text alone would mean another value.
function remembered(value, plain, literal) {
  const kind = kindOfValue(value, literal);
  return kind === "unset" || kind === "expression" || sameValue(plain(shown(value)), value) ? null : kind;
}

// A value as another kind: `{value}`, or nothing where the text has to be changed first.
function converted(value, kind) {
  const text = shown(value);
  if (kind === "nothing") return { value: null };
  if (kind === "text") return { value: text };
  if (kind === "boolean") return { value: text.trim() === "true" };
  if (kind === "number") return typedNumber(text) === undefined ? null : { value: typedNumber(text) };
  if (kind === "json") return jsonOf(text) === undefined ? null : { value: jsonOf(text) };
  if (isExpression(text) || !text.trim()) return null;
  return { value: `{{ ${typeof value === "string" ? JSON.stringify(text) : text} }}` };
}

function KindSwitch({ kind, kinds, label, texts, readOnly, onChoose }) {
  const name = texts[`value_${kind}`];
  return (
    <span className={`value-kind is-${kind}`} title={name}>
      <span aria-hidden="true">{GLYPHS[kind]}</span>
      <select value={kind} disabled={readOnly} aria-label={label ? `${texts.value_kind}: ${label}` : texts.value_kind} onChange={(event) => onChoose(event.target.value)}>
        {kinds.map((each) => <option key={each} value={each}>{texts[`value_${each}`]}</option>)}
      </select>
    </span>
  );
}

// A value of any type. Without a choice a text means what it looks like; in a field of JSON all of it is JSON.
export function AnyInput(props) {
  const { schema, value, literal, readOnly, onChange, onUnset, canUnset, label, about = label, path } = props;
  const { texts } = useContext(FormContext);
  const whole = schema["x-widget"] === "json";
  const plain = whole ? (text) => jsonOf(text) : plainValue;
  const [chosen, setChosen] = useState(() => remembered(value, plain, literal));
  const [wrong, setWrong] = useState("");
  const [inside, setInside] = useState(false);
  const sent = useRef(value);
  useEffect(() => {
    // Changed from elsewhere: what was chosen here was for another value.
    if (sameValue(sent.current ?? null, value ?? null)) return;
    sent.current = value;
    setChosen(remembered(value, plain, literal));
    setWrong("");
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [value]);
  const put = (next) => {
    sent.current = next;
    setWrong("");
    if (next === undefined) onUnset();
    else onChange(next);
  };
  const typed = (text) => {
    if (whole && text.trim() === "" && onUnset && chosen !== "text") return put(undefined);
    if (chosen && chosen !== "nothing" && (text.trim() !== "" || chosen === "text")) {
      const found = read(chosen, text, texts);
      return found.wrong ? setWrong(found.wrong) : put(found.value);
    }
    // Who changes a number writes a number: 2.50 in the place of 2.5 is none but that.
    if (isNumber(value) && isNumberText(text.trim())) return put(exactNumber(text.trim()));
    const found = plain(text);
    if (found === undefined && !isExpression(text)) return setWrong(jsonFault(text, texts));
    setChosen(remembered(found ?? text, plain, literal));
    return put(found === undefined ? text : found);
  };
  const choose = (kind) => {
    if (kind === "unset") {
      setChosen(null);
      return put(undefined);
    }
    setChosen(kind);
    const found = converted(value, kind);
    if (found) put(found.value);
    else setWrong(shown(value).trim() && kind !== "expression" ? (kind === "json" ? jsonFault(shown(value), texts) : texts.field_no_number) : "");
  };
  const held = kindOfValue(value, literal);
  // JSON may be any value: who chose it goes on writing JSON.
  const kind = chosen === "json" || (wrong || held === "unset" || shown(value) === "") && chosen ? chosen : held === "unset" && !canUnset ? "text" : held;
  const kinds = [...(canUnset ? ["unset"] : []), "text", "number", "boolean", "nothing", "json", ...(literal ? [] : ["expression"])];
  const long = isContainer(value) || kind === "json" || (whole && kind !== "text");
  const placeholder = held === "nothing" ? "null" : schema["x-placeholder"];
  return (
    <div className="value-any" onFocus={() => setInside(true)} onBlur={() => setInside(false)}>
      <div className="value-line">
        <KindSwitch kind={kind} kinds={kinds} label={about} texts={texts} readOnly={readOnly} onChoose={choose} />
        {kind === "boolean" && held === "boolean" && !inside && !wrong ? (
          <select id={props.id} className="input" value={String(value)} disabled={readOnly} aria-label={label} aria-labelledby={props.labelledBy} aria-describedby={props.described} onChange={(event) => put(event.target.value === "true")}>
            <option value="true">{texts.value_true}</option>
            <option value="false">{texts.value_false}</option>
          </select>
        ) : (
          <div className="value-text">
            <TextInput
              {...props} path={path} multiline={long || props.multiline} invalid={Boolean(wrong) || props.invalid} onChange={typed}
              schema={{ ...schema, "x-placeholder": placeholder, ...(whole ? { "x-widget": undefined } : {}), ...(long ? { "x-language": "json" } : {}) }}
              means={(text, next) => {
                const found = chosen ? read(chosen, text, {}).value : plain(text);
                return found !== undefined && sameValue(found, next ?? null) && (next !== undefined || text === "");
              }}
            />
          </div>
        )}
      </div>
      {wrong && <p className="error" role="alert"><Told said={wrong} /></p>}
    </div>
  );
}
