import type { Position } from "../api/index.ts";
import { domainOf, type Manifest, parseRecipient, type Recipient } from "../directory/index.ts";

/** One recipient to check. */
export interface Query {
  /** As sent. */
  readonly text: string;
  readonly recipient: Recipient;
  /** Highest generation of the domain that the client has seen. */
  readonly minGeneration: number;
  /** Whether the client's token names the domain, which means that it should be served here. */
  readonly isNamed: boolean;
}

/**
 * Parses one recipient as a query.
 * @param minGenerations highest generation that the client has seen, by domain
 * @param named domains that the client's token names, null if it covers all
 */
export function queryOf(
  text: string,
  minGenerations?: Readonly<Record<string, number>> | null,
  named: ReadonlySet<string> | null = null,
): Query {
  const recipient = parseRecipient(text);
  const domain = domainOf(recipient);
  const hasSeen = minGenerations && domain !== null && Object.hasOwn(minGenerations, domain);
  const minGeneration = hasSeen ? (minGenerations[domain] as number) : 0;
  return { text, recipient, minGeneration, isNamed: named !== null && domain !== null && named.has(domain) };
}

/** A generation of one log: numbers of two logs cannot be compared. */
type Generation = Pick<Manifest, "incarnation" | "generation">;

const attemptOf = (blob: string, { incarnation, generation }: Generation): string =>
  `${incarnation} ${generation} ${blob}`;

/** A query in progress, and what was tried for it so far. In nearly all checks that is nothing. */
export class Check {
  readonly query: Query;
  /** Whether the Registry was asked for the generation that the client has seen. */
  soughtGeneration = false;
  /** Times that this check has waited for a confirmation. */
  confirmations = 0;
  /** By domain, the position that its manifest was last fetched for. */
  #manifests: Map<string, Position> | null = null;
  #blobs: Set<string> | null = null;

  constructor(query: Query) {
    this.query = query;
  }

  /**
   * Whether a domain's manifest was fetched, successfully or not, since the last confirmation, for the same log and at
   * least this number. Meanwhile another request may have learnt of a newer head, or of another log.
   */
  hasTriedManifest(domain: string, need: Position): boolean {
    const last = this.#manifests?.get(domain);
    return last !== undefined && last.incarnation === need.incarnation && last.number >= need.number;
  }

  noteManifest(domain: string, need: Position): void {
    this.#manifests ??= new Map();
    this.#manifests.set(domain, need);
  }

  /**
   * Whether a blob was fetched, successfully or not, for this generation. What was fetched for an older one is gone if a
   * generation between them had not named it.
   */
  hasTriedBlob(name: string, of: Generation): boolean {
    return this.#blobs?.has(attemptOf(name, of)) ?? false;
  }

  noteBlob(name: string, of: Generation): void {
    this.#blobs ??= new Set();
    this.#blobs.add(attemptOf(name, of));
  }

  /** After a confirmation, manifests are worth fetching again. */
  noteConfirmed(): void {
    this.#manifests = null;
  }
}
