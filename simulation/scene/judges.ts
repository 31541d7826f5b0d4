/** All judges of one world, put together. */
import { BridgeJudge } from "../model/bridge-judge.ts";
import { BudgetJudge } from "../model/budget-judge.ts";
import { CostJudge } from "../model/cost-judge.ts";
import { HttpJudge, type HttpJudgeParts } from "../model/http-judge.ts";
import { Judge, type JudgeParts } from "../model/judge.ts";
import type { Setup, Shape } from "../plan/plan.ts";

export interface JudgesParts extends JudgeParts, Omit<HttpJudgeParts, "judge"> {
  readonly setup: Setup;
  shapeOf(domain: string): Shape;
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
