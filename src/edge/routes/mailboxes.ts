import { idempotencyKey, type MailboxesRequest } from "../../api/index.ts";
import {
  CANONICALISER_VERSION,
  ENTRY_STATES,
  fingerprint,
  fingerprintIn,
  isAcceptedState,
  isPattern,
  listedName,
  type ManifestRecord,
  type OtherWays,
  otherWays,
  type SingleChange,
  sentinels,
  toHex,
  UNLISTED,
  utf8,
} from "../../directory/index.ts";
import type { MailboxChanges } from "../../registry/index.ts";
import type { Deployment } from "../deployment.ts";
import { HttpError } from "../http.ts";
import { readMessage } from "./body.ts";
import { acknowledge, headOf } from "./domains.ts";
import { badRequest, type Handler, reachOf, registryOf, unwrap } from "./route.ts";

/** How often the fingerprints are made again because key or policy of the list changed meanwhile. */
const TRIES = 3;

/**
 * Changes single mailboxes. The Registry gets fingerprints and never addresses (law 6), and checks in its transaction
 * that they were made under what the head is made under.
 */
export const patchMailboxes: Handler<"patchMailboxes"> = async (call) => {
  const { body, params, caller, deployment, request } = call;
  const { domain } = params;
  const sent = request.headers.get("Idempotency-Key");
  const idempotency =
    sent === null
      ? null
      : { key: readMessage(idempotencyKey, sent, "Idempotency-Key"), digest: digestOf(deployment, body) };
  for (let attempt = 1; ; attempt++) {
    const { places, ...changes } = changesFor(deployment, await headOf(call, domain), body);
    const result = await registryOf(call, domain).patch(
      { ...changes, idempotency },
      caller.id,
      reachOf(caller),
    );
    if (!result.ok && result.error.code === "conflict" && attempt < TRIES) continue;
    const changed = unwrap(result.ok ? result : { ...result, error: inRequest(result.error, places) });
    const named = { ...changed, result: inRequest(changed.result, places) };
    const { generation } = named.result;
    return acknowledge(deployment, deployment.reader.partitionOf(domain), { [domain]: generation }, named);
  }
};

/** @throws HttpError `conflict` or `bad_request` */
function changesFor(
  deployment: Deployment,
  { domain, epoch, keyId, policy, patterns }: ManifestRecord,
  { set = [], remove = [], force = false, now = false }: MailboxesRequest,
): Omit<MailboxChanges, "idempotency"> & { readonly places: readonly number[] } {
  const key = deployment.keyFor(domain, epoch);
  if (key.id !== keyId) {
    throw new HttpError(
      "conflict",
      `the list of ${domain} is made under key ${keyId} and the edge has ${key.id}: publish the list again`,
      { domain },
    );
  }
  const changes = new Map<string, SingleChange>();
  const otherwise: (OtherWays | null)[] = [];
  const places: number[] = [];
  /** Whether names must be in the list, or must not. */
  const conditions = new Map<string, boolean>();
  const change = (
    member: string,
    i: number,
    recipient: string,
    state: number,
    mustBeListed?: boolean,
  ): void => {
    const where = member.replace("#", String(i));
    const name = listedName(recipient, domain, policy);
    if (name === null) throw badRequest(`${where}: the policy has a catch-all, which is no mailbox`);
    if (typeof name !== "string") throw badRequest(`${where}: ${name.fault}`);
    if (isPattern(name)) {
      throw badRequest(
        `${where}: a pattern, which only a publish can change; write \\* for an asterisk itself`,
      );
    }
    const print = fingerprintIn(fingerprint(key.names, name));
    const id = toHex(print);
    if ((changes.get(id)?.[1] ?? state) !== state) {
      throw badRequest(`${where}: the same mailbox is named before, with another state`);
    }
    if (!changes.has(id)) {
      places.push(i);
      // The Registry looks whether the head accepts the name without listing it.
      const isSuspension = state !== UNLISTED && !isAcceptedState(state);
      otherwise.push(isSuspension ? otherWays(key, name, policy, patterns !== null) : null);
    }
    changes.set(id, [print, state]);
    if (mustBeListed === undefined) return;
    if ((conditions.get(id) ?? mustBeListed) !== mustBeListed) {
      throw badRequest(`${where}: the same mailbox is named before, with another "listed"`);
    }
    conditions.set(id, mustBeListed);
  };
  set.forEach(({ recipient, state, listed }, i) => {
    change("set[#].recipient", i, recipient, ENTRY_STATES.indexOf(state), listed);
  });
  remove.forEach((recipient, i) => {
    change("remove[#]", i, recipient, UNLISTED);
  });
  const those = (listed: boolean): number[] =>
    [...changes.keys()].flatMap((id, i) => (conditions.get(id) === listed ? [i] : []));
  const [mustBeListed, mustBeNew] = [those(true), those(false)];
  return {
    domain,
    keyId,
    canonicaliser: CANONICALISER_VERSION,
    sentinels: sentinels(key.names, policy),
    changes: [...changes.values()],
    otherwise,
    ...(mustBeListed.length === 0 ? {} : { mustBeListed }),
    ...(mustBeNew.length === 0 ? {} : { mustBeNew }),
    places,
    force,
    atOnce: now,
  };
}

/** Positions as the request has them, of positions among its changes. */
function inRequest<T extends { readonly unlisted?: readonly number[]; readonly listed?: readonly number[] }>(
  said: T,
  places: readonly number[],
): T {
  const { unlisted, listed } = said;
  const place = (i: number): number => places[i] as number;
  return {
    ...said,
    ...(unlisted === undefined ? {} : { unlisted: unlisted.map(place) }),
    ...(listed === undefined ? {} : { listed: listed.map(place) }),
  };
}

/** Identifies a body to the Registry without its addresses (law 6), and the same after a change of the domain's key. */
const digestOf = ({ tokenMac }: Deployment, body: MailboxesRequest): string =>
  toHex(tokenMac(utf8(`idempotency ${JSON.stringify(body)}`)));
