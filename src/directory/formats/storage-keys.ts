/**
 * The keys of a directory in KV; docs/storage.md describes their values and lifetimes.
 * A domain has at most 253 octets and an id 64, so each key stays below KV's limit of 512.
 */
export const manifestKey = (domain: string): string => `domain/${domain}`;
export const blobKey = (domain: string, id: string): string => `shard/${domain}/${id}`;
export const rosterKey = (partition: string): string => `roster/${partition}`;
