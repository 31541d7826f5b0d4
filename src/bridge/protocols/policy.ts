import { BufferedParser } from "./buffered-parser.ts";
import type { Exchange, Parsed, Protocol } from "./protocol.ts";
import { accessAction, deferral } from "./reply.ts";

/** Longest question, in octets: all attributes together. */
export const MAX_QUESTION = 65_536;

/** The attributes that matter here; all others are skipped. */
const KNOWN = new Set(["request", "protocol_state", "recipient"]);

export type PolicyQuestion = ReadonlyMap<string, string>;

/** Lines of `name=value`, ended by an empty line (Postfix, SMTPD_POLICY_README). */
export class PolicyParser extends BufferedParser<PolicyQuestion> {
  #attributes: Map<string, string> | null = null;
  /** Octets of the question so far, without the incomplete line. */
  #octets = 0;

  constructor(memory: string | null = null) {
    super();
    if (memory === null) return;
    const [octets, attributes] = JSON.parse(memory) as [number, [string, string][]];
    this.#octets = octets;
    this.#attributes = new Map(attributes);
  }

  override get isHalfWay(): boolean {
    return this.#attributes !== null || super.isHalfWay;
  }

  protected read(): Parsed<PolicyQuestion> | null {
    for (;;) {
      const end = this.buffer.endOfLine();
      if (this.#octets + (end < 0 ? this.buffer.length : end) > MAX_QUESTION) {
        return this.fault(`a question of more than ${MAX_QUESTION} octets`);
      }
      if (end < 0) return null;
      const line = this.buffer.takeLine(end);
      this.#octets += end + 1;
      if (line === "") {
        const question = this.#attributes ?? new Map<string, string>();
        this.#attributes = null;
        this.#octets = 0;
        return { kind: "question", question };
      }
      const why = this.#take(line);
      if (why !== null) return this.fault(why);
    }
  }

  protected override remember(): string | null {
    const attributes = this.#attributes;
    return attributes === null ? null : JSON.stringify([this.#octets, [...attributes]]);
  }

  #take(line: string): string | null {
    this.#attributes ??= new Map();
    const equals = line.indexOf("=");
    if (equals < 1) return "a line that is not an attribute";
    const name = line.slice(0, equals);
    if (!KNOWN.has(name)) return null;
    if (this.#attributes.has(name)) return "a repeated attribute";
    this.#attributes.set(name, line.slice(equals + 1));
    return null;
  }

  protected override fault(why: string): Parsed<PolicyQuestion> {
    this.#attributes = null;
    return super.fault(why);
  }
}

/** Postfix policy delegation: at RCPT, each verdict with its own reply. */
export const policy: Protocol<PolicyQuestion> = {
  name: "policy",
  about: "Postfix policy delegation",
  once: false,
  parser: (memory) => new PolicyParser(memory),
  exchange(question): Exchange {
    if (question.get("request") !== "smtpd_access_policy") {
      const reply = action(deferral("not a smtpd_access_policy request"));
      return { kind: "reply", reply, verdict: "invalid" };
    }
    const recipient = question.get("recipient") ?? "";
    if (recipient !== "") return { kind: "ask", recipient, reply: (answer) => action(accessAction(answer)) };
    const state = question.get("protocol_state") ?? "RCPT";
    // Before RCPT, and at DATA for several recipients, there is no recipient to decide about.
    return state === "RCPT"
      ? { kind: "reply", reply: action(deferral("no recipient given")), verdict: "invalid" }
      : { kind: "reply", reply: action("DUNNO"), verdict: "no-recipient" };
  },
  fault: (why) => action(deferral(why)),
};

const action = (text: string): string => `action=${text}\n\n`;
