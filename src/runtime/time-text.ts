const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The forms of a time that a person writes. */
export const TIME_FORMS = "a number with a unit, such as 90s, 30m, 36h or 2d";

/** `90s`, `1.5h`, `2d` in milliseconds; null for anything else. */
export function millisecondsOf(text: string): number | null {
  const [, count, unit = ""] = /^(\d{1,6}(?:\.\d{1,3})?)([smhd])$/.exec(text) ?? [];
  return count === undefined ? null : Number(count) * (UNITS[unit] as number);
}

/** The same in seconds, for settings of rollcall.toml, where a number without a unit is seconds. */
export function secondsOf(text: string): number | null {
  if (/^\d{1,9}(?:\.\d{1,3})?$/.test(text)) return Number(text);
  const ms = millisecondsOf(text);
  return ms === null ? null : ms / 1_000;
}
