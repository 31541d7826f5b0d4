import { setFlagsFromString } from "node:v8";

/**
 * The bridge runs for months next to a mail server. Without these flags, V8 accumulates hundreds of megabytes of garbage
 * while it answers many names that are not in its cache, and keeps half-empty pages afterwards.
 */
export function saveMemory(): void {
  setFlagsFromString("--optimize-for-size");
  setFlagsFromString("--compact-on-every-full-gc");
  // The middle-tier compiler, on since Node 22: it costs ten megabytes and saves a second of warm-up.
  setFlagsFromString("--no-maglev");
}
