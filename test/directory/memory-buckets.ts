import type { SpanBuckets } from "../../src/directory/guard/span-buckets.ts";

/** Buckets in memory. */
export class MemoryBuckets implements SpanBuckets {
  bits = 0;
  readonly kept = new Map<number, { bytes: Uint8Array; spans: number; newest: number }>();
  writes = 0;

  count(): number {
    return [...this.kept.values()].reduce((sum, { spans }) => sum + spans, 0);
  }
  read(bucket: number): Uint8Array | null {
    return this.kept.get(bucket)?.bytes ?? null;
  }
  write(bucket: number, bytes: Uint8Array | null, spans: number, newest: number): void {
    this.writes++;
    if (bytes === null) this.kept.delete(bucket);
    else this.kept.set(bucket, { bytes, spans, newest });
  }
  split(bits: number): void {
    this.bits = bits;
  }
  /** As the Registry does when it saves. */
  prune(oldest: number): void {
    for (const [bucket, { newest }] of this.kept) if (newest <= oldest) this.kept.delete(bucket);
  }
}
