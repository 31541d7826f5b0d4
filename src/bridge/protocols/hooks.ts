/** MTA Hooks. They come over HTTP, so Node's own server reads them, and not a parser of ours. */
export const HOOKS = {
  /** Names the setting, the flag, the label in metrics and the page in docs/bridge/. */
  name: "hooks",
  about: "MTA Hooks over HTTP, as Stalwart sends them",
} as const;
