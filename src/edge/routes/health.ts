import { type Health, VERSION } from "../../api/index.ts";
import { json } from "../http.ts";
import type { Handler } from "./route.ts";

/** A deployment that is not configured has no routes; see serveUnconfigured. */
export const showHealth: Handler<"showHealth"> = async () => health("ok", []);

/** The health of a deployment; 503 if it cannot work. */
export function health(status: Health["status"], faults: readonly string[]): Response {
  return json({ status, version: VERSION, faults } satisfies Health, status === "ok" ? 200 : 503);
}
