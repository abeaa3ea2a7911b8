// Buttons that follow the status of row "" of a channel: shown where they mean something, and where they cannot be used
// they say why. Knows no words of the program around it.
import { useId } from "react";
import { useRow } from "$/public/jsx/live.jsx";
import { Glyph } from "$/public/jsx/glyphs.jsx";
import { useTell } from "$/public/jsx/told.jsx";

// action: {name, text, icon, look, shown: [status], when: [status], why, denied}; no `shown` is always.
function Action({ action, status, onAct }) {
  const id = useId();
  const tell = useTell();
  const why = action.denied || (action.when.includes(status) ? "" : action.why);
  return (
    <>
      <button
        type="button" className={`btn ${action.look ?? ""}`} aria-disabled={why ? "true" : undefined} title={tell(why || action.hint || action.text)}
        aria-describedby={why ? id : undefined} data-action={action.name} data-command={action.text} onClick={() => !why && onAct?.(action.name)}
      >
        <Glyph name={action.icon} size={14} />{action.text}
      </button>
      {why && <span id={id} className="visually-hidden">{tell(why)}</span>}
    </>
  );
}

export function LiveActions({ channel, actions = [], label, onAct }) {
  const status = useRow(channel, "")?.status ?? "";
  const shown = actions.filter((action) => !action.shown?.length || action.shown.includes(status));
  return <div className="row tight" role="toolbar" aria-label={label}>{shown.map((action) => <Action key={action.name} action={action} status={status} onAct={onAct} />)}</div>;
}
