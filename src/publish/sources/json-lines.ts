import { eachLine } from "./lines.ts";
import type { ParseList, SourceSink } from "./source.ts";
import { type StateWords, shown } from "./states.ts";

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
  const said = members.state === null ? null : (object[members.state] ?? null);
  const isWord = said === null || typeof said === "string" || typeof said === "boolean";
  const state = isWord ? words.stateOf(said === null ? "" : String(said)) : null;
  if (state !== null) sink.entry(line, address, state);
  else sink.fault(line, words.unknown(isWord ? String(said) : shown(JSON.stringify(said))));
}
