import { line } from "./line.ts";
import { policy } from "./policy.ts";
import type { Protocol } from "./protocol.ts";
import { socketmap } from "./socketmap.ts";
import { tcpTable } from "./tcp-table.ts";

/** Every protocol that the bridge speaks. To add one, write its file and its page in docs/bridge/, and list it here. */
const ALL = { socketmap, policy, line, tcp: tcpTable };

export type ProtocolName = keyof typeof ALL;
export const PROTOCOLS: Readonly<Record<ProtocolName, Protocol>> = ALL;
export const PROTOCOL_NAMES = Object.keys(PROTOCOLS) as readonly ProtocolName[];
