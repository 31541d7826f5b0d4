import { LineParser } from "../../../src/bridge/protocols/line.ts";
import type { Protocol } from "../../../src/bridge/protocols/protocol.ts";

/** A protocol that no mail server speaks: an address per line, answered by the verdict. */
export const verdicts: Protocol<string> = {
  name: "verdicts",
  about: "lines that are answered by a verdict",
  once: false,
  parser: () => new LineParser(),
  exchange: (recipient) => ({ kind: "ask", recipient, reply: ({ verdict }) => `${verdict}\n` }),
  fault: (why) => `unavailable: ${why}\n`,
};
