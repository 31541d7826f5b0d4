/** The public API of the reader: one class, and its ports. */
export { type Query, queryOf } from "./check.ts";
export { traceOf } from "./faults.ts";
export {
  type AskedName,
  type Log,
  type Observer,
  OperationLimitError,
  type ReaderContext,
  type ReaderPorts,
  type ReaderSettings,
} from "./ports.ts";
export { Reader } from "./reader.ts";
export { Tally } from "./tally.ts";
