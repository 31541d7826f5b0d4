/**
 * Discovery and registration of MTA Hooks as draft-degennaro-mta-hooks-01 has them. Every registration is the same, so
 * nothing of it is stored: the token alone decides who may ask.
 */
import * as v from "valibot";
import type { HookDeregistration, HookDiscovery, HookRegistration } from "./answers/hooks.ts";
import { kind, named, oneOf, open } from "./schema.ts";

export const HOOK_PATH = "/v1/hooks/mta";
export const REGISTRATION_PATH = "/v1/hooks/registrations";

/** Recipients are checked at this stage, from these members of a request. */
const STAGES = ["rcpt"];
const PROPERTIES = ["/stage", "/action", "/envelope"];

const hasAll = (wanted: readonly string[], value: unknown): boolean =>
  Array.isArray(value) && wanted.every((each) => value.includes(each));

/** What a mail server offers. Whether it asks for more is its own affair: it learns what was agreed on. */
export const registrationRequest = named(
  "MtaHookRegistrationRequest",
  open({
    serialization: oneOf("json"),
    inbound: open({
      stages: kind((value) => hasAll(STAGES, value), "must have rcpt: recipients are checked there", {
        type: "array",
        contains: { const: "rcpt" },
      }),
      properties: v.exactOptional(
        kind(
          (value) => value === null || hasAll(PROPERTIES, value),
          `must be null, or have ${PROPERTIES.join(", ")}`,
          { type: ["array", "null"] },
        ),
      ),
    }),
    filter: v.exactOptional(
      kind((value) => value === null, "must be null: filters are not supported", { type: "null" }),
    ),
  }),
);

export const HOOK_DISCOVERY: HookDiscovery = {
  version: "1.0",
  endpoints: {
    registration: REGISTRATION_PATH,
    deregistration: `${REGISTRATION_PATH}/{registration_id}`,
  },
  serialization: ["json"],
  capabilities: {
    inbound: {
      stages: STAGES,
      actions: ["accept", "reject"],
      fetchProperties: PROPERTIES,
      updateProperties: ["/action", "/response"],
    },
    outbound: null,
  },
  limits: null,
  extensions: null,
};

/** @param createdAt null where that is not known, since nothing is stored */
export function hookRegistration(registrationId: string, createdAt: string | null): HookRegistration {
  const path = `${REGISTRATION_PATH}/${registrationId}`;
  return {
    registrationId,
    status: "active",
    createdAt,
    expiresAt: null,
    hookEndpoint: HOOK_PATH,
    negotiated: {
      serialization: "json",
      inbound: { stages: STAGES, properties: PROPERTIES },
      outbound: null,
    },
    endpoints: { deregistration: path, status: path },
  };
}

export const hookDeregistration = (registrationId: string, deregisteredAt: string): HookDeregistration => ({
  registrationId,
  status: "deregistered",
  deregisteredAt,
});
