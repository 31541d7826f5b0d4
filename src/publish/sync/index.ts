/** `rollcall sync`: publishing from cron, timers and a service. */
export * from "./sync-domains.ts";
export * from "./sync-metrics.ts";
export * from "./sync-status.ts";
export * from "./watch.ts";
