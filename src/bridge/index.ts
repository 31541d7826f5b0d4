/** The public face of the bridge. */
export { type BridgeOptions, type RunningBridge, startBridge } from "./bridge.ts";
export type { BridgeConfiguration, EdgeConnection } from "./configuration.ts";
export { type AskEdge, askEdgeWith } from "./edge-source/ask-edge.ts";
export { expiryOf, type TokenSource } from "./edge-source/token.ts";
export { type ListenAddress, parseAddress, showAddress } from "./listeners/address.ts";
export { ListenError } from "./listeners/listen.ts";
export type { InheritedListener } from "./listeners/listeners.ts";
export { closerOf } from "./listeners/node-handles.ts";
export type { ServedName } from "./listeners/server.ts";
export type { AbortableTimers, BridgePorts, SteadyClock } from "./ports.ts";
export { PROTOCOL_NAMES } from "./protocols/index.ts";
export { repeat } from "./repeat.ts";
export { type OlderLog, olderThanKnown } from "./replica/check-changes.ts";
export { FolderError } from "./replica/disk/folder.ts";
export { lockFolder } from "./replica/disk/lock.ts";
export { forgetReplica, type KnownLog, knownLogs } from "./replica/known.ts";
export type { ReplicaHost } from "./replica/open-replica.ts";
export {
  type BridgeSettings,
  DEFAULTS,
  Fault,
  flagOf,
  LISTENER_NAMES,
  readSetting,
  remoteFault,
  SETTING_NAMES,
  SETTINGS,
  type SettingName,
} from "./settings.ts";
export { createSteadyClock } from "./steady-clock.ts";
export {
  type ConnectionMessage,
  handedOverOf,
  messageOf,
  type Predecessor,
  type Successor,
} from "./takeover.ts";
