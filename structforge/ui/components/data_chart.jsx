// A small chart of a table: one column across, one number column up, as a line or as bars. Plain SVG.
import { useEffect, useMemo, useState } from "react";
import { cellText, columnsOf, getJson } from "$/public/jsx/data_table.jsx";
import { isNumber, nearNumber } from "$/public/jsx/exact.jsx";
import { Told, saidBy } from "$/public/jsx/told.jsx";

const MOST = 500;
const W = 720, H = 280, LEFT = 64, RIGHT = 12, TOP = 12, BOTTOM = 46;

function ticks(low, high, count = 5) {
  if (low === high) return [low];
  const raw = (high - low) / count;
  const size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((each) => each * size).find((each) => each >= raw);
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step / 1e6; at += step) found.push(Number(at.toPrecision(12)));
  return found;
}

const short = (value) => (isNumber(value) ? nearNumber(value).toLocaleString(undefined, { maximumSignificantDigits: 5, notation: Math.abs(nearNumber(value)) >= 1e6 ? "compact" : "standard" }) : cellText(value).slice(0, 14));

export function DataChart({ rows = null, source = "", texts }) {
  const [remote, setRemote] = useState(null);
  const [problem, setProblem] = useState("");
  const [choice, setChoice] = useState({});
  const [kind, setKind] = useState("line");
  useEffect(() => {
    if (!source) return undefined;
    let here = true;
    getJson(`${source}?limit=${MOST}`).then((page) => here && setRemote(page), (error) => here && setProblem(saidBy(error)));
    return () => {
      here = false;
    };
  }, [source]);
  const { columns, data, total } = useMemo(() => {
    if (source) {
      const names = remote?.columns ?? [];
      return { columns: names, total: remote?.total ?? 0, data: (remote?.rows ?? []).map((cells) => Object.fromEntries(names.map(({ name }, at) => [name, cells[at]]))) };
    }
    return { columns: columnsOf(rows ?? []), data: (rows ?? []).slice(0, MOST), total: rows?.length ?? 0 };
  }, [rows, source, remote]);
  if (problem) return <div className="notice" role="alert"><p><Told said={problem} /></p></div>;
  if (source && !remote) return <div className="skeleton line" role="status" aria-label={texts.loading} />;
  const numbers = columns.filter((column) => column.kind === "number");
  if (!numbers.length) return <p className="muted">{texts.noNumbers}</p>;
  const across = columns.some(({ name }) => name === choice.x) ? choice.x : (columns.find((column) => column.kind !== "number") ?? columns[0]).name;
  const up = numbers.some(({ name }) => name === choice.y) ? choice.y : (numbers.find(({ name }) => name !== across) ?? numbers[0]).name;
  const points = data.map((row) => [row[across], row[up]]).filter(([, y]) => isNumber(y) && Number.isFinite(nearNumber(y)));
  const scale = columns.find(({ name }) => name === across).kind === "number" && kind === "line";
  const xs = points.map(([x], at) => (scale ? (isNumber(x) ? nearNumber(x) : NaN) : at));
  const ys = points.map(([, y]) => nearNumber(y));
  const low = Math.min(...ys, kind === "bar" ? 0 : Infinity), high = Math.max(...ys, kind === "bar" ? 0 : -Infinity);
  const marks = ticks(low, high);
  const bottom = Math.min(low, ...marks), roof = Math.max(high, ...marks);
  const left = Math.min(...xs.filter(Number.isFinite)), right = Math.max(...xs.filter(Number.isFinite));
  const gap = kind === "bar" ? (W - LEFT - RIGHT) / Math.max(points.length, 1) : 0;
  const px = (x, at) => (kind === "bar" ? LEFT + gap * (at + 0.5) : LEFT + ((W - LEFT - RIGHT) * (x - left)) / (right - left || 1));
  const py = (y) => TOP + (H - TOP - BOTTOM) * (1 - (y - bottom) / (roof - bottom || 1));
  const order = points.map((_, at) => at).filter((at) => Number.isFinite(xs[at]));
  if (scale) order.sort((a, b) => xs[a] - xs[b]);
  const every = Math.max(1, Math.ceil(order.length / 7));
  const pick = (key) => (event) => setChoice({ ...choice, [key]: event.target.value });
  const field = (key, label, options, value) => (
    <label className="chart-field"><span className="small muted">{label}</span><select className="input" value={value} onChange={pick(key)}>{options.map(({ name }) => <option key={name}>{name}</option>)}</select></label>
  );
  return (
    <div className="chart">
      <div className="row">
        {field("x", texts.across, columns, across)}
        {field("y", texts.up, numbers, up)}
        <div className="segmented" role="group" aria-label={texts.chart}>
          {["line", "bar"].map((each) => <button key={each} type="button" aria-pressed={kind === each} onClick={() => setKind(each)}>{texts[each]}</button>)}
        </div>
      </div>
      <svg viewBox={`0 0 ${W} ${H}`} role="img" aria-label={`${up} / ${across}`} className="chart-plot">
        {marks.map((mark) => (
          <g key={mark}>
            <line x1={LEFT} x2={W - RIGHT} y1={py(mark)} y2={py(mark)} className="chart-grid" />
            <text x={LEFT - 8} y={py(mark) + 4} textAnchor="end">{short(mark)}</text>
          </g>
        ))}
        {order.filter((_, n) => n % every === 0).map((at) => <text key={at} x={px(xs[at], at)} y={H - BOTTOM + 20} textAnchor="middle">{short(points[at][0])}</text>)}
        {kind === "line" && <polyline points={order.map((at) => `${px(xs[at], at)},${py(ys[at])}`).join(" ")} className="chart-line" />}
        {kind === "line" && order.length <= 80 && order.map((at) => <circle key={at} cx={px(xs[at], at)} cy={py(ys[at])} r="3" className="chart-dot"><title>{`${cellText(points[at][0])}: ${cellText(points[at][1])}`}</title></circle>)}
        {kind === "bar" && order.map((at) => (
          <rect key={at} x={px(0, at) - Math.max(1, gap * 0.38)} width={Math.max(1.5, gap * 0.76)} y={Math.min(py(ys[at]), py(Math.max(0, bottom)))} height={Math.max(1, Math.abs(py(ys[at]) - py(Math.max(0, bottom))))} className="chart-bar"><title>{`${cellText(points[at][0])}: ${cellText(points[at][1])}`}</title></rect>
        ))}
        <text x={(LEFT + W - RIGHT) / 2} y={H - 6} textAnchor="middle" className="chart-name">{across}</text>
      </svg>
      {total > data.length && <p className="muted small">{texts.firstRows.replace("{shown}", data.length.toLocaleString()).replace("{all}", total.toLocaleString())}</p>}
    </div>
  );
}
