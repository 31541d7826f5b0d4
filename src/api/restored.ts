/** After the storage of a Registry was restored to an earlier time. */
import { closed, type Infer, named, whole } from "./schema.ts";

/** `POST /v1/registry/restored`. */
export const restoredRequest = named(
  "RestoredRequest",
  closed({
    partition: whole,
    /** The incarnation that the partition has, so that a repeated request changes nothing. */
    expect: whole,
  }),
);
export type RestoredRequest = Infer<typeof restoredRequest>;
