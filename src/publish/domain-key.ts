import type { RollcallClient } from "../client/index.ts";
import {
  CANONICALISER_VERSION,
  DirectoryError,
  type DomainKey,
  domainKey,
  fromBase64Url,
  type Hashing,
} from "../directory/index.ts";
import { PublishError, SAME_RELEASE } from "./errors.ts";

/** A domain's key, and the number of the Registry that holds the domain. */
export interface FetchedKey {
  readonly key: DomainKey;
  readonly partition: number;
}

/**
 * Fetches a domain's key, or a later one to publish under, and verifies it (law 5). It stays in memory.
 * @throws PublishError `protocol` if this release derives another key or canonicalises addresses differently
 */
export async function fetchKey(
  client: RollcallClient,
  hashing: Hashing,
  domain: string,
  which: "present" | "next" = "present",
): Promise<FetchedKey> {
  const body = await (which === "present" ? client.key(domain) : client.nextKey(domain));
  let key: DomainKey | null = null;
  try {
    key = domainKey(hashing, fromBase64Url(body.key), domain, body.epoch);
  } catch (error) {
    if (!(error instanceof DirectoryError)) throw error;
  }
  if (key?.id === body.key_id && body.canonicaliser === CANONICALISER_VERSION) {
    return { key, partition: body.partition };
  }
  throw new PublishError(
    "protocol",
    `${domain}: this release and the edge derive keys or canonicalise addresses differently`,
    SAME_RELEASE,
  );
}
