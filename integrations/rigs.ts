/** Every front end that the conformance corpus and the fault matrix try. */
import { emailWorkers } from "./email-workers/entry.ts";
import { exim } from "./exim/rig.ts";
import { haraka } from "./haraka/rig.mts";
import { draftHooks, draftHooksAtTheEdge } from "./mta-hooks/entry.ts";
import { opensmtpd } from "./opensmtpd/rig.ts";
import { postfix } from "./postfix/rig.ts";
import type { Entry, Rig } from "./rig.ts";
import { sendmail } from "./sendmail/rig.ts";
import { stalwart, stalwartAtTheEdge } from "./stalwart/entry.ts";

/** Mail servers, asked through SMTP. */
export const RIGS: readonly Rig[] = [postfix, exim, opensmtpd, sendmail, haraka];

/** Front ends without SMTP. */
export const ENTRIES: readonly Entry[] = [
  stalwart,
  stalwartAtTheEdge,
  draftHooks,
  draftHooksAtTheEdge,
  emailWorkers,
];
