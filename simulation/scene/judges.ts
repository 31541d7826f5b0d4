/** All judges of one world, put together. */
import type { Tally } from "../basics/tally.ts";
import { BridgeJudge } from "../model/bridge-judge.ts";
import { BudgetJudge } from "../model/budget-judge.ts";
import { CostJudge } from "../model/cost-judge.ts";
import type { ModelDirectory } from "../model/directory.ts";
import type { Generation } from "../model/generation.ts";
import { HttpJudge, type Token } from "../model/http-judge.ts";
import { Judge } from "../model/judge.ts";
import type { Named } from "../model/names.ts";
import type { Setup, Shape } from "../plan/plan.ts";

export interface JudgesParts {
  readonly model: ModelDirectory;
  readonly tally: Tally;
  readonly setup: Setup;
  readonly tokens: readonly Token[];
  readonly asked: ReadonlyMap<string, Named>;
  shapeOf(domain: string): Shape;
  partitionOf(domain: string): number;
  newerInKvSince(generation: Generation): number;
  now(): number;
  violation(assertion: string, words: string): void;
}

export class Judges {
  readonly answers: Judge;
  readonly http: HttpJudge;
  readonly bridges: BridgeJudge;
  readonly costs: CostJudge;
  readonly budgets: BudgetJudge;

  constructor(parts: JudgesParts) {
    const { setup, shapeOf } = parts;
    this.answers = new Judge(parts);
    this.http = new HttpJudge({ ...parts, judge: this.answers });
    this.bridges = new BridgeJudge({ ...parts, history: setup.history });
    this.budgets = new BudgetJudge(parts);
    this.costs = new CostJudge({
      ...parts,
      partitions: setup.partitions,
      domains: [...setup.domains, ...setup.exported],
      bitsOf: (domain) => shapeOf(domain).bits,
    });
  }
}
