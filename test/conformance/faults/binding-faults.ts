/** The faults of a service binding of Rollcall: its own, and what stands there for those of an edge asked over HTTP. */
import { join } from "node:path";
import type { startEmailWorkers } from "../../../integrations/email-workers/entry.ts";
import { FAULTS } from "./faults.ts";
import type { Trouble } from "./workers/trouble.ts";

/** What becomes of a message to a recipient of each kind of KIND_TITLES, in their order. Null: there is no such case. */
export type Outcomes = readonly (string | null)[];

const FORWARDED = "forwarded";
const REFUSED = "refused";
const DEFERRED = "deferred";

export interface BindingFault {
  readonly name: string;
  /** Names of the faults over HTTP that it stands for. */
  readonly standsFor?: readonly string[];
  readonly trouble?: Omit<Trouble, "isolate" | "ahead">;
  /** It is a property of a deployment: what {@link startEmailWorkers} is told. */
  readonly deployment?: NonNullable<Parameters<typeof startEmailWorkers>[0]>;
  readonly sees: Outcomes;
  /** How long after their answers the recipients that were asked before are asked again, ms; past the window if left out. */
  readonly after?: number;
  /** Whether the answer has to wait for a timeout. */
  readonly takesTime?: boolean;
  /** Whether it is tried without ROLLCALL_FULL=1, too. */
  readonly isSample?: boolean;
}

/** What a deployment that was well before sees of an answer that is none. */
const ALL_DEFERRED: Outcomes = [DEFERRED, DEFERRED, DEFERRED, DEFERRED, DEFERRED];
/** The same for a deployment that never was. */
const NEW_DEFERRED: Outcomes = [null, null, null, DEFERRED, DEFERRED];
/** Law 2 without the Registry: an accept may be old. */
const WITHOUT_REGISTRY: Outcomes = [FORWARDED, REFUSED, DEFERRED, FORWARDED, DEFERRED];
const NOTHING_LOST: Outcomes = [FORWARDED, REFUSED, REFUSED, FORWARDED, REFUSED];

const answering = (
  name: string,
  standsFor: readonly string[],
  more: Pick<BindingFault, "takesTime" | "isSample"> = {},
): BindingFault => ({
  name: `Rollcall: ${name}`,
  standsFor: standsFor.map((each) => `edge: ${each}`),
  trouble: { answer: name },
  sees: ALL_DEFERRED,
  ...more,
});

const answers: readonly BindingFault[] = [
  answering("never answers", ["hangs before the answer"], { takesTime: true }),
  answering("answers after a minute", ["drips the answer, which takes a minute"], { takesTime: true }),
  answering("throws", ["429", "500", "502", "503"], { isSample: true }),
  answering("is ended within the call", ["resets the connection"]),
  answering("returns nothing", ["204, nothing"]),
  answering("returns an empty list", []),
  answering("returns a text instead of a list", ["HTML"], { isSample: true }),
  answering("returns answers without their replies", ["half a JSON"]),
  answering("returns an answer of 64 MB", ["an answer of 64 MB"]),
  answering("returns an unknown verdict", ["an unknown verdict"], { isSample: true }),
  answering("returns an accept with an unknown verdict", []),
  answering("returns an accept with a verdict that refuses", []),
  answering("returns a refusal with a verdict that accepts", []),
  answering("returns an unknown action", ["an unknown action"]),
  answering("returns a reply that means something else", ["a reply that means something else"]),
  answering("returns an answer about another recipient", ["another recipient"]),
  answering("fails each call in another way", ["another fault for each request"]),
];

/** A Worker with the name of Rollcall's and an entrypoint with the name of its own, which does not have the method. */
const WITHOUT_METHOD = { main: join(import.meta.dirname, "workers", "without-method.ts") };

const deployments: readonly BindingFault[] = [
  {
    name: "the Email Worker has no binding",
    standsFor: ["edge: refuses connections"],
    deployment: { rollcall: null },
    sees: NEW_DEFERRED,
    isSample: true,
  },
  {
    name: "the bound Worker has no method `check`",
    standsFor: ["edge: 404"],
    deployment: { rollcall: WITHOUT_METHOD },
    sees: NEW_DEFERRED,
  },
  {
    name: "Rollcall was deployed without its master key",
    deployment: { secrets: { ROLLCALL_MASTER_KEY: "" } },
    sees: NEW_DEFERRED,
  },
  {
    name: "Rollcall was deployed with another master key",
    trouble: { vars: { ROLLCALL_MASTER_KEY: Buffer.alloc(32, 7).toString("base64url") } },
    sees: NEW_DEFERRED,
    isSample: true,
  },
  {
    name: "Rollcall is paused",
    trouble: { vars: { ROLLCALL_PAUSED: "true" } },
    sees: [null, null, null, FORWARDED, DEFERRED],
    isSample: true,
  },
];

const DAYS = 86_400_000;

const platform: readonly BindingFault[] = [
  { name: "the Registry fails", trouble: { registry: "throws" }, sees: WITHOUT_REGISTRY, isSample: true },
  {
    name: "the Registry is silent",
    trouble: { registry: "silent" },
    sees: WITHOUT_REGISTRY,
    takesTime: true,
  },
  {
    name: "the Registry has lost its storage",
    trouble: { registry: "lost" },
    sees: WITHOUT_REGISTRY,
    isSample: true,
  },
  { name: "KV fails", trouble: { kv: "throws" }, sees: NOTHING_LOST, isSample: true },
  { name: "KV is silent", trouble: { kv: "silent" }, sees: NOTHING_LOST, takesTime: true },
  {
    name: "the Registry and KV fail",
    trouble: { registry: "throws", kv: "throws" },
    sees: [FORWARDED, REFUSED, DEFERRED, DEFERRED, DEFERRED],
    isSample: true,
  },
  {
    name: "the Registry and KV are silent",
    trouble: { registry: "silent", kv: "silent" },
    sees: [FORWARDED, REFUSED, DEFERRED, DEFERRED, DEFERRED],
    takesTime: true,
  },
  // The last one: the clock stays ahead.
  {
    name: "the Registry fails for longer than accept-grace",
    trouble: { registry: "throws" },
    after: 8 * DAYS,
    sees: [DEFERRED, REFUSED, DEFERRED, DEFERRED, DEFERRED],
    isSample: true,
  },
];

export const BINDING_FAULTS: readonly BindingFault[] = [...answers, ...deployments, ...platform];

const NO_TOKEN = "a binding has no token, and nothing stands between two Workers of an account";
const WHOLE = "the platform hands over a whole return value, or an exception";
const NO_TLS = "there is no certificate between two Workers of an account";

/** Faults over HTTP that a service binding does not have, and why. */
export const NOT_ON_A_BINDING: Readonly<Record<string, string>> = {
  "edge: hangs within the answer": WHOLE,
  "edge: resets within the answer": WHOLE,
  "edge: 301 to another place": "a call cannot be redirected",
  "edge: 401": NO_TOKEN,
  "edge: 403": NO_TOKEN,
  "edge: 403, a bot filter's page": NO_TOKEN,
  "edge: TLS certificate, wrong name": NO_TLS,
  "edge: TLS certificate, expired": NO_TLS,
  "edge: TLS certificate, unknown authority": NO_TLS,
  "edge: its name is not found (DNS)": "a binding names a Worker of the account, not a host",
  ...Object.fromEntries(
    FAULTS.filter(({ name }) => name.startsWith("bridge: ")).map(({ name }) => [name, "there is no bridge"]),
  ),
};
