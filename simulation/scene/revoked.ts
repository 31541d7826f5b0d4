/** Once faults have stopped: a revoked token is refused in every partition, by isolates that ask it alone. */
import { Random } from "../../testing/random.ts";
import { type Named, written } from "../model/names.ts";
import { SECOND } from "../plan/plan.ts";
import type { Scene } from "./scene.ts";
import { checkRequest } from "./traffic.ts";

export async function probeRevoked(scene: Scene): Promise<void> {
  const { model, time } = scene;
  const served = model.all.filter(({ head }) => head !== undefined && head.deletedUntil === null);
  const revoked = scene.tokens.filter(
    ({ role, revokedAt }) => role === "check" && revokedAt !== Number.POSITIVE_INFINITY,
  );
  for (let partition = 0; partition < scene.plan.setup.partitions; partition++) {
    const domain = served.find((it) => scene.partitionOf(it.domain) === partition)?.domain;
    if (domain === undefined) continue;
    for (const { token } of revoked) {
      await probe(scene, domain, token);
      if (scene.violations.length > 0) return;
      await time.advance(SECOND);
    }
  }
}

/** A cold isolate may accept once, before it has asked; its second answer is judged as one that was told. */
async function probe(scene: Scene, domain: string, token: string): Promise<void> {
  const { time, plan, judges } = scene;
  const host = scene.isolate(
    plan.setup.locations[0] as string,
    {},
    new Random(plan.seed, "revoked", domain, token),
  );
  host.bursts++;
  const named: Named = { domain, name: { base: "u0", form: "plain" } };
  const recipient = written(named);
  scene.asked.set(recipient, named);
  for (let i = 0; i < 2; i++) {
    const asked = JSON.stringify({ recipient });
    const request = checkRequest(token, asked);
    const { response, moments } = await time.run(host.fetch(request));
    const body = await time.run(response.text());
    judges.http.judge(host, { request, asked, status: response.status, body }, moments);
    await time.advance(SECOND);
  }
  scene.tally.event("revoked token asked in one partition");
  host.die();
}
