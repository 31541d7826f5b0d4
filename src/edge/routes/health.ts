import type { Health } from "../../api/contract.ts";
import { VERSION } from "../../api/version.ts";
import { json } from "../http.ts";
import type { Route } from "./route.ts";

export const showHealth: Route = {
  method: "GET",
  path: "/healthz",
  roles: "anyone",
  bound: "none",
  summary: "Tell whether this deployment is configured",
  answer: "Health",
  errors: [],
  answersWith503: true,
  // A deployment that is not configured has no routes; see serveUnconfigured.
  handle: async () => health("ok", []),
};

/** The health of a deployment; 503 where it cannot work. */
export function health(status: Health["status"], faults: readonly string[]): Response {
  return json({ status, version: VERSION, faults } satisfies Health, status === "ok" ? 200 : 503);
}
