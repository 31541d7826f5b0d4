/** Every front end that the conformance corpus and the fault matrix try. */
import { postfix } from "./postfix/rig.ts";
import { emailWorkers } from "./email-workers/entry.ts";
import type { Entry, Rig } from "./rig.ts";
import { stalwart, stalwartAtTheEdge } from "./stalwart/entry.ts";

/** Mail servers, asked through SMTP. */
export const RIGS: readonly Rig[] = [postfix];

/** Front ends without SMTP. */
export const ENTRIES: readonly Entry[] = [stalwart, stalwartAtTheEdge, emailWorkers];
