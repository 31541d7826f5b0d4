import { InvalidArgumentError } from "commander";
import { millisecondsOf, secondsOf, TIME_FORMS } from "../runtime/time-text.ts";

/** Reads a `<time>` of an option. @returns milliseconds */
export function time(text: string): number {
  const ms = millisecondsOf(text);
  if (ms === null) throw new InvalidArgumentError(`Must be ${TIME_FORMS}.`);
  return ms;
}

/** Reads a `<time>` that is also a setting of rollcall.toml, where a number is seconds. @returns whole seconds */
export function seconds(text: string, most: number): number {
  const count = secondsOf(text);
  if (count !== null && Number.isInteger(count) && count <= most) return count;
  throw new InvalidArgumentError(`Must be ${TIME_FORMS}, or whole seconds; at most ${most / 86_400}d.`);
}
