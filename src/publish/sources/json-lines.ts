import { eachLine } from "./lines.ts";
import type { ParseList, SourceSink } from "./source.ts";
import type { StateWords } from "./states.ts";

/** Names of the members that have the address and the state. */
export interface JsonMembers {
  readonly address: string;
  /** Null if there is none: all are active. */
  readonly state: string | null;
}

/** Parses JSON lines: one object a line. Other members are ignored. A state that is missing or null means active. */
export const jsonLinesReader =
  (members: JsonMembers, words: StateWords): ParseList =>
  (chunks, sink, progress) =>
    eachLine(
      chunks,
      {
        line(line, text) {
          if (text.trim() !== "") readObject(line, text, members, words, sink);
        },
        fault: (line, reason) => sink.fault(line, reason),
      },
      progress,
    );

function readObject(
  line: number,
  text: string,
  members: JsonMembers,
  words: StateWords,
  sink: Pick<SourceSink, "entry" | "fault">,
): void {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    sink.fault(line, "not a JSON object");
    return;
  }
  const object = value as Readonly<Record<string, unknown>>;
  const address = object[members.address];
  if (typeof address !== "string" || address === "") {
    sink.fault(line, `no text in member "${members.address}"`);
    return;
  }
  const said = members.state === null ? null : object[members.state];
  // A program says what it means in words.
  const state = typeof said === "number" ? words.unknown(said) : words.read(said);
  if (typeof state === "string") sink.entry(line, address, state);
  else sink.fault(line, state.fault);
}
