/** The answer to an MTA hook. */
import * as v from "valibot";
import { flag, type Infer, knownWord, named, open, text, whole } from "../schema.ts";

export const hookAnswer = named(
  "MtaHookAnswer",
  open({
    action: knownWord("accept", "reject"),
    /** The SMTP reply of a reject, permanent or temporary. */
    response: v.exactOptional(
      open({
        status: whole,
        enhanced_status: text,
        enhancedStatus: text,
        message: text,
        disconnect: flag,
      }),
    ),
  }),
);
export type HookAnswer = Infer<typeof hookAnswer>;
