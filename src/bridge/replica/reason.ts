import { ClientError } from "../../client/index.ts";
import { messageOf } from "../../runtime/message-of.ts";

/** Characters of a reason in a log line. */
const LONGEST = 300;

/** Why something failed, for people, with what to do if that is known. Texts of the other side are not repeated. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof ClientError)) {
    return messageOf(error).slice(0, LONGEST);
  }
  switch (error.kind) {
    case "unauthorized":
      return "the edge refuses the token (401): create one with `rollcall token create --role replica --domain DOMAIN`";
    case "forbidden":
      return "the token's role or domains do not cover this (403): create one with `rollcall token create --role replica --domain DOMAIN`";
    case "api":
      return error.status === 404 || error.status === 405
        ? `the edge does not have it (${error.status}): it may be of an earlier release`
        : `the edge answers with an error (${error.code ?? error.status})`;
    default:
      return error.message.slice(0, LONGEST);
  }
}
