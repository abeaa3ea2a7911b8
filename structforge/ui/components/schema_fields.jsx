// An object schema as a list of fields and back: every function gives a new schema in which nothing but what it names
// is different. Keywords that no field has a place for stay where they are. Pure, imports nothing; tested in Node.

// What a field of each kind is written as.
const TEMPLATES = {
  text: { type: "string" },
  long: { type: "string", "x-widget": "multiline" },
  number: { type: "number" },
  integer: { type: "integer" },
  boolean: { type: "boolean" },
  choice: { type: "string", enum: [] },
  several: { type: "array", items: { type: "string", enum: [] }, uniqueItems: true },
  list: { type: "array", items: { type: "string" } },
  date: { type: "string", format: "date" },
  datetime: { type: "string", format: "date-time" },
  file: { type: "string", "x-widget": "file" },
  json: { "x-widget": "json" },
};
export const KINDS = Object.keys(TEMPLATES);

// Limits that a field of a kind can have, each a keyword of the schema.
export const LIMITS = {
  text: ["minLength", "maxLength", "pattern"],
  long: ["minLength", "maxLength"],
  number: ["minimum", "maximum"],
  integer: ["minimum", "maximum"],
  several: ["minItems", "maxItems"],
  list: ["minItems", "maxItems"],
};

