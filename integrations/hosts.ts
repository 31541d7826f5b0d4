/** Mail servers as their distributions install them. */

import { eximHost } from "./exim/host.ts";
import { harakaHost } from "./haraka/host.mts";
import type { Host } from "./host.ts";
import { opensmtpdHost } from "./opensmtpd/host.ts";
import { postfixHost } from "./postfix/host.ts";
import { sendmailHost } from "./sendmail/host.ts";

export const HOSTS: readonly Host[] = [postfixHost, eximHost, opensmtpdHost, harakaHost, sendmailHost];
