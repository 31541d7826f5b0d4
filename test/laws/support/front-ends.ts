/** Every way in which a mail server gets answers: the bridge's protocols over sockets, and the SMTP example. */
import { afterAll } from "vitest";
import { startFrontEnd } from "../../../examples/smtp-front-end.mjs";
import { parseAddress } from "../../../src/bridge/index.ts";
import { askOnce, netstring } from "../../bridge/support/sockets.ts";
import { type Running, startCli, temporaryFolder } from "../../support/processes.ts";
import { Smtp } from "../../support/smtp.ts";
import { ADMIN } from "./edges.ts";

const examples: { close(): Promise<unknown> }[] = [];
afterAll(() => Promise.all(examples.map((example) => example.close())));

/** What a mail server does after a reply. */
export type Act = "accept" | "refuse" | "defer";

interface Way {
  readonly listener: string;
  question(recipient: string): string;
  readonly accept: RegExp;
  readonly refuse: RegExp;
  readonly defer: RegExp;
}

/** The protocols of the bridge: the request, and the reply for each action. */
const WAYS: Readonly<Record<string, Way>> = {
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
    accept: /^\d+:OK DUNNO,$/,
    refuse: /^\d+:OK 5\d\d 5\.\d\.\d .+,$/,
    defer: /^\d+:OK 4\d\d 4\.\d\.\d .+,$/,
  },
  policy: {
    listener: "policy",
    question: (recipient) => `request=smtpd_access_policy\nprotocol_state=RCPT\nrecipient=${recipient}\n\n`,
    accept: /^action=DUNNO\n\n$/,
    refuse: /^action=5\d\d 5\.\d\.\d .+\n\n$/,
    defer: /^action=4\d\d 4\.\d\.\d .+\n\n$/,
  },
  line: {
    listener: "line",
    question: (recipient) => `${recipient}\n`,
    accept: /^250 .+\n$/,
    refuse: /^5\d\d 5\.\d\.\d .+\n$/,
    defer: /^4\d\d 4\.\d\.\d .+\n$/,
  },
};
const SMTP = { accept: /^250 /, refuse: /^5\d\d /, defer: /^4\d\d 4\.\d\.\d / };
const ACTS = ["accept", "refuse", "defer"] as const;

/** Ways of {@link FrontEnds.acts}. */
export const WAY_NAMES = [...Object.keys(WAYS), "smtp"];

/** The same act by each way. */
export const all = (act: Act): Record<string, Act> => Object.fromEntries(WAY_NAMES.map((way) => [way, act]));

const actOf = (way: Pick<Way, Act>, reply: string): Act => {
  const act = ACTS.find((each) => way[each].test(reply));
  if (act === undefined) throw new Error(`a reply that means nothing: ${JSON.stringify(reply)}`);
  return act;
};

/** A running `rollcall bridge`. */
export class Bridge {
  readonly running: Running;

  constructor(running: Running) {
    this.running = running;
  }

  /** Sends a question to a listener. @returns the whole reply */
  send(listener: string, question: string): Promise<string> {
    const shown = new RegExp(`^${listener} on (\\S+)$`, "m").exec(this.running.stdout)?.[1] ?? "";
    const address = parseAddress(shown);
    if (typeof address === "string") throw new Error(`${listener}: ${address}`);
    return askOnce(address, question);
  }

  async act(way: string, recipient: string): Promise<Act> {
    const { listener, question, ...acts } = WAYS[way] as Way;
    return actOf(acts, await this.send(listener, question(recipient)));
  }

  /** The bridge's Prometheus metrics. */
  async metrics(): Promise<string> {
    const shown = /^metrics on (\S+)$/m.exec(this.running.stdout)?.[1];
    return (await fetch(`http://${shown}/metrics`)).text();
  }
}

export async function startBridge(url: string, args: readonly string[] = [], token = ADMIN): Promise<Bridge> {
  const listeners = ["--socketmap", "--policy", "--line", "--metrics"].flatMap((flag) => [
    flag,
    "127.0.0.1:0",
  ]);
  const running = startCli(["bridge", ...listeners, ...args], {
    home: temporaryFolder(),
    env: { ROLLCALL_URL: url, ROLLCALL_TOKEN: token },
  });
  await running.saying(/\bready\b.*\n/);
  return new Bridge(running);
}

/** The bridge and the SMTP example for one URL. */
export interface FrontEnds {
  readonly bridge: Bridge;
  /** What each way makes of a recipient. */
  acts(recipient: string): Promise<Record<string, Act>>;
}

/** @param seconds timeout for the edge */
export async function startFrontEnds(url: string, seconds: number, token = ADMIN): Promise<FrontEnds> {
  // A circuit breaker that never opens, so that each request is sent.
  const args = ["--timeout", String(seconds), "--breaker-failures", "1000"];
  const [bridge, example] = await Promise.all([
    startBridge(url, args, token),
    startFrontEnd({ url, token, port: 0, timeout: 1000 * seconds }),
  ]);
  examples.push(example);
  const smtp = async (recipient: string): Promise<Act> => {
    const session = await Smtp.open(example.port);
    const reply = await session.rcpt(recipient);
    await session.quit();
    return actOf(SMTP, reply);
  };
  return {
    bridge,
    async acts(recipient) {
      const asked = WAY_NAMES.map(
        async (way): Promise<[string, Act]> => [
          way,
          way === "smtp" ? await smtp(recipient) : await bridge.act(way, recipient),
        ],
      );
      return Object.fromEntries(await Promise.all(asked));
    },
  };
}
