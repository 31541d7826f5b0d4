import type { FaultKind } from "../api/contract.ts";
import { DirectoryError } from "../directory/index.ts";
import type { Ports } from "./ports.ts";

/** One line a minute for each kind and domain. */
const PAUSE = 60_000;
/** Kinds and domains that are told apart; past it, domains are not. */
const MAX_KNOWN = 200;
const MAX_DETAIL = 1_000;

/** Tells the operator's log what goes wrong: enough to act on, and never a flood. */
export class Faults {
  readonly #ports: Pick<Ports, "clock" | "log">;
  readonly #met: (kind: FaultKind, domain: string | null) => void;
  /** By kind and domain: when a line was last written, and what was met since. */
  readonly #known = new Map<string, { writtenAt: number; count: number }>();

  /** @param met told of every one, line or no line */
  constructor(ports: Pick<Ports, "clock" | "log">, met: (kind: FaultKind, domain: string | null) => void) {
    this.#ports = ports;
    this.#met = met;
  }

  /** @param domain one that has a list here, or null; never a domain that only an asker named */
  note(kind: FaultKind, domain: string | null, detail: string): void {
    this.#met(kind, domain);
    const now = this.#ports.clock.now();
    const known = this.#find(`${kind} ${domain}`) ?? this.#find(kind);
    if (known === undefined) return;
    known.count++;
    if (now < known.writtenAt + PAUSE && now >= known.writtenAt) return;
    const { count } = known;
    known.writtenAt = now;
    known.count = 0;
    this.#ports.log?.({ event: "fault", kind, domain, detail: detail.slice(0, MAX_DETAIL), count });
  }

  /** The same of stored bytes that could not be opened: what is wrong with them, or `otherwise`. */
  noteUnopened(error: unknown, otherwise: FaultKind, domain: string | null): void {
    this.note(kindOf(error, otherwise), domain, messageOf(error));
  }

  #find(name: string): { writtenAt: number; count: number } | undefined {
    let known = this.#known.get(name);
    if (known === undefined && (this.#known.size < MAX_KNOWN || !name.includes(" "))) {
      known = { writtenAt: Number.NEGATIVE_INFINITY, count: 0 };
      this.#known.set(name, known);
    }
    return known;
  }
}

function kindOf(error: unknown, otherwise: FaultKind): FaultKind {
  if (!(error instanceof DirectoryError)) return otherwise;
  if (error.fault === "key-mismatch") return "key_mismatch";
  return error.fault === "canonicaliser-mismatch" ? "canonicaliser_mismatch" : otherwise;
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Where in the code something broke that was not foreseen. */
export const traceOf = (error: unknown): string =>
  error instanceof Error && error.stack !== undefined ? error.stack : String(error);
