/**
 * Draws panels with Chart.js.
 *
 * @typedef {{name: string, label: string, kind: string, low: string | null, high: string | null}} Column
 * @typedef {{id: string, title: string, drawing: string, columns: Column[], rows: (string | number | null)[][]}} Panel
 * @typedef {{label: string, kind: string, data: (number | null)[], low: (number | null)[], high: (number | null)[]}} Series
 */

import { local } from "./times.js";

const { Chart } = globalThis;

const NUMERIC = new Set(["number", "integer", "ratio"]);
const TYPES = { line: "line", bars: "bar", stacked: "bar", pie: "doughnut" };
const COLOURS = 7;
// Lines differ by more than their colour.
const POINTS = ["circle", "rect", "triangle", "rectRot", "crossRot", "star", "dash"];
const DASHES = [[], [6, 3], [2, 2], [8, 3, 2, 3], [], [6, 3], [2, 2]];
const MANY_POINTS = 40;
const MOST_NAMED = 10; // of more, the names would leave no room for what they name: the table has them

/**
 * Draws a panel, or gives the chart that is there already its new numbers.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Panel} panel
 */
export function draw(canvas, panel) {
  const type = TYPES[panel.drawing];
  const found = Chart.getChart(canvas);
  const chart = found?.config.type === type ? found : create(canvas, type);
  const series = seriesOf(panel);
  chart.data.labels = panel.rows.map((row) => row[0] ?? "–");
  chart.data.datasets.length = Math.min(chart.data.datasets.length, series.length);
  series.forEach((each, index) => {
    chart.data.datasets[index] = Object.assign(chart.data.datasets[index] ?? {}, each, look(panel, index));
  });
  chart.options = optionsOf(panel, series);
  // Not in the mode "none", in which points keep their old colours; there is no animation anyway.
  chart.update();
}

/** Ends the charts whose canvas has left the page. */
export function forget() {
  for (const chart of Object.values(Chart.instances)) if (!chart.canvas?.isConnected) chart.destroy();
}

/** @param {HTMLCanvasElement} canvas @param {string} type */
function create(canvas, type) {
  Chart.getChart(canvas)?.destroy();
  return new Chart(canvas, { type, data: { labels: [], datasets: [] }, plugins: [intervals] });
}

/**
 * @param {Panel} panel
 * @returns {Series[]} what is drawn against the first column
 */
function seriesOf(panel) {
  const names = panel.columns.map((column) => column.name);
  const ends = new Set(panel.columns.flatMap((column) => [column.low, column.high]));
  /** @param {string | null} name */
  const values = (name) => (name ? panel.rows.map((row) => row[names.indexOf(name)]) : []);
  return panel.columns
    .slice(1)
    .filter((column) => NUMERIC.has(column.kind) && !ends.has(column.name))
    .map(({ name, label, kind, low, high }) => ({
      label, kind, data: values(name), low: values(low), high: values(high),
    }));
}

/** @param {Panel} panel @param {number} index of a series */
function look(panel, index) {
  if (panel.drawing === "pie") {
    return { backgroundColor: panel.rows.map((_, slice) => colour(slice)), borderColor: theme("card"), borderWidth: 2 };
  }
  // The other marks are strokes, which a bar does not have.
  const pointStyle = panel.drawing === "line" ? POINTS[index % COLOURS] : "rect";
  const paint = { borderColor: colour(index), backgroundColor: colour(index), pointStyle };
  if (panel.drawing !== "line") return { ...paint, maxBarThickness: 40, borderRadius: panel.drawing === "bars" ? 2 : 0 };
  const pointRadius = panel.rows.length > MANY_POINTS ? 0 : 3;
  const line = { borderWidth: 2, borderDash: DASHES[index % COLOURS] };
  return { ...paint, ...line, pointRadius, pointHoverRadius: 5, clip: 8 };
}

/** @param {Panel} panel @param {Series[]} series */
function optionsOf(panel, series) {
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  Chart.defaults.color = theme("quiet");
  const pie = panel.drawing === "pie";
  const named = pie ? panel.rows.length : series.length;
  return {
    animation: false,
    responsive: true,
    maintainAspectRatio: false,
    interaction: pie ? { mode: "nearest", intersect: true } : { mode: "index", intersect: false },
    scales: pie ? {} : scales(panel, series),
    plugins: {
      legend: legend((pie || named > 1) && named <= MOST_NAMED, pie ? "right" : "top"),
      tooltip: { usePointStyle: true, callbacks: tooltip(pie, panel.columns[0].kind) },
    },
    ...(pie && { cutout: series.length > 1 ? "35%" : "58%" }),
  };
}

/** @param {boolean} pie @param {string} kind of the first column */
function tooltip(pie, kind) {
  return pie ? { label: sliceLabel } : { label: pointLabel, title: ([item]) => long(item.label, kind) };
}

/** @param {boolean} display @param {"top" | "right"} position */
function legend(display, position) {
  return { display, position, align: position === "top" ? "start" : "center", labels: { usePointStyle: true, boxHeight: 7 } };
}

/** @param {Panel} panel @param {Series[]} series */
function scales(panel, series) {
  const stacked = panel.drawing === "stacked";
  const kind = series[0]?.kind ?? "number";
  const ends = series.flatMap((each) => [...each.low, ...each.high]).filter((value) => value !== null);
  const all = [...ends, ...series.flatMap((each) => each.data)].filter((value) => value !== null);
  const bounds = { suggestedMin: Math.min(...ends), suggestedMax: Math.max(...ends) };
  return {
    x: { stacked, grid: { display: false }, border: { color: theme("grid") }, ticks: labels(panel.columns[0].kind) },
    y: {
      stacked,
      beginAtZero: panel.drawing !== "line",
      ...(ends.length && bounds),
      // Percentages end at 100: room above would promise more.
      ...(kind === "ratio" && Math.max(...all) > 0.9 && !stacked && { max: 1 }),
      grid: { color: theme("grid") },
      border: { display: false },
      ticks: { maxTicksLimit: 6, precision: kind === "integer" ? 0 : undefined, callback: (value) => tick(value, kind) },
    },
  };
}

