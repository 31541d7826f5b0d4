import { equalBytes } from "./bytes.ts";
import { type BlobTable, blobId, type ManifestContent } from "./manifest.ts";

/** Whether two manifests are one generation. An export made again may reuse its numbers, so its bytes decide. */
export const isSameGeneration = (a: Identified, b: Identified): boolean =>
  a.origin === b.origin &&
  (a.origin === "kv"
    ? equalBytes(a.bytes, b.bytes)
    : a.generation === b.generation && a.incarnation === b.incarnation);

type Identified = Pick<ManifestContent, "origin" | "incarnation" | "generation"> & {
  readonly bytes: Uint8Array;
};

/** Whether two tables have the same blobs. */
export const isSameTable = (a: BlobTable, b: BlobTable): boolean =>
  a.bits === b.bits && equalBytes(a.ids, b.ids) && equalBytes(a.inline ?? NONE, b.inline ?? NONE);

/** Whether two tables of patterns are the same. */
export const isSamePatterns = (a: Uint8Array | null, b: Uint8Array | null): boolean =>
  equalBytes(a ?? NONE, b ?? NONE);

/** Whether blob `index` of two tables is one blob, stored under its own id. */
export const isSameBlob = (a: BlobTable, b: BlobTable, index: number): boolean =>
  a.bits === b.bits && a.inline === null && b.inline === null && blobId(a, index) === blobId(b, index);

const NONE = new Uint8Array(0);
