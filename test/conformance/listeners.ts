import type { Listeners } from "../../integrations/rig.ts";
import type { Bridge } from "../mta/support/command.ts";

/** Where a front end asks: a bridge, or the edge behind it. */
export function listenersOf(
  bridge: Bridge,
  edge: { url: string; checkToken: string },
  authority: string | null = null,
): Listeners {
  const ports: Readonly<Record<string, number | undefined>> = bridge.ports;
  const at = (name: string): string => `127.0.0.1:${ports[name] ?? 9}`;
  return {
    socketmap: at("socketmap"),
    policy: at("policy"),
    line: at("line"),
    tcp: at("tcp"),
    http: at("hooks"),
    edge: { url: edge.url, token: edge.checkToken, authority },
  };
}
