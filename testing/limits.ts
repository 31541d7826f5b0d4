/** What the simulated world keeps to, and what is therefore derived from it. Milliseconds. */

/** Longest time until a write to KV shows everywhere. */
export const PROPAGATION = 180_000;
/** Longest time by which a late or repeated write to KV comes after it was acknowledged. */
export const LATE = 60_000;
/** Longest time that an isolate computes before it gets to an answer that has come. */
export const LONGEST_COMPUTING = 50;
/** Clocks of isolates differ from the Registry's by no more, either way. */
export const SKEW = 400;
/** After the last fault, timeouts, leases, breakers and pauses are over by then. */
export const LINGERING = 45_000;
/** Room of an isolate in which all lists of a world fit, bytes. */
export const FITTING = 1_000_000;
/** Within which a bridge answers. */
export const BRIDGE_BUDGET = 3_000;
/** Word in every refusal that no edge of ours gave. */
export const NONSENSE = "nobody-of-ours";
