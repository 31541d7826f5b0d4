import { MAX_PLAN_BODY, type PlannedDomain, type PlannedNames } from "../../api/contract.ts";
import { json } from "../http.ts";
import { onePartition, readCommitDomains, readSettings } from "./commits.ts";
import {
  type Route,
  readBodyObject,
  readDomain,
  readNumber,
  readObject,
  readString,
  requireDomain,
  unwrap,
} from "./route.ts";

export const postPlan: Route = {
  method: "POST",
  path: "/v1/plans",
  roles: ["publish"],
  bound: "body",
  summary: "Ask what the guard would say of a commit; nothing is changed",
  body: "PlanRequest",
  answer: "PlanResult",
  errors: ["bad_request", "conflict", "timeout", "too_large", "unsupported_media_type"],
  async handle(call) {
    const { deployment, bindings, caller } = call;
    const { domains: planned } = await readBodyObject(call, MAX_PLAN_BODY, ["domains"]);
    const plan = { domains: readCommitDomains(planned, readPlanned) };
    const domains = plan.domains.map(({ domain }) => domain);
    for (const domain of domains) requireDomain(caller, domain);
    const partition = onePartition(deployment, domains, "plan");
    return json(unwrap(await bindings.registry(partition).plan(plan)));
  },
};

const DOMAIN_MEMBERS = ["domain", "expect", "key_id", "canonicaliser", "policy", "accepted", "names"];

function readPlanned(value: unknown, at: string): PlannedDomain {
  const it = readObject(value, at, DOMAIN_MEMBERS);
  return {
    domain: readDomain(it.domain),
    expect: readNumber(it.expect, `${at}.expect`),
    key_id: readString(it.key_id, `${at}.key_id`),
    canonicaliser: readNumber(it.canonicaliser, `${at}.canonicaliser`),
    ...(it.policy === undefined ? {} : { policy: readSettings(it.policy, at) }),
    accepted: readNumber(it.accepted, `${at}.accepted`),
    names: readNames(it.names, `${at}.names`),
  };
}

function readNames(value: unknown, at: string): PlannedNames {
  const { gone, back, accepted } = readObject(value, at, ["gone", "back", "accepted"]);
  if (accepted !== undefined) return { accepted: readString(accepted, `${at}.accepted`) };
  return { gone: readString(gone, `${at}.gone`), back: readString(back, `${at}.back`) };
}
