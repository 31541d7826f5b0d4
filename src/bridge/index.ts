/** The public face of the bridge. */
export { ADDRESS_FORMS, type ListenAddress, parseAddress, showAddress } from "./address.ts";
export { askThrough } from "./asking.ts";
export { type BridgeOptions, type RunningBridge, startBridge } from "./bridge.ts";
export { createClock } from "./clock.ts";
export { ListenError } from "./listening.ts";
export type { AskEdge, BridgePorts, Clock, Timers } from "./ports.ts";
export {
  type BridgeSettings,
  DEFAULTS,
  Fault,
  flagOf,
  READERS,
  readSetting,
  SETTING_NAMES,
  type SettingName,
} from "./settings.ts";
