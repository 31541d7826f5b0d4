import { runInDurableObject } from "cloudflare:test";
import { testEnv } from "./edge.ts";

/** Gives the Registry other variables, as a deploy does. */
export const redeployRegistry = (variables: Readonly<Record<string, string>>): Promise<void> =>
  runInDurableObject(testEnv.REGISTRY.getByName("registry 0"), (object) => {
    Object.assign(object, { env: { ...testEnv, ...variables } });
  });

export const setPaused = (paused: boolean): Promise<void> =>
  redeployRegistry(paused ? { ROLLCALL_PAUSED: "true" } : {});
