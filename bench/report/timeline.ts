/** Answers by kind, second by second, as SVG: stacked columns, with marks for what happened. */

/** From the bottom of the picture to its top. */
export const ANSWER_KINDS = [
  "mailbox accepted",
  "unknown name refused",
  "mailbox deferred",
  "unknown name deferred",
  "no bridge",
] as const;
export type AnswerKind = (typeof ANSWER_KINDS)[number];

/** What was answered in one second. */
export type Second = Readonly<Record<AnswerKind, number>>;

/** Something that happened. */
export interface Mark {
  /** Seconds from the start. */
  readonly at: number;
  readonly what: string;
}

const WIDTH = 1100;
const HEIGHT = 330;
const [LEFT, RIGHT, TOP, BOTTOM] = [48, 16, 92, 40];
const COLOURS = ["#2da44e", "#0969da", "#cf222e", "#d4a72c", "#8c959f"];

export function timeline(seconds: readonly Second[], marks: readonly Mark[]): string {
  const most = Math.max(1, ...seconds.map(totalOf));
  const x = (second: number): number => round(LEFT + ((WIDTH - LEFT - RIGHT) * second) / seconds.length);
  const y = (count: number): number => round(HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * count) / most);
  const width = round(x(1) - x(0) + 0.2);
  const columns = ANSWER_KINDS.map((kind, k) => {
    const parts = seconds.flatMap((second, i) => {
      if (second[kind] === 0) return [];
      const below = ANSWER_KINDS.slice(0, k).reduce((sum, each) => sum + second[each], 0);
      const top = y(below + second[kind]);
      return [`M${x(i)} ${y(below)}v${round(top - y(below))}h${width}V${y(below)}z`];
    });
    return `<path fill="${COLOURS[k]}" d="${parts.join("")}"/>`;
  });
  const legend = ANSWER_KINDS.map((kind, k) => {
    const at = LEFT + k * 200;
    return `<rect x="${at}" y="12" width="12" height="12" fill="${COLOURS[k]}"/><text x="${at + 18}" y="23">${kind}</text>`;
  });
  // Each label has a line of its own, since marks may be close to each other.
  const labels = marks.map(
    ({ at, what }, i) =>
      `<line class="mark" x1="${x(at)}" x2="${x(at)}" y1="${40 + 13 * i}" y2="${HEIGHT - BOTTOM}"/><text x="${x(at) + 4}" y="${49 + 13 * i}">${what}</text>`,
  );
  const minutes = Array.from({ length: Math.floor(seconds.length / 60) + 1 }, (_, minute) => minute);
  const ticks = minutes.map(
    (minute) =>
      `<text class="faint" x="${x(minute * 60)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${minute}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-labelledby="title">
<title id="title">Answers of a bridge with a replica before, during and after an outage of the edge, by kind and second</title>
<style>
  svg { font: 12px system-ui, sans-serif; } .ground { fill: #fff; } text { fill: #1f2328; } .faint { fill: #59636e; }
  .mark { stroke: #1f2328; stroke-dasharray: 3 3; }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117; } text { fill: #e6edf3; } .faint { fill: #9198a1; } .mark { stroke: #e6edf3; }
  }
</style>
<path class="ground" d="M0 0H${WIDTH}V${HEIGHT}H0Z"/>
${legend.join("\n")}
${columns.join("\n")}
${labels.join("\n")}
${ticks.join("\n")}
<text class="faint" x="${WIDTH - RIGHT}" y="${HEIGHT - 6}" text-anchor="end">minutes</text>
<text class="faint" x="${LEFT - 6}" y="${y(most) + 4}" text-anchor="end">${most} /s</text>
</svg>
`;
}

const totalOf = (second: Second): number => ANSWER_KINDS.reduce((sum, kind) => sum + second[kind], 0);
const round = (value: number): number => Math.round(value * 10) / 10;
