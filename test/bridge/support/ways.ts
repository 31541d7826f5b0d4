import { draftBody } from "../../../integrations/mta-hooks/hook-message.ts";
import { hookBody } from "../../../integrations/stalwart/hook-message.ts";
import { netstring } from "./sockets.ts";

/** What a mail server does after a reply. */
export type Act = "accept" | "refuse" | "defer";
const ACTS = ["accept", "refuse", "defer"] as const;

/** One way in which mail servers ask: the question, and how the reply says each act. */
export interface Way extends Readonly<Record<Act, RegExp>> {
  readonly listener: string;
  question(recipient: string): string;
}

export const policyQuestion = (recipient: string): string =>
  `request=smtpd_access_policy\nprotocol_state=RCPT\nrecipient=${recipient}\n\n`;

const hookQuestion = (recipient: string): string => posted(hookBody("rcpt", [recipient]));
const draftQuestion = (recipient: string): string => posted(draftBody("rcpt", [recipient]));

function posted(body: string): string {
  return `POST /v1/hooks/mta HTTP/1.0\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

/** The ways of the bridge. */
export const WAYS: Readonly<Record<string, Way>> = {
  recipients: {
    listener: "socketmap",
    question: (recipient) => netstring(`recipients ${recipient}`),
    accept: /^\d+:OK deliverable,$/,
    refuse: /^9:NOTFOUND ,$/,
    defer: /^\d+:TEMP .+,$/,
  },
  access: {
    listener: "socketmap",
    question: (recipient) => netstring(`access ${recipient}`),
    accept: /^8:OK DUNNO,$/,
    refuse: /^\d+:OK 5\d\d 5\.\d\.\d .+,$/,
    defer: /^\d+:OK 4\d\d 4\.\d\.\d .+,$/,
  },
  policy: {
    listener: "policy",
    question: policyQuestion,
    accept: /^action=DUNNO\n\n$/,
    refuse: /^action=5\d\d 5\.\d\.\d .+\n\n$/,
    defer: /^action=4\d\d 4\.\d\.\d .+\n\n$/,
  },
  tcp: {
    listener: "tcp",
    question: (recipient) => `get ${encodeURIComponent(recipient).replaceAll("%40", "@")}\n`,
    accept: /^200 deliverable\n$/,
    refuse: /^500 not-found\n$/,
    defer: /^400 4\d\d%204\.\d\.\d%20.+\n$/,
  },
  line: {
    listener: "line",
    question: (recipient) => `${recipient}\n`,
    accept: /^250 2\.1\.5 .+\n$/,
    refuse: /^5\d\d 5\.\d\.\d .+\n$/,
    defer: /^4\d\d 4\.\d\.\d .+\n$/,
  },
  hooks: {
    listener: "hooks",
    question: hookQuestion,
    accept: /^HTTP\/1\.1 200 [\s\S]*\r\n\r\n\{"action":"accept"\}$/,
    refuse:
      /^HTTP\/1\.1 200 [\s\S]*\r\n\r\n\{"action":"reject","response":\{"status":5\d\d,"enhanced_status":"5\.[^}]+\}\}$/,
    defer:
      /^HTTP\/1\.1 200 [\s\S]*\r\n\r\n\{"action":"reject","response":\{"status":4\d\d,"enhanced_status":"4\.[^}]+\}\}$/,
  },
  draft: {
    listener: "hooks",
    question: draftQuestion,
    accept: /^HTTP\/1\.1 200 [\s\S]*\r\n\r\n\{"set":\[\]\}$/,
    refuse: draftReject(5),
    defer: draftReject(4),
  },
};

/** The draft's reject with a reply of one kind. */
function draftReject(kind: 4 | 5): RegExp {
  const action = '\\{"path":"/action","value":"reject"\\}';
  const reply = `\\{"code":${kind}\\d\\d,"enhancedCode":"${kind}\\.[^}]+\\}`;
  return new RegExp(
    `^HTTP/1\\.1 200 [\\s\\S]*\\r\\n\\r\\n\\{"set":\\[${action},\\{"path":"/response","value":${reply}\\}\\]\\}$`,
  );
}

export const WAY_NAMES = Object.keys(WAYS);

/** The act of a reply. @throws if no pattern matches, or several do */
export function actOf(patterns: Readonly<Record<Act, RegExp>>, reply: string): Act {
  const [act, ...more] = ACTS.filter((each) => patterns[each].test(reply));
  if (act === undefined || more.length > 0) throw new Error(`meaningless reply: ${JSON.stringify(reply)}`);
  return act;
}
