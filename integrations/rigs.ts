/** Every front end that the conformance corpus and the fault matrix try. */
import { haraka } from "./haraka/rig.ts";
import { opensmtpd } from "./opensmtpd/rig.ts";
import { postfix } from "./postfix/rig.ts";
import type { Entry, Rig } from "./rig.ts";

/** Mail servers, asked through SMTP. */
export const RIGS: readonly Rig[] = [postfix, opensmtpd, haraka];

/** Front ends without SMTP. */
export const ENTRIES: readonly Entry[] = [];
