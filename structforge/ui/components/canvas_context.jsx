// What every part of a canvas shares: `{channel, labels, texts, act, readOnly, doc}`.
import { createContext } from "react";

export const Canvas = createContext({ channel: "", labels: {}, texts: {}, act: () => {} });
