import * as v from "valibot";

/** What settings of several kinds have in common, and settings that several kinds of source share. */

/** A text that is not empty. @param what it must be, for the message: "must be the path of a file" */
export const textSetting = (what: string) => v.pipe(v.string(what), v.nonEmpty(what));

/** A whole number from `least` to a milliard. */
export const wholeNumber = (least: number) => {
  const what = `must be a whole number, ${least} or more`;
  return v.pipe(v.number(what), v.integer(what), v.minValue(least, what), v.maxValue(1e9, what));
};

/** A table, and no list: valibot takes an empty list for an empty table. */
export const tableSetting = <T extends v.GenericSchema>(table: T): T => ({
  ...table,
  "~run": (dataset, config) =>
    table["~run"](Array.isArray(dataset.value) ? { value: null } : dataset, config),
});

const COLUMN = textSetting("must be names of columns");

/** A URL of HTTP. @param form what it must be, for messages */
export const httpUrl = (form: string) =>
  v.pipe(
    v.string(form),
    v.check((text) => URL.canParse(text) && /^https?:/i.test(text), form),
    // For editors: JSON Schema has patterns only.
    v.metadata({ pattern: "^[Hh][Tt][Tt][Pp][Ss]?:" }),
  );

/** `columns = { address = "mail", state = "locked" }` */
export const COLUMNS_SETTING = v.optional(
  v.strictObject({ address: COLUMN, state: v.optional(COLUMN) }, 'must be such as { address = "mail" }'),
);

const SECONDS = "must be a number of seconds, from 1 to 86400";

/** `timeout = 600`: seconds within which the whole source must have been read. */
export const TIMEOUT_SETTING = v.optional(
  v.pipe(v.number(SECONDS), v.minValue(1, SECONDS), v.maxValue(86_400, SECONDS)),
  600,
);
