import {
  MAX_PLAN_BODY,
  type PlannedDomain,
  type PlannedNames,
  type PlanRequest,
} from "../../api/contract.ts";
import { json, readJson } from "../http.ts";
import { onePartition, readCommitDomains, readSettings } from "./commits.ts";
import { type Route, readDomain, readNumber, readObject, readText, requireDomain, unwrap } from "./route.ts";

export const postPlan: Route = {
  method: "POST",
  path: "/v1/plans",
  roles: ["publish"],
  bound: "body",
  summary: "Ask what the guard would say of a commit; nothing is changed",
  body: "PlanRequest",
  answer: "PlanResult",
  errors: ["bad_request", "conflict", "timeout", "too_large", "unsupported_media_type"],
  async handle({ request, isolate, surroundings, caller }) {
    const plan = readPlan(await readJson(request, MAX_PLAN_BODY, isolate.ports.timers));
    const domains = plan.domains.map(({ domain }) => domain);
    for (const domain of domains) requireDomain(caller, domain);
    const partition = onePartition(isolate, domains, "plan");
    return json(unwrap(await surroundings.registry(partition).plan(plan)));
  },
};

/** @throws HttpError `bad_request`, saying where */
const readPlan = (value: unknown): PlanRequest => ({
  domains: readCommitDomains(readObject(value, "the body").domains, readPlanned),
});

function readPlanned(value: unknown, at: string): PlannedDomain {
  const it = readObject(value, at);
  return {
    domain: readDomain(it.domain),
    expect: readNumber(it.expect, `${at}.expect`),
    key_id: readText(it.key_id, `${at}.key_id`),
    canonicaliser: readNumber(it.canonicaliser, `${at}.canonicaliser`),
    ...(it.policy === undefined ? {} : { policy: readSettings(it.policy, at) }),
    accepted: readNumber(it.accepted, `${at}.accepted`),
    names: readNames(it.names, `${at}.names`),
  };
}

function readNames(value: unknown, at: string): PlannedNames {
  const { gone, back, accepted } = readObject(value, at);
  if (accepted !== undefined) return { accepted: readText(accepted, `${at}.accepted`) };
  return { gone: readText(gone, `${at}.gone`), back: readText(back, `${at}.back`) };
}
