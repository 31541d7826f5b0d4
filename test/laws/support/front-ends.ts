/** Every way in which a mail server gets answers: the bridge's protocols over sockets, and the SMTP example. */
import { afterAll } from "vitest";
import { startFrontEnd } from "../../../examples/smtp-front-end.mjs";
import {
  type BridgeProcess as Bridge,
  EVERY_LISTENER,
  startBridge as startBridgeProcess,
} from "../../bridge/support/bridge-process.ts";
import { type Act, actOf, WAY_NAMES as BRIDGE_WAYS } from "../../bridge/support/ways.ts";
import { Smtp } from "../../support/smtp.ts";
import { ADMIN } from "./edges.ts";

export type { Bridge };

const examples: { close(): Promise<unknown> }[] = [];
afterAll(() => Promise.all(examples.map((example) => example.close())));

const SMTP = { accept: /^250 /, refuse: /^5\d\d /, defer: /^4\d\d 4\.\d\.\d / };

/** Ways of {@link FrontEnds.acts}. */
export const WAY_NAMES = [...BRIDGE_WAYS, "smtp"];

/** The same act by each way. */
export const all = (act: Act): Record<string, Act> => Object.fromEntries(WAY_NAMES.map((way) => [way, act]));

export const startBridge = (url: string, args: readonly string[] = [], token = ADMIN): Promise<Bridge> =>
  startBridgeProcess(url, [...EVERY_LISTENER, ...args], { token });

/** The bridge and the SMTP example for one URL. */
export interface FrontEnds {
  readonly bridge: Bridge;
  /** What each way makes of a recipient. */
  acts(recipient: string): Promise<Record<string, Act>>;
}

/** @param seconds timeout of a question to the edge */
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