// Keywords that say what kind a field is or limit it: they do not outlive a change of its kind.
const OF_A_KIND = new Set([
  "$ref", "additionalProperties", "allOf", "anyOf", "const", "enum", "exclusiveMaximum", "exclusiveMinimum", "format", "if", "items", "maxItems", "maxLength",
  "maximum", "minItems", "minLength", "minimum", "multipleOf", "not", "oneOf", "pattern", "prefixItems", "properties", "required", "then", "type", "uniqueItems", "x-language", "x-widget",
]);
const COMPLEX = ["$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "not", "if", "const", "prefixItems", "patternProperties", "dependentSchemas"];
// What of a whole schema the list of fields shows.
const SHOWN = new Set(["type", "properties", "required", "additionalProperties", "$schema"]);

const isObject = (value) => Boolean(value) && typeof value === "object" && !Array.isArray(value);
const words = (value) => Array.isArray(value) && value.every((each) => typeof each === "string");
const has = (value, key) => Object.hasOwn(value, key);

// The kind of a field, or "other" when it is more than the list of fields can show.
export function kindOfField(field) {
  if (!isObject(field) || COMPLEX.some((key) => has(field, key))) return "other";
  const widget = field["x-widget"];
  if (field.enum !== undefined) return words(field.enum) && (field.type === undefined || field.type === "string") ? "choice" : "other";
  if (widget === "json") return "json";
  if (field.type === "boolean" || field.type === "number" || field.type === "integer") return field.type;
  if (field.type === "string") {
    if (field.format === "date") return "date";
    if (field.format === "date-time") return "datetime";
    if (widget === "file") return "file";
    return widget === "multiline" ? "long" : widget === undefined ? "text" : "other";
  }
  if (field.type === "array" && isObject(field.items) && !COMPLEX.some((key) => has(field.items, key))) {
    if (field.items.enum !== undefined) return words(field.items.enum) ? "several" : "other";
    return field.items.type === "string" ? "list" : "other";
  }
  return "other";
}

export function choicesOf(field) {
  return kindOfField(field) === "several" ? field.items.enum : (field.enum ?? []);
}

// Whether the schema is one of an object whose fields can be listed.
export function canList(schema) {
  if (!isObject(schema)) return false;
  if (schema.type !== undefined && schema.type !== "object") return false;
  if (schema.required !== undefined && !words(schema.required)) return false;
  return schema.properties === undefined || (isObject(schema.properties) && Object.values(schema.properties).every(isObject));
}

export function fieldsOf(schema) {
  const required = schema.required ?? [];
  return Object.entries(schema.properties ?? {}).map(([name, field]) => ({ name, field, kind: kindOfField(field), required: required.includes(name) }));
}

// Keywords beside the fields: they hold, and show as JSON only.
export const beyondFields = (schema) => Object.keys(schema).filter((key) => !SHOWN.has(key));

// `entries` in the place of the fields, `required` filtered to the order of the schema before it.
function withFields(schema, entries, required) {
  const next = { ...schema };
  if (next.type === undefined && entries.length) next.type = "object";
  next.properties = Object.fromEntries(entries);
  if (required.length) next.required = required;
  else delete next.required;
  // Without a field it takes anything, and an empty schema says so.
  if (!entries.length && Object.keys(next).every((key) => key === "type" || key === "properties")) return {};
  return next;
}

const entriesOf = (schema) => Object.entries(schema.properties ?? {});
const requiredOf = (schema) => schema.required ?? [];

export function freeName(schema, wanted) {
  const taken = schema.properties ?? {};
  if (!has(taken, wanted)) return wanted;
  let number = 2;
  while (has(taken, `${wanted}_${number}`)) number += 1;
  return `${wanted}_${number}`;
}

export function addField(schema, name, field = TEMPLATES.text) {
  return withFields(schema, [...entriesOf(schema), [name, field]], requiredOf(schema));
}

export function removeField(schema, name) {
  return withFields(schema, entriesOf(schema).filter(([each]) => each !== name), requiredOf(schema).filter((each) => each !== name));
}

export function moveField(schema, from, to) {
  const entries = entriesOf(schema);
  const [moving] = entries.splice(from, 1);
  if (moving) entries.splice(Math.max(0, Math.min(entries.length, to)), 0, moving);
  return withFields(schema, entries, requiredOf(schema));
}

export function renameField(schema, name, to) {
  const swap = (each) => (each === name ? to : each);
  return withFields(schema, entriesOf(schema).map(([each, field]) => [swap(each), field]), requiredOf(schema).map(swap));
}

export function setRequired(schema, name, required) {
  const others = requiredOf(schema).filter((each) => each !== name);
  return withFields(schema, entriesOf(schema), required ? [...others, name] : others);
}

export function putField(schema, name, field) {
  return withFields(schema, entriesOf(schema).map(([each, old]) => [each, each === name ? field : old]), requiredOf(schema));
}

// Gives a keyword of a field a value; `undefined` takes it away.
export function setKeyword(schema, name, key, value) {
  const field = { ...schema.properties[name] };
  if (value === undefined) delete field[key];
  else field[key] = value;
  return putField(schema, name, field);
}

export function setChoices(schema, name, choices) {
  const field = schema.properties[name];
  const next = kindOfField(field) === "several" ? { ...field, items: { ...field.items, enum: choices } } : { ...field, enum: choices };
  return putField(schema, name, withFittingDefault(next));
}

// Makes a field one of another kind. Its title, help and keywords of others stay; limits stay where the kind knows
// them, a default where it fits.
export function setKind(schema, name, kind, choices = []) {
  const before = schema.properties[name];
  const template = TEMPLATES[kind];
  const limits = LIMITS[kind] ?? [];
  const kept = Object.entries(before).filter(([key]) => !OF_A_KIND.has(key) || (limits.includes(key) && kindOfField(before) !== "other"));
  const next = { ...template, ...Object.fromEntries(kept) };
  const offered = choicesOf(before).length ? choicesOf(before) : choices;
  if (kind === "choice") next.enum = offered;
  if (kind === "several") next.items = { ...template.items, enum: offered };
  return putField(schema, name, withFittingDefault(next));
}

// How a number is written; exact.jsx holds one that a browser would change as an object of its digits.
const digits = (value) => (typeof value === "number" ? String(value) : isObject(value) ? value["\u0000n"] : undefined);

const FITS = {
  text: (value) => typeof value === "string",
  long: (value) => typeof value === "string",
  number: (value) => digits(value) !== undefined,
  integer: (value) => Number.isInteger(value) || /^-?\d+(\.0*)?$/.test(digits(value)),
  boolean: (value) => typeof value === "boolean",
  choice: (value, field) => field.enum.includes(value),
  several: (value, field) => Array.isArray(value) && value.every((each) => field.items.enum.includes(each)),
  list: words,
  date: (value) => /^\d{4}-\d\d-\d\d$/.test(value),
  datetime: (value) => /^\d{4}-\d\d-\d\dT/.test(value),
  file: (value) => typeof value === "string",
};

function withFittingDefault(field) {
  const fits = FITS[kindOfField(field)];
  if (field.default === undefined || !fits || fits(field.default, field)) return field;
  const { default: _, ...rest } = field;
  return rest;
}

// Where the problems of a field stand: those whose place is this one or below it.
export const isAt = (place, start) => place === start || place.startsWith(`${start}.`) || place.startsWith(`${start}[`);
