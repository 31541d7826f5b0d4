/** Figures as people read them. */
import { isMet, type Measurement } from "./measurement.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
/** Bytes below this have decimals: bytes a mailbox. */
const FEW_BYTES = 100;

/** A figure in its unit. */
export function figure(value: number, unit: Measurement["unit"]): string {
  switch (unit) {
    case "x":
      return `${fixed(value)} x`;
    case "/s":
      return `${whole(value)}/s`;
    case "bytes":
      return bytes(value);
    case "count":
      return Number.isInteger(value) ? whole(value) : fixed(value);
    default:
      return `${fixed(value)} ${unit}`;
  }
}

function bytes(value: number): string {
  if (value < FEW_BYTES) return `${value.toFixed(2)} B`;
  if (value < KIB) return `${whole(value)} B`;
  return value < MIB ? `${(value / KIB).toFixed(1)} KiB` : `${(value / MIB).toFixed(1)} MiB`;
}

/** About three digits, which is more than any machine repeats. */
const fixed = (value: number): string =>
  value >= 100 ? whole(value) : value >= 10 ? value.toFixed(1) : value.toFixed(value < 0.1 ? 3 : 2);

const whole = (value: number): string => Math.round(value).toLocaleString("en");

/** Lowest to highest, if there was more than one round. */
export const spread = ({ lowest, highest, unit }: Measurement): string =>
  lowest === undefined || highest === undefined || lowest === highest
    ? ""
    : `${figure(lowest, unit)} to ${figure(highest, unit)}`;

export function bar({ bar, unit }: Measurement): string {
  if (bar === undefined) return "";
  const aim = bar.aim === undefined ? "" : `, aim ${figure(bar.aim, unit)}`;
  return `${bar.kind === "at least" ? "≥" : "≤"} ${figure(bar.value, unit)}${aim}`;
}

export const verdict = (measurement: Measurement): "met" | "not met" | "shown" =>
  measurement.bar === undefined ? "shown" : isMet(measurement) ? "met" : "not met";
