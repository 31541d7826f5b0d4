import { runInDurableObject } from "cloudflare:test";
import { registryStub, testEnv } from "./edge.ts";

/** Gives the Registry other variables, as a deploy does. */
export const redeployRegistry = (variables: Readonly<Record<string, string>>): Promise<void> =>
  runInDurableObject(registryStub(), (object) => {
    Object.assign(object, { env: { ...testEnv, ...variables } });
  });

export const setPaused = (paused: boolean): Promise<void> =>
  redeployRegistry(paused ? { ROLLCALL_PAUSED: "true" } : {});
