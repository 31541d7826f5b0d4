import {
  type BlobTable,
  blobIds,
  blobKey,
  type DomainKey,
  equalBytes,
  type Manifest,
  manifestKey,
  openManifest,
} from "../src/directory/index.ts";
import type { FakeKv } from "./kv.ts";
import type { RegistryHost } from "./registry-host.ts";

/**
 * Keys in which KV is not what a Registry says of its heads.
 * @param tablesOf the blobs of a manifest that KV needs
 */
export const differencesOf = (
  registry: RegistryHost,
  kv: FakeKv,
  keyFor: (domain: string, epoch: number) => DomainKey,
  tablesOf: (manifest: Manifest) => readonly BlobTable[],
): string[] =>
  registry.sql(HEADS).flatMap((row) => {
    const [domain, bytes] = [row.domain as string, row.manifest as Uint8Array];
    const stored = kv.newest(manifestKey(domain));
    const isSame = stored !== null && equalBytes(stored, bytes);
    const ids = tablesOf(openManifest(bytes, domain, keyFor)).flatMap((table) => blobIds(table));
    const lacking = ids.map((id) => blobKey(domain, id)).filter((key) => kv.newest(key) === null);
    return [...(isSame ? [] : [manifestKey(domain)]), ...lacking];
  });

const HEADS = `SELECT h.domain, g.manifest FROM heads h
  JOIN generations g ON g.domain = h.domain AND g.number = h.number ORDER BY h.domain`;
