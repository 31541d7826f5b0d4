/** Tokens: the administrator creates and revokes them. */

import { clientOf } from "../../testing/client.ts";
import type { Random } from "../../testing/random.ts";
import type { Token } from "../model/http-judge.ts";
import type { Scene } from "./scene.ts";

export async function createToken(scene: Scene, random: Random, role: "check" | "publish"): Promise<void> {
  const fetch = scene.network.from(random.pick(scene.plan.setup.locations));
  const client = clientOf(scene.time, fetch, scene.adminToken);
  try {
    const domains = role === "check" ? null : [...scene.plan.setup.domains];
    const { id, token } = await client.createToken({ role, domains });
    scene.tokens.push({ id, token, role, domains, revokedAt: Number.POSITIVE_INFINITY });
  } catch {
    scene.tally.event("token not created");
  }
}

/** Revokes a token of a check or a publisher. */
export async function revoke(scene: Scene, random: Random): Promise<void> {
  const token = scene.tokens.find((it) => it.role !== "replica" && it.revokedAt === Number.POSITIVE_INFINITY);
  if (token !== undefined) await revokeToken(scene, random, token);
}

/** Revokes a token; one that may publish must not any more. */
export async function revokeToken(scene: Scene, random: Random, token: Token): Promise<void> {
  const fetch = scene.network.from(random.pick(scene.plan.setup.locations));
  const begun = scene.time.now();
  try {
    await clientOf(scene.time, fetch, scene.adminToken).revokeToken(token.id);
    // What was lost meanwhile may have held the only record of it.
    if (scene.lostAt >= begun) return;
    token.revokedAt = scene.time.now();
    scene.trace(() => `token ${token.id} is revoked`);
  } catch {
    scene.tally.event("revocation failed");
    return;
  }
  if (token.role !== "publish") return;
  // A route that reaches the Registry holds it at once.
  const domain = random.pick(scene.plan.setup.domains);
  for (let i = 0; i < 3; i++) {
    const client = clientOf(scene.time, fetch, token.token);
    try {
      await client.key(domain);
      scene.violation("revocation", `a publish token was used after its revocation`);
    } catch {
      await scene.time.sleep(5_000);
    }
  }
}
