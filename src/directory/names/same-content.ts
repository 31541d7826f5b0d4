import { equalBytes } from "../bytes.ts";
import { type BlobTable, blobId, type ManifestContent } from "../formats/manifest.ts";

/** Whether two manifests of a domain are one generation. */
export const isSameGeneration = (a: Identified, b: Identified): boolean =>
  a.generation === b.generation && a.incarnation === b.incarnation;

type Identified = Pick<ManifestContent, "incarnation" | "generation">;

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
