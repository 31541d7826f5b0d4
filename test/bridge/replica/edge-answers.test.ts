import { beforeEach, describe, expect, it } from "vitest";
import { EdgeAnswers } from "../../../src/bridge/replica/edge-answers.ts";

const A = "a.example";
const B = "b.example";
const state = (incarnation: number, generation: number) => ({ incarnation, generation });

let answers: EdgeAnswers;
beforeEach(() => {
  answers = new EdgeAnswers();
});

describe("what the edge said of a domain", () => {
  it("is its newest state, whatever comes later", () => {
    expect(answers.state(A)).toBeNull();
    for (const [incarnation, generation] of [
      [1, 7],
      [1, 9],
      [1, 8],
      [2, 3],
      [1, 99],
    ] as const)
      answers.noteState(A, state(incarnation, generation));
    expect(answers.state(A)).toEqual(state(2, 3));
    expect(answers.state(B)).toBeNull();
  });

  it("excludes whom the edge did not accept, until it does, or until the list here is as new", () => {
    answers.exclude(A, "early@a.example", state(1, 7));
    expect(answers.isExcluded(A, "early@a.example")).toBe(false);
    answers.noteState(A, state(1, 7));
    answers.exclude(A, "x@a.example", state(1, 7));
    answers.exclude(A, "y@a.example", state(1, 7));
    answers.include(A, "y@a.example");
    answers.include(B, "x@a.example");
    expect(["x", "y", "z"].map((local) => answers.isExcluded(A, `${local}@a.example`))).toEqual([
      true,
      false,
      false,
    ]);
    answers.settle(A, state(1, 6));
    expect(answers.isExcluded(A, "x@a.example")).toBe(true);
    answers.settle(A, state(1, 7));
    expect(answers.isExcluded(A, "x@a.example")).toBe(false);
    expect(answers.state(A)).toBeNull();
  });

  it("excludes everybody of a domain past its bounds, and nobody of another", () => {
    answers.noteState(A, state(1, 7));
    answers.noteState(B, state(1, 7));
    answers.exclude(B, "x@b.example", state(1, 7));
    for (let i = 0; i < 9_999; i++) answers.exclude(A, `n${i}@a.example`, state(1, 7));
    expect(answers.isExcluded(A, "somebody@a.example")).toBe(false);
    answers.exclude(A, "n0@a.example", state(1, 7));
    expect(answers.isExcluded(A, "somebody@a.example")).toBe(false);
    answers.exclude(A, "last@a.example", state(1, 7));
    expect(answers.isExcluded(A, "somebody@a.example")).toBe(true);
    // There is room again for others, and a list that is as new ends it.
    answers.exclude(A, "one-more@a.example", state(1, 7));
    for (let i = 0; i < 9_000; i++) answers.exclude(B, `n${i}@b.example`, state(1, 7));
    expect(answers.isExcluded(B, "somebody@b.example")).toBe(false);
    answers.settle(A, state(1, 8));
    expect(answers.isExcluded(A, "somebody@a.example")).toBe(false);
  });

  it("excludes from another list that is older still whom the one before did not accept either", () => {
    answers.noteState(A, state(1, 9));
    answers.exclude(A, "x@a.example", state(1, 7));
    answers.exclude(A, "y@a.example", state(1, 9));
    answers.exclude(A, "z@a.example", state(1, 9));
    for (const local of ["x", "y"]) answers.setAside(A, `${local}@a.example`);
    answers.setAside(A, "nobody@a.example");
    answers.setAside(B, "z@a.example");
    const excluded = () => ["x", "y", "z"].filter((local) => answers.isExcluded(A, `${local}@a.example`));
    expect(excluded()).toEqual(["z"]);
    // What was said in its own state, or before, is part of it.
    answers.settle(A, state(1, 7));
    expect(excluded()).toEqual(["y", "z"]);
    answers.setAside(A, "y@a.example");
    answers.include(A, "y@a.example");
    answers.settle(A, state(1, 8));
    expect(excluded()).toEqual(["z"]);
    answers.settle(A, state(1, 9));
    expect(excluded()).toEqual([]);
  });

  it("forgets those first whom no list here accepts: then it excludes everybody from the next list that is older", () => {
    for (const domain of [A, B]) {
      answers.noteState(domain, state(1, 9));
      answers.exclude(domain, `x@${domain}`, state(1, 9));
    }
    const flood = (domain: string, count: number) => {
      for (let i = 0; i < count; i++) {
        answers.exclude(domain, `n${i}@${domain}`, state(1, 9));
        answers.setAside(domain, `n${i}@${domain}`);
      }
    };
    const excludesAll = () => [A, B].map((domain) => answers.isExcluded(domain, "somebody"));
    flood(A, 30_000);
    flood(B, 30_000);
    expect(excludesAll()).toEqual([false, false]);
    expect(answers.isExcluded(A, `x@${A}`)).toBe(true);
    answers.settle(A, state(1, 8));
    expect(excludesAll()).toEqual([true, false]);
    // There is room for those whom the other list accepts, at the cost of those that it does not.
    for (let i = 0; i < 9_000; i++) answers.exclude(B, `m${i}@${B}`, state(1, 9));
    expect(excludesAll()).toEqual([true, false]);
    answers.settle(B, state(1, 8));
    expect(excludesAll()).toEqual([true, true]);
  });

  it("excludes by what the edge said last, though the list here did not accept the recipient before", () => {
    answers.noteState(A, state(1, 9));
    answers.exclude(A, "x@a.example", state(1, 7));
    answers.setAside(A, "x@a.example");
    answers.exclude(A, "x@a.example", state(1, 9));
    answers.settle(A, state(1, 8));
    expect(answers.isExcluded(A, "x@a.example")).toBe(true);
  });

  /** Excludes so many of B. @returns whether it is still known whom */
  const fill = (count: number): boolean => {
    answers.noteState(B, state(1, 9));
    for (let i = 0; i < count; i++) answers.exclude(B, `n${i}@b.example`, state(1, 9));
    return !answers.isExcluded(B, "somebody@b.example");
  };
  const expectAllRoom = (): void => expect([fill(10_000), fill(10_001)]).toEqual([true, false]);

  it.each<[string, () => void]>([
    [
      "the edge accepts them",
      () => {
        for (let i = 0; i < 6_000; i++) answers.include(A, `n${i}@a.example`);
      },
    ],
    ["the list here is as new", () => answers.settle(A, state(1, 9))],
    ["another list here is as new as what was said of them", () => answers.settle(A, state(1, 7))],
    ["it is not known any more who they are", () => answers.excludeAll(A)],
    [
      "the list here does not accept them, and a list as new comes",
      () => {
        for (let i = 0; i < 6_000; i++) answers.setAside(A, `n${i}@a.example`);
        answers.settle(A, state(1, 9));
      },
    ],
    [
      "they are forgotten twice",
      () => {
        answers.excludeAll(A);
        answers.settle(A, state(1, 9));
      },
    ],
  ])("those who were excluded leave their room, and no more, if %s", (_, leave) => {
    answers.noteState(A, state(1, 9));
    for (let i = 0; i < 6_000; i++) answers.exclude(A, `n${i}@a.example`, state(1, 7));
    leave();
    expectAllRoom();
  });

  it("excludes everybody if it is heard that somebody is excluded, and not who, until a list as new is here", () => {
    answers.excludeAll(A);
    expect([answers.isExcluded(A, "x@a.example"), answers.takeChanged()]).toEqual([false, null]);
    answers.noteState(A, state(1, 9));
    answers.takeChanged();
    answers.excludeAll(A);
    expect(answers.takeChanged()).toEqual([[A, 1, 9, 1]]);
    answers.exclude(A, "x@a.example", state(1, 9));
    answers.setAside(A, "x@a.example");
    answers.settle(A, state(1, 8));
    expect(answers.isExcluded(A, "somebody@a.example")).toBe(true);
    answers.settle(A, state(1, 9));
    expect(answers.isExcluded(A, "somebody@a.example")).toBe(false);
  });

  it("excludes everybody once there is no room, though those whom the list does not accept were forgotten first", () => {
    answers.noteState(A, state(1, 9));
    for (let i = 0; i <= 10_000; i++) {
      answers.exclude(A, `n${i}@a.example`, state(1, 9));
      answers.setAside(A, `n${i}@a.example`);
    }
    expect(answers.isExcluded(A, "somebody@a.example")).toBe(false);
    // Nobody is left, but it is not known any more whom the next list may accept.
    expect(answers.takeChanged()).toEqual([[A, 1, 9, 1]]);
    for (let i = 0; i <= 10_000; i++) answers.exclude(A, `m${i}@a.example`, state(1, 9));
    expect(answers.isExcluded(A, "somebody@a.example")).toBe(true);
  });

  it("takes a million characters, and not one more", () => {
    answers.noteState(A, state(1, 7));
    for (let i = 0; i < 500; i++) answers.exclude(A, `${i}`.padStart(2_000, "x"), state(1, 7));
    expect(answers.isExcluded(A, "somebody@a.example")).toBe(false);
    answers.exclude(A, "y", state(1, 7));
    expect(answers.isExcluded(A, "somebody@a.example")).toBe(true);
  });

  it("counts long recipients by their characters", () => {
    answers.noteState(A, state(1, 7));
    for (let i = 0; i < 500; i++) answers.exclude(A, `${"x".repeat(1_980)}${i}@a.example`, state(1, 7));
    expect(answers.isExcluded(A, "somebody@a.example")).toBe(false);
    for (let i = 0; i < 10; i++) answers.exclude(A, `${"y".repeat(1_980)}${i}@a.example`, state(1, 7));
    expect(answers.isExcluded(A, "somebody@a.example")).toBe(true);
  });

  it("is stored once it changes: its state, and whether it excludes anybody", () => {
    expect(answers.takeChanged()).toBeNull();
    answers.noteState(A, state(1, 7));
    answers.noteState(B, state(1, 8));
    expect(answers.takeChanged()).toEqual([
      [A, 1, 7, 0],
      [B, 1, 8, 0],
    ]);
    answers.noteState(A, state(1, 6));
    answers.settle("c.example", state(9, 9));
    expect(answers.takeChanged()).toBeNull();
    answers.exclude(A, "x@a.example", state(1, 7));
    answers.exclude(A, "y@a.example", state(1, 7));
    const stored = answers.takeChanged();
    expect(stored).toEqual([
      [A, 1, 7, 1],
      [B, 1, 8, 0],
    ]);
    answers.exclude(A, "z@a.example", state(1, 7));
    expect(answers.takeChanged()).toBeNull();
    answers.noteUnstored();
    expect(answers.takeChanged()).toEqual(stored);
    for (const local of ["x", "y", "z"]) answers.setAside(A, `${local}@a.example`);
    answers.noteUnstored();
    expect(answers.takeChanged()).toEqual(stored);
    const next = new EdgeAnswers();
    next.startFrom(stored ?? []);
    expect(next.state(A)).toEqual(state(1, 7));
    expect([A, B].map((domain) => next.isExcluded(domain, "anybody"))).toEqual([true, false]);
    next.remove(A);
    expect(next.takeChanged()).toEqual([[B, 1, 8, 0]]);
  });
});
