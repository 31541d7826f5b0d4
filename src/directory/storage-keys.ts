/**
 * Names of the keys under which a directory stands in KV. docs/storage.md tells their shape and life.
 * A domain has at most 253 octets and an id 64, so each stays under KV's 512.
 */
export const manifestKey = (domain: string): string => `domain/${domain}`;
export const blobKey = (domain: string, id: string): string => `shard/${domain}/${id}`;
export const rosterKey = (partition: string): string => `roster/${partition}`;
