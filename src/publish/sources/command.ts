import * as v from "valibot";
import { csvReader } from "./csv.ts";
import { jsonLinesReader } from "./json-lines.ts";
import { kind } from "./kind.ts";
import { outputOf } from "./program.ts";
import { COLUMNS_SETTING, TIMEOUT_SETTING } from "./settings.ts";
import { STATES_SETTING, stateWords } from "./states.ts";
import { readText } from "./text.ts";

const ARGV = 'must be the program and its arguments, such as ["/usr/local/bin/mailboxes", "--active"]';

/** `kind = "command"`: the standard output of any program. */
export const command = kind({
  settings: {
    command: v.pipe(v.array(v.pipe(v.string(ARGV)), ARGV), v.minLength(1, ARGV)),
    format: v.optional(v.picklist(["text", "csv", "json"], 'must be "text", "csv" or "json"'), "text"),
    columns: COLUMNS_SETTING,
    states: STATES_SETTING,
    timeout: TIMEOUT_SETTING,
  },
  open({ command: argv, format, columns, states, timeout }, host) {
    const named = columns === undefined ? null : { address: columns.address, state: columns.state ?? null };
    const words = stateWords(states);
    const parse =
      format === "csv"
        ? csvReader(named, words)
        : format === "json"
          ? jsonLinesReader(named ?? { address: "address", state: "state" }, words)
          : readText;
    return {
      describe: () => host.shown,
      read: (sink, signal) => parse(outputOf({ argv, timeout }, host, signal), sink),
    };
  },
});
