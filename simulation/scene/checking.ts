import type { Answer } from "../../src/directory/index.ts";
import { type Named, written } from "../model/names.ts";
import type { SimulatedIsolate } from "../world/isolate.ts";
import type { Scene } from "./scene.ts";

/** Asks an isolate about one recipient, and has its answer judged. */
export async function check(scene: Scene, host: SimulatedIsolate, named: Named): Promise<Answer> {
  const answer = await scene.time.run(Promise.resolve(host.check({ recipient: written(named) })));
  scene.judges.answers.judge({ ...named, host, answer, floor: 0 }, [host.moment()]);
  return answer;
}
