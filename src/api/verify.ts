/** `POST /v1/registry/verify`: a part of the heads of one partition is verified, with their blobs. */
import * as v from "valibot";
import { closed, type Infer, named, text, whole } from "./schema.ts";

export const verifyRequest = named(
  "VerifyRequest",
  closed({
    partition: whole,
    /** `next` of the answer before; null or left out for the first. */
    after: v.exactOptional(v.nullable(text)),
  }),
);
export type VerifyRequest = Infer<typeof verifyRequest>;
