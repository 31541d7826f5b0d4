/** The answers that say little: an error, and "done". */
import * as v from "valibot";
import { type ErrorCode, STATUS } from "../errors.ts";
import { type Infer, kind, knownWord, listOf, mapOf, named, open, text, texts, whole } from "../schema.ts";

/** The body of every response with a status other than 2xx, but for a single recipient that is `unavailable`. */
export const errorBody = named(
  "Error",
  open({
    error: open({
      code: knownWord(...(Object.keys(STATUS) as ErrorCode[])),
      message: text,
      domain: v.exactOptional(text),
      /** conflict: the number of the head, null if there is none. */
      head: v.exactOptional(v.nullable(whole)),
      /** missing_shards: ids by domain. */
      missing: v.exactOptional(mapOf(texts, "a list of text")),
      /** guard: the reason by domain. */
      refusals: v.exactOptional(mapOf(text, "text")),
      /** not_listed: positions in `set`. */
      unlisted: v.exactOptional(listOf(whole)),
      /** already_listed: positions in `set`. */
      listed: v.exactOptional(listOf(whole)),
    }),
  }),
);
export type ErrorBody = Infer<typeof errorBody>;

/** The answer to a request that has nothing else to say. */
export const done = named(
  "Done",
  open({ done: kind<true>((value) => value === true, "must be true", { const: true }) }),
);
