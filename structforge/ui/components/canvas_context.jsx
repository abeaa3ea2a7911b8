// What every part of a canvas shares: `{channel, labels, texts, said, act, readOnly, doc}`.
import { createContext } from "react";
import { worded } from "$/public/jsx/told.jsx";

export const Canvas = createContext({ channel: "", labels: {}, texts: {}, act: () => {} });

// A title that comes from the node's type is told in the reader's language; one that a person gave stays.
export const portText = (port) => (port.title ? worded(port.title, port.title) : port.name);

export function titlesOf(data, said) {
  const own = said?.[data.kind]?.title ?? data.kindTitle;
  return { title: data.named ? data.title : own || data.title, subtitle: data.named && own ? `${own} · ${data.id}` : data.id };
}
