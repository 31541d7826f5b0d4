/**
 * The Rollcall Worker as it is, whose platform a test can break: `PUT /trouble` takes a {@link Trouble}. Other requests,
 * such as those that publish, are served by an isolate of their own, to which nothing happens.
 */
import type { Answer } from "../../../../src/directory/index.ts";
import rollcall, {
  RecipientCheck as Check,
  type Env,
  Registry as Untroubled,
} from "../../../../src/edge/worker.ts";
import { ANSWER_FAULTS } from "./answer-faults.ts";
import type { Away, Trouble } from "./trouble.ts";

let trouble: Trouble = { isolate: "first", ahead: 0 };

const clock = Date.now.bind(Date);
Date.now = () => clock() + trouble.ahead;

const MINUTE = 60_000;

/** An operation of something that may be away. */
async function within<T>(away: Away | undefined, operation: () => Promise<T>): Promise<T> {
  if (away === "throws") throw new Error("the platform has an internal error");
  if (away === "silent") await scheduler.wait(MINUTE);
  return operation();
}

/** The same object, whose methods fail while `away` says so. */
function failing<T extends object>(target: T, away: () => Away | undefined): T {
  return new Proxy(target, {
    get: (it, name) => {
      const method = Reflect.get(it, name) as (...args: unknown[]) => Promise<unknown>;
      return (...args: unknown[]) => within(away(), () => Reflect.apply(method, it, args));
    },
  });
}

const LOST = ", whose storage is lost";

/** The Registries of this Worker. A lost one is another object, which was never initialised. */
function registries(real: Env["REGISTRY"]): Env["REGISTRY"] {
  const away = (): Away | undefined => trouble.registry;
  return {
    idFromName: (name: string) => real.idFromName(away() === "lost" ? name + LOST : name),
    get: (id: DurableObjectId) => failing(real.get(id) as object, away),
  } as unknown as Env["REGISTRY"];
}

/** An isolate's memory belongs to its bindings. */
const isolates = new Map<string, Env>();

function bindingsOf(env: Env): Env {
  const present = isolates.get(trouble.isolate);
  if (present !== undefined) return present;
  const made: Env = {
    ...env,
    ...trouble.vars,
    ROLLCALL_KV: failing(env.ROLLCALL_KV, () => trouble.kv),
    REGISTRY: registries(env.REGISTRY),
  };
  isolates.set(trouble.isolate, made);
  return made;
}

export class RecipientCheck extends Check {
  constructor(context: ExecutionContext, env: Env) {
    super(context, bindingsOf(env));
  }

  override async check(recipients: readonly string[]): Promise<readonly Answer[]> {
    const fail = ANSWER_FAULTS[trouble.answer ?? ""];
    const truth = await super.check(recipients);
    return fail === undefined ? truth : ((await fail(truth, this.ctx)) as readonly Answer[]);
  }
}

/** The Registry of a deployment has its variables, too. */
export class Registry extends Untroubled {
  constructor(context: DurableObjectState, env: Env) {
    super(
      context,
      new Proxy(env, {
        get: (it, name: keyof Env & string) => trouble.vars?.[name] ?? Reflect.get(it, name),
      }),
    );
  }
}

export default {
  async fetch(request, env, context): Promise<Response> {
    if (new URL(request.url).pathname !== "/trouble") return rollcall.fetch(request, env, context);
    trouble = await request.json<Trouble>();
    return new Response(null, { status: 204 });
  },
} satisfies ExportedHandler<Env>;
