import { line } from "./line.ts";
import { policy } from "./policy.ts";
import type { Protocol, ProtocolName } from "./protocol.ts";
import { socketmap } from "./socketmap.ts";

/** Every protocol that the bridge speaks. */
export const PROTOCOLS: Readonly<Record<ProtocolName, Protocol>> = { socketmap, policy, line };
