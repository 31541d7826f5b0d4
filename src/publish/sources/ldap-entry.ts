import type { Entry } from "ldapts";
import type { EntryState } from "../../directory/index.ts";
import { PublishError } from "../errors.ts";
import type { SourceHost } from "./kind.ts";
import { smtpAddress } from "./proxy-address.ts";
import { NO_ADDRESS, type SourceSink } from "./source.ts";
import type { StateWords, UnknownState } from "./states.ts";

/** Bit 2 of Active Directory's userAccountControl: the account is disabled ([MS-ADTS] 2.2.16). */
const ACCOUNT_DISABLED = 2;

/** Where an entry has its addresses and its state. */
interface Settings {
  readonly attributes: readonly string[];
  readonly state_attribute?: string | undefined;
  readonly account_control: boolean;
}

/** Turns entries into mailboxes. */
export class EntryReader {
  readonly #settings: Settings;
  readonly #words: StateWords;
  readonly #host: Pick<SourceHost, "shown">;
  readonly #sink: SourceSink;
  /** Addresses so far, faults included. */
  addresses = 0;
  #entries = 0;

  constructor(settings: Settings, words: StateWords, host: Pick<SourceHost, "shown">, sink: SourceSink) {
    this.#settings = settings;
    this.#words = words;
    this.#host = host;
    this.#sink = sink;
  }

  /** An entry without an address is no mailbox. @throws PublishError `input` for an attribute that is cut */
  take(entry: Entry): void {
    const line = ++this.#entries;
    const values = this.#valuesOf(entry);
    const state = this.#stateOf(values);
    let found = 0;
    for (const attribute of this.#settings.attributes) {
      for (const value of values(attribute)) {
        const address = addressOf(attribute, value);
        if (address === null) continue;
        found++;
        if (typeof state === "string") this.#sink.entry(line, address, state);
        else this.#sink.fault(line, state.fault);
      }
    }
    this.addresses += found;
    if (found === 0) this.#sink.leftOut?.(line, NO_ADDRESS);
  }

  /** Attributes by name in any case, with the values of all their options, such as `mail;lang-en` (RFC 4512, 2.5). */
  #valuesOf(entry: Entry): (attribute: string) => readonly string[] {
    const all = new Map<string, readonly string[]>();
    for (const [name, value] of Object.entries(entry)) {
      if (/;range=\d+-\d+$/i.test(name)) {
        throw new PublishError(
          "input",
          `${this.#host.shown}: the server truncated the attribute ${name} of ${entry.dn}`,
          "raise its limit of values (MaxValRange in Active Directory), or leave the entry out with the filter",
        );
      }
      const list = Array.isArray(value) ? value : [value];
      const attribute = (name.split(";", 1)[0] as string).toLowerCase();
      all.set(attribute, [
        ...(all.get(attribute) ?? []),
        ...list.map((each) => (typeof each === "string" ? each : each.toString("utf8"))),
      ]);
    }
    return (attribute) => all.get(attribute.toLowerCase()) ?? [];
  }

  #stateOf(values: (attribute: string) => readonly string[]): EntryState | UnknownState {
    const { account_control, state_attribute } = this.#settings;
    if (account_control) {
      const [flags] = values("userAccountControl");
      // Groups and contacts have none.
      if (flags !== undefined && !/^-?\d+$/.test(flags)) return { fault: `userAccountControl is ${flags}` };
      if (flags !== undefined && (Number(flags) & ACCOUNT_DISABLED) !== 0) return "disabled";
    }
    if (state_attribute === undefined) return "active";
    const [word = "", ...others] = values(state_attribute);
    if (others.length > 0) return { fault: `${state_attribute} has several values` };
    return this.#words.read(word);
  }
}

/** The address in a value: proxyAddresses has values of other kinds, too. */
function addressOf(attribute: string, value: string): string | null {
  if (value === "") return null;
  return attribute.toLowerCase() === "proxyaddresses" ? smtpAddress(value) : value;
}
