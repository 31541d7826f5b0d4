import { describe, expect, it } from "vitest";
import { Durations } from "../../src/bridge/observability/durations.ts";

describe("a histogram of times", () => {
  it("is valid for Prometheus: cumulative buckets, a sum and a count for each label", () => {
    const times = new Durations("seconds", "Time", "protocol");
    for (const ms of [0, 0.1, 0.2, 3_000, 9_000]) times.observe("line", ms);
    times.observe("policy", 1);
    const lines = times.text().split("\n");
    expect(lines.slice(0, 2)).toEqual(["# HELP seconds Time", "# TYPE seconds histogram"]);
    expect(lines).toContain('seconds_bucket{le="0.0001",protocol="line"} 2');
    expect(lines).toContain('seconds_bucket{le="0.0005",protocol="line"} 3');
    expect(lines).toContain('seconds_bucket{le="2",protocol="line"} 3');
    expect(lines).toContain('seconds_bucket{le="3",protocol="line"} 4');
    expect(lines).toContain('seconds_bucket{le="+Inf",protocol="line"} 5');
    expect(lines).toContain('seconds_count{protocol="line"} 5');
    expect(
      Number(lines.find((line) => line.startsWith('seconds_sum{protocol="line"}'))?.split(" ")[1]),
    ).toBeCloseTo(12.0003);
    expect(lines).toContain('seconds_bucket{le="0.0005",protocol="policy"} 0');
    expect(lines).toContain('seconds_bucket{le="0.001",protocol="policy"} 1');
    expect(lines.at(-1)).toBe("");
  });
});
