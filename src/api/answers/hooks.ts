/** The answers to MTA hooks, and to their registration. */
import * as v from "valibot";
import {
  choice,
  flag,
  type Infer,
  kind,
  knownWord,
  listOf,
  named,
  open,
  text,
  texts,
  whole,
} from "../schema.ts";

/** What Stalwart's releases read. */
const ofStalwart = {
  action: knownWord("accept", "reject"),
  /** The SMTP reply of a reject, permanent or temporary. */
  response: v.exactOptional(
    open({
      status: whole,
      enhanced_status: text,
      enhancedStatus: text,
      message: text,
      disconnect: flag,
    }),
  ),
};

const hookReply = open({ code: whole, enhancedCode: text, message: text });
/** An SMTP reply as the draft has it, permanent or temporary. */
export type HookReply = Infer<typeof hookReply>;

const action = knownWord("reject");
/** A member of the client's request, and what it becomes. */
const change = {
  path: knownWord("/action", "/response"),
  value: choice<typeof action | typeof hookReply>([action, hookReply], (value) =>
    typeof value === "string" ? action : hookReply,
  ),
};
/** What clients of the draft read: changes, and none to accept. */
const ofDraft = { set: listOf(open(change)) };
/** The same as a JSON Patch (RFC 6902). */
const patchAnswer = listOf(open({ op: knownWord("add"), ...change }));

const stalwartAnswer = open(ofStalwart);
const draftAnswer = open(ofDraft);
/** To a request whose dialect cannot be told. */
const bothAnswer = open({ ...ofStalwart, ...ofDraft });

export const hookAnswer = named(
  "MtaHookAnswer",
  choice<typeof stalwartAnswer | typeof draftAnswer | typeof bothAnswer | typeof patchAnswer>(
    [stalwartAnswer, draftAnswer, bothAnswer, patchAnswer],
    (value) => {
      if (Array.isArray(value)) return patchAnswer;
      const { action, set } = Object(value) as Readonly<Record<string, unknown>>;
      if (set === undefined) return stalwartAnswer;
      return action === undefined ? draftAnswer : bothAnswer;
    },
  ),
);
export type HookAnswer = Infer<typeof hookAnswer>;

const nothing = kind<null>((value) => value === null, "must be null", { type: "null" });
const subscription = { stages: texts };

export const hookDiscovery = named(
  "MtaHookDiscovery",
  open({
    version: knownWord("1.0"),
    endpoints: open({ registration: text, deregistration: text }),
    serialization: texts,
    capabilities: open({
      inbound: open({ ...subscription, actions: texts, fetchProperties: texts, updateProperties: texts }),
      outbound: nothing,
    }),
    limits: nothing,
    extensions: nothing,
  }),
);
export type HookDiscovery = Infer<typeof hookDiscovery>;

export const hookRegistration = named(
  "MtaHookRegistration",
  open({
    registrationId: text,
    status: knownWord("active"),
    createdAt: v.nullable(text),
    /** It ends with the token. */
    expiresAt: nothing,
    hookEndpoint: text,
    negotiated: open({
      serialization: knownWord("json"),
      inbound: open({ ...subscription, properties: texts }),
      outbound: nothing,
    }),
    endpoints: open({ deregistration: text, status: text }),
  }),
);
export type HookRegistration = Infer<typeof hookRegistration>;

export const hookDeregistration = named(
  "MtaHookDeregistration",
  open({ registrationId: text, status: knownWord("deregistered"), deregisteredAt: text }),
);
export type HookDeregistration = Infer<typeof hookDeregistration>;
