import { createReadStream, statSync } from "node:fs";
import { extname } from "node:path";
import {
  canonicalLocalPart,
  type DomainKey,
  type DomainPolicy,
  ENTRY_STATES,
  type EntryState,
  fingerprint,
  type Hashing,
  parseRecipient,
} from "../directory/index.ts";
import { EntryColumns } from "./entries.ts";
import { PublishError } from "./errors.ts";
import { type PackedList, packList } from "./pack.ts";
import { readCsvSource } from "./sources/csv.ts";
import type { SourceSink } from "./sources/source.ts";
import { readTextSource } from "./sources/text.ts";

/** Malformed lines and duplicates that are told one by one; the others are counted. */
export const MAX_REPORTED = 100;

/** Remarks on lines, the first ones word by word. */
export interface LineReport {
  readonly count: number;
  /** `FILE:LINE: reason` */
  readonly first: readonly string[];
}

/** Share of the work that is reading; the rest is packing. */
const READING = 0.8;

/** A list that was read and packed. */
export interface ReadList {
  readonly packed: PackedList;
  readonly duplicates: LineReport;
  /** Lines that were left out, with `skipInvalid`. */
  readonly skipped: LineReport;
}

export interface ReadOptions {
  /** Path of the list; CSV where it ends in `.csv`, else an address a line. */
  readonly path: string;
  /** How the path stands in messages. */
  readonly shown: string;
  readonly domain: string;
  readonly key: DomainKey;
  readonly policy: DomainPolicy;
  readonly hashing: Hashing;
  /** Publish without the malformed lines. */
  readonly skipInvalid?: boolean;
  readonly bitsInUse?: number;
  /** Called for each name, canonical, in the order of the list. */
  eachName?(name: string): void;
  /** @param done share of the work, 0 to 1 */
  progress?(done: number): void;
}

/**
 * Reads a list from a file, canonicalises and packs it. Memory is bounded by 15 bytes an entry and the shards.
 * @throws PublishError `input` with every malformed line, up to {@link MAX_REPORTED}
 */
export async function readList(options: ReadOptions): Promise<ReadList> {
  const { path, shown, domain, key, policy, hashing } = options;
  const entries = new EntryColumns();
  const faults = new Report(shown);
  const duplicates = new Report(shown);
  const size = sizeOf(path);
  const sink: SourceSink = {
    entry(line, address, state) {
      const name = nameOf(address, domain, policy);
      if (typeof name !== "string") {
        faults.add(line, name.fault);
        return;
      }
      entries.add(fingerprint(key.names, name), numberOf(state), line);
      options.eachName?.(name);
    },
    fault: (line, reason) => faults.add(line, reason),
    progress: (octets) => options.progress?.(READING * Math.min(1, octets / size)),
  };
  await readSource(path, shown, sink);
  const packed = packList(entries, hashing, {
    ...(options.bitsInUse === undefined ? {} : { bitsInUse: options.bitsInUse }),
    progress: (done, of) => options.progress?.(READING + (1 - READING) * (done / of)),
    repetitions: {
      duplicate: (line, first) => duplicates.add(line, `the same name as line ${first}`),
      clash: (line, first) => faults.add(line, `the same name as line ${first}, in another state`),
    },
  });
  if (faults.count > 0 && options.skipInvalid !== true) throw malformed(shown, faults);
  return { packed, duplicates, skipped: faults };
}

function sizeOf(path: string): number {
  try {
    return Math.max(1, statSync(path).size);
  } catch {
    // Reading it says what is wrong.
    return 1;
  }
}

function malformed(shown: string, faults: Report): PublishError {
  const details = [...faults.first];
  if (faults.count > details.length) details.push(`and ${faults.count - details.length} more`);
  const lines = faults.count === 1 ? "1 line" : `${faults.count} lines`;
  return new PublishError(
    "input",
    `${shown}: ${lines} cannot be used; nothing is published`,
    "mend the list, or leave these lines out with --skip-invalid",
    details,
  );
}

async function readSource(path: string, shown: string, sink: SourceSink): Promise<void> {
  const chunks = createReadStream(path, { highWaterMark: 256 * 1024 });
  try {
    if (extname(path).toLowerCase() === ".csv") await readCsvSource(chunks, sink);
    else await readTextSource(chunks, sink);
  } catch (error) {
    if (!(error instanceof Error && "syscall" in error)) throw error;
    throw new PublishError(
      "input",
      `${shown} cannot be read: ${(error as NodeJS.ErrnoException).code ?? error.message}`,
      "check the path of the list and its permissions",
    );
  } finally {
    chunks.destroy();
  }
}

/** Characters that a local part may hold only between quotes. */
const NEEDS_QUOTES = /[\s"(),:;<>@[\\\]]/;

/**
 * The canonical local part of an address of `domain`, or why there is none. Dots in odd places are let pass,
 * since real mailboxes have them; what only quotes allow is not, since it is rarely what was meant.
 */
export function nameOf(address: string, domain: string, policy: DomainPolicy): string | { fault: string } {
  const recipient = parseRecipient(address);
  if (recipient.kind === "malformed" || recipient.kind === "unlistable") return { fault: recipient.why };
  if (recipient.kind === "postmaster") return { fault: "no domain" };
  if (recipient.kind === "literal") return { fault: "an address literal, which no list can hold" };
  if (recipient.domain !== domain) return { fault: `an address of ${recipient.domain}, not of ${domain}` };
  if (recipient.local === "") return { fault: "no local part before the @" };
  if (!recipient.wellFormed && NEEDS_QUOTES.test(recipient.local)) {
    return { fault: "characters in the local part that must stand in quotes" };
  }
  const name = canonicalLocalPart(recipient.local, policy);
  return name === "" ? { fault: "nothing is left of the local part without its dots" } : name;
}

const numberOf = (state: EntryState): number => ENTRY_STATES.indexOf(state);

class Report implements LineReport {
  readonly first: string[] = [];
  count = 0;
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  add(line: number, reason: string): void {
    this.count++;
    if (this.first.length < MAX_REPORTED) this.first.push(`${this.#file}:${line}: ${reason}`);
  }
}
