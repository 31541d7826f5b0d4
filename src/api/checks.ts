/** What a check is asked with: `POST /v1/rcpt` and `GET /v1/rcpt/{address}`. */
import * as v from "valibot";
import { choice, type Infer, kind, mapOf, named, open, text, texts, whole } from "./schema.ts";

/** Text that front ends send along. It decides nothing, so it is not checked. */
const unread = kind<string>(() => true, "", { type: "string" });

const context = {
  /** The highest generation that the client has seen, by domain: an older one is no answer (law 3). */
  floor: v.exactOptional(mapOf(whole, "a whole number")),
  client: v.exactOptional(unread),
  sender: v.exactOptional(unread),
};
const checkOne = open({ recipient: text, ...context });
const checkMany = open({ recipients: texts, ...context });
const checkNone = kind<never>(
  () => false,
  "must hold one of recipient (text) and recipients (a list of text)",
  {},
);

/** What a check may be asked with, as the members of an object or as a list of recipients alone. */
export const checkRequest = named(
  "CheckRequest",
  choice<typeof checkOne | typeof checkMany | typeof texts>([checkOne, checkMany, texts], (value) => {
    if (typeof value !== "object" || value === null) return checkOne;
    if (Array.isArray(value)) return texts;
    const { recipient, recipients } = value as Readonly<Record<string, unknown>>;
    if ((recipient === undefined) === (recipients === undefined)) return checkNone;
    return recipients === undefined ? checkOne : checkMany;
  }),
);
/** A request to check in its form of an object. */
export type CheckRequest = Infer<typeof checkOne> | Infer<typeof checkMany>;