const SHORT = {
  day: { month: "short", day: "numeric", timeZone: "UTC" },
  moment: { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
};

/** @param {string} kind of the first column */
function labels(kind) {
  if (!(kind in SHORT)) return { maxRotation: 50, autoSkipPadding: 8 };
  const callback = /** @this {any} */ function (index) { return short(this.getLabelForValue(index), kind); };
  return { maxRotation: 0, autoSkipPadding: 16, callback };
}

/** @param {string} time a day as YYYY-MM-DD, or a moment with its offset @param {string} kind */
function short(time, kind) {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? time : date.toLocaleString("en", SHORT[kind]);
}

/** @param {string} label @param {string} kind */
function long(label, kind) {
  if (kind !== "moment") return label;
  const [utc, here] = [label.slice(0, 19).replace("T", " "), local(new Date(label))];
  return here === utc ? utc : [here, `${utc} UTC`];
}

function pointLabel({ dataset, dataIndex, raw }) {
  const { label, kind, low, high } = dataset;
  const ends = [low[dataIndex], high[dataIndex]];
  const interval = ends.every((end) => typeof end === "number") ? ` (${ends.map((end) => bare(end, kind)).join(ends[0] < 0 ? " to " : "–")})` : "";
  return `${label}: ${shown(raw, kind)}${interval}`;
}

function sliceLabel({ dataset, raw, chart, dataIndex }) {
  const total = dataset.data.reduce((sum, value) => sum + (value ?? 0), 0);
  return `${chart.data.labels[dataIndex]}: ${shown(raw, dataset.kind)} (${shown(raw / total, "ratio")} of ${dataset.label})`;
}

/** @param {number | null} value @param {string} kind */
function shown(value, kind) {
  if (value === null) return "–";
  return kind === "ratio" ? `${bare(value, kind)} %` : bare(value, kind);
}

/** @param {number} value @param {string} kind */
function bare(value, kind) {
  if (kind === "ratio" && value > 0 && value < 0.001) return "<0.1";
  if (kind === "ratio" && value > 0.999 && value < 1) return ">99.9";
  if (kind === "ratio") return Math.abs(value) >= 1 || Math.abs(value) < 0.0005 ? (100 * value).toFixed(0) : (100 * value).toFixed(1);
  return kind === "integer" ? Math.round(value).toLocaleString("en") : Number(value.toPrecision(3)).toLocaleString("en", { maximumSignificantDigits: 3 });
}

/** @param {number} value @param {string} kind */
function tick(value, kind) {
  return kind === "ratio" ? `${Number((100 * value).toFixed(1))} %` : bare(value, kind);
}

/** @param {number} index */
function colour(index) {
  // Beyond those that everybody can tell apart, at least no two are equal.
  return index < COLOURS ? theme(`series-${index + 1}`) : `hsl(${(index * 137.5) % 360} 55% 50%)`;
}

/** @param {string} name of a colour in monitor.css */
function theme(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Shows the intervals: as a band behind a line, as a whisker on a bar. */
const intervals = {
  id: "intervals",
  beforeDatasetsDraw(chart) {
    if (chart.config.type === "line") eachVisible(chart, band);
  },
  afterDatasetsDraw(chart) {
    if (chart.config.type === "bar") eachVisible(chart, whiskers);
  },
};

function eachVisible(chart, paint) {
  chart.data.datasets.forEach((dataset, index) => {
    if (!chart.isDatasetVisible(index) || !dataset.low.length) return;
    chart.ctx.save();
    paint(chart, dataset, chart.getDatasetMeta(index).data);
    chart.ctx.restore();
  });
}

function band({ ctx, scales: { y } }, { low, high, borderColor }, points) {
  const known = points.map((point, index) => ({ x: point.x, low: low[index], high: high[index] }));
  ctx.globalAlpha = 0.15;
  ctx.fillStyle = borderColor;
  for (const run of runs(known, (each) => each.low !== null && each.high !== null)) {
    ctx.beginPath();
    for (const each of run) ctx.lineTo(each.x, y.getPixelForValue(each.high));
    for (const each of run.reverse()) ctx.lineTo(each.x, y.getPixelForValue(each.low));
    ctx.fill();
  }
}

function whiskers({ ctx, scales: { y } }, { low, high }, bars) {
  ctx.strokeStyle = theme("text");
  ctx.lineWidth = 1.25;
  bars.forEach((bar, index) => {
    if (low[index] === null || high[index] === null) return;
    const [bottom, top] = [low[index], high[index]].map((end) => y.getPixelForValue(end));
    const cap = Math.min(bar.width / 4, 5);
    ctx.beginPath();
    ctx.moveTo(bar.x, bottom);
    ctx.lineTo(bar.x, top);
    for (const end of [bottom, top]) {
      ctx.moveTo(bar.x - cap, end);
      ctx.lineTo(bar.x + cap, end);
    }
    ctx.stroke();
  });
}

/**
 * @template T
 * @param {T[]} items
 * @param {(item: T) => boolean} wanted
 * @returns {T[][]} the longest stretches of wanted ones
 */
function runs(items, wanted) {
  const found = [[]];
  for (const item of items) wanted(item) ? found.at(-1).push(item) : found.push([]);
  return found.filter((run) => run.length);
}
