import { parseRecipient, toALabel } from "../../directory/index.ts";
import type { Source } from "./source.ts";

/**
 * A source that lists several domains, as one of them sees it: addresses of other domains are left out. Without this they
 * are faults, since a list of the wrong domain must never be published.
 * @param known the domains of rollcall.toml
 */
export const onlyOf = (source: Source, domain: string, known: ReadonlySet<string> = new Set()): Source => ({
  ...source,
  read: (sink, signal) =>
    source.read(
      {
        ...sink,
        entry(line, address, state) {
          const written = address.slice(address.lastIndexOf("@") + 1);
          const other = written === domain || !address.includes("@") ? null : toALabel(written);
          // What is no domain name is for the reader of the list to report, and so are several addresses in one field.
          const isOther = other !== null && other !== domain && !holdsSeveral(address);
          if (isOther) sink.leftOut?.(line, known.has(other) ? null : `of ${other}`);
          else sink.entry(line, address, state);
        },
      },
      signal,
    ),
});

/** Whether there is an `@` before the last one. It may be part of a quoted local part. */
function holdsSeveral(address: string): boolean {
  if (address.indexOf("@") === address.lastIndexOf("@")) return false;
  const recipient = parseRecipient(address);
  return recipient.kind !== "mailbox" || !recipient.wellFormed;
}
