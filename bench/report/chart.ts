/**
 * Every ratio beside its bar, as SVG. Each row has a scale of its own, on which its bar is 1: so all bars lie on one
 * line, and what reaches over it is met. The scale is logarithmic.
 */
import { bar, figure } from "./figures.ts";
import { isMet, type Measurement } from "./measurement.ts";

const WIDTH = 1300;
const ROW = 26;
const TOP = 56;
const BOTTOM = 34;
/** Room for the longest `what`: about 6.6 pixels a character. */
export const LABELS = 700;
const FIGURES = 210;
/** What the scale reaches from and to, as shares of the bar; beyond it a row is cut. */
const FROM = 0.25;
const TO = 4;
const TICKS = [0.25, 0.5, 0.7, 1, 1.4, 2, 4];

/** Ratios that have a bar to reach. */
export const charted = (measurements: readonly Measurement[]): readonly Measurement[] =>
  measurements.filter(({ unit, bar }) => unit === "x" && bar?.kind === "at least");

export function chart(measurements: readonly Measurement[]): string {
  const rows = charted(measurements);
  const height = TOP + rows.length * ROW + BOTTOM;
  const bottom = TOP + rows.length * ROW;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="title">
<title id="title">Ratios measured, as shares of their bars</title>
<style>
  svg { font: 13px system-ui, sans-serif; } .ground { fill: #fff; }
  text { fill: #1f2328; } .faint { fill: #59636e; } .grid { stroke: #d1d9e0; } .line { stroke: #1f2328; stroke-width: 1.5; }
  .met { fill: #2da44e; } .missed { fill: #cf222e; } .spread { stroke: #1f2328; stroke-width: 1.5; } .aim { stroke: #0969da; stroke-width: 2; }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117; } text { fill: #e6edf3; } .faint { fill: #9198a1; } .grid { stroke: #3d444d; }
    .line, .spread { stroke: #e6edf3; } .met { fill: #3fb950; } .missed { fill: #f85149; } .aim { stroke: #58a6ff; }
  }
</style>
<path class="ground" d="M0 0H${WIDTH}V${height}H0Z"/>
<text x="12" y="22" font-weight="600">Median of the rounds, as a share of the bar (1 = the bar, logarithmic)</text>
<text x="12" y="41" class="faint">whisker: lowest to highest round; blue: what was aimed at; cut at ${TO} times the bar</text>
${TICKS.map((tick) => tickAt(tick, bottom)).join("\n")}
${rows.map((row, i) => rowAt(row, TOP + i * ROW)).join("\n")}
</svg>
`;
}

/** Place of a share of the bar on the scale. */
function at(share: number): number {
  const within = Math.min(TO, Math.max(FROM, share));
  const length = WIDTH - LABELS - FIGURES;
  return round(LABELS + (length * Math.log(within / FROM)) / Math.log(TO / FROM));
}

const round = (value: number): number => Math.round(value * 10) / 10;

const tickAt = (tick: number, bottom: number): string =>
  `<line class="${tick === 1 ? "line" : "grid"}" x1="${at(tick)}" x2="${at(tick)}" y1="${TOP - 4}" y2="${bottom + 4}"/>
<text class="faint" x="${at(tick)}" y="${bottom + 20}" text-anchor="middle">${tick}</text>`;

function rowAt(measurement: Measurement, top: number): string {
  const { what, value, unit, lowest = value, highest = value } = measurement;
  const wanted = measurement.bar as NonNullable<Measurement["bar"]>;
  const share = (each: number): number => at(each / wanted.value);
  const middle = top + ROW / 2;
  const parts = [
    `<text x="${LABELS - 10}" y="${middle + 4}" text-anchor="end">${escaped(what)}</text>`,
    `<rect class="${isMet(measurement) ? "met" : "missed"}" x="${at(FROM)}" y="${top + 6}" width="${round(share(value) - at(FROM))}" height="${ROW - 12}"/>`,
    `<line class="spread" x1="${share(lowest)}" x2="${share(highest)}" y1="${middle}" y2="${middle}"/>`,
    ...(wanted.aim === undefined
      ? []
      : [
          `<line class="aim" x1="${share(wanted.aim)}" x2="${share(wanted.aim)}" y1="${top + 3}" y2="${top + ROW - 3}"/>`,
        ]),
    `<text x="${WIDTH - FIGURES + 14}" y="${middle + 4}">${figure(value, unit)} <tspan class="faint">${escaped(bar(measurement))}</tspan></text>`,
  ];
  return `<g>${parts.join("\n")}</g>`;
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escaped = (text: string): string => text.replace(/[&<>"]/g, (each) => ENTITIES[each] as string);
