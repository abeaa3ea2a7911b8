// What went into a node and what came out, fetched when it is in sight and again when its row says that it changed.
// Old values stay, greyed, until new ones are there. Knows no words of the program around it.
import { useEffect, useRef, useState } from "react";
import { getJson } from "$/public/jsx/data_table.jsx";
import { useRow } from "$/public/jsx/live.jsx";
import { useKnown } from "$/public/jsx/node_live.jsx";
import { ValueView } from "$/public/jsx/value.jsx";
import { Told, saidBy } from "$/public/jsx/told.jsx";

const SETTLE_MS = 120;

function useInSight(box) {
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    const watcher = new IntersectionObserver((entries) => setSeen(entries.some((entry) => entry.isIntersecting)), { rootMargin: "200px" });
    if (box.current) watcher.observe(box.current);
    return () => watcher.disconnect();
  }, [box]);
  return seen;
}

export function StepValues({ node, href, logHref, channel, facts, texts, reference }) {
  const box = useRef(null);
  const seen = useInSight(box);
  const [step, setStep] = useState(null);
  const [problem, setProblem] = useState("");
  const [tries, setTries] = useState(0);
  const { row, stale } = useKnown(channel, facts, node);
  const kept = useRow(facts, node);
  const own = useRow(channel, node);
  const stamp = `${href}${node} ${channel} ${own?.status ?? ""} ${own?.finished_at ?? ""} ${kept?.finished_at ?? ""} ${kept?.pinned ?? ""} ${kept?.status ?? ""} ${tries}`;
  const read = useRef("");
  useEffect(() => setStep(null), [href, node]);
  useEffect(() => {
    if (!seen || !href || !node || read.current === stamp) return undefined;
    let here = true;
    const timer = setTimeout(() => {
      getJson(`${href}${encodeURIComponent(node)}/values`).then(
        (found) => {
          if (!here) return;
          read.current = stamp;
          setStep(found);
          setProblem("");
        },
        (error) => here && setProblem(saidBy(error)),
      );
    }, SETTLE_MS);
    return () => {
      here = false;
      clearTimeout(timer);
    };
  }, [seen, stamp, href, node]);
  const running = ["running", "waiting"].includes(row?.status);
  const old = Boolean(stale) || running || Boolean(row?.waits);
  const shown = step && { ...step, status: step.status || (running ? row.status : ""), ...(running && { problem: "" }) };
  // A step that runs shows its own log, not that of its last result.
  if (shown && running && logHref) shown.log_href = `${logHref}${encodeURIComponent(node)}`;
  return (
    <div ref={box} className={`step-values${old ? " old" : ""}`} data-node={node}>
      {problem ? (
        <div className="notice" role="alert"><p><Told said={problem} /></p><button type="button" className="btn small-btn" onClick={() => setTries(tries + 1)}>{texts.retry}</button></div>
      ) : shown ? (
        <ValueView step={shown.status || shown.problem || !shown.inputs?.length ? shown : { ...shown, status: "pending" }} texts={texts} reference={reference} live={running} />
      ) : (
        <div className="skeleton line" role="status" aria-label={texts.loading} />
      )}
    </div>
  );
}
