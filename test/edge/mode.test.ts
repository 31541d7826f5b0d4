/* PATCH /v1/domains/{domain}/mode: what the isolate through which it passed answers afterwards. */
import { expect, it } from "vitest";
import type { HeadResult } from "../../src/api/index.ts";
import type { Answer } from "../../src/directory/index.ts";
import { callJson, freshEnv, publish } from "./support/edge.ts";

const env = freshEnv();

it("a mode that the list has already is no new head, though other domains were published since", async () => {
  const generation = await publish(env, "first.example", ["alice"]);
  await publish(env, "second.example", ["alice"]);
  const { mode } = await callJson<{ mode: "enforce" }>(env, "/v1/domains/first.example");
  const head = await callJson<HeadResult>(env, "/v1/domains/first.example/mode", {
    method: "PATCH",
    json: { mode, note: "as it is" },
  });
  expect(head).toEqual({ domain: "first.example", generation });
  const answers = await callJson<{ results: Answer[] }>(env, "/v1/rcpt", {
    json: ["alice@first.example", "nobody@first.example"],
  });
  expect(answers.results.map(({ verdict }) => verdict)).toEqual(["deliverable", "unknown"]);
});
