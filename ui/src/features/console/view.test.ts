import { describe, expect, it } from "vitest";

import { aScale } from "../../test/fakes";
import { TEXTS } from "../../text/texts";
import { matches, viewOf } from "./view";

const target = { gateway: "http://kana.test", hasToken: false };
const POD = {
  kind: "pod",
  name: "kana-worker-x8k2p",
  state: "killed",
  reason: "exit code 137",
  seq: 1,
  at: 0,
} as const;

describe("a line of the console", () => {
  it("of a pod or of the scale says what changed, and copies the request that reads it", () => {
    const scale = { kind: "scale", scale: aScale({ desired: 3, paused: "by hand" }), seq: 2, at: 0 } as const;

    expect(viewOf(POD, target, TEXTS.en)).toMatchObject({
      event: "pod kana-worker-x8k2p: killed",
      command: "curl -s http://kana.test/v1/pods",
      output: "exit code 137",
    });
    expect(viewOf(scale, { ...target, hasToken: true }, TEXTS.en)).toMatchObject({
      event: "scale: 3 desired, 1 to 4 allowed",
      command: 'curl -s http://kana.test/v1/scale -H "authorization: Bearer $KANA_TOKEN"',
      output: "by hand",
    });
  });

  it("of a command is the command", () => {
    const line = { kind: "command", command: "kill -9 12", output: "killed", took_ms: 2, seq: 1, at: 0 } as const;

    expect(viewOf(line, target, TEXTS.en)).toMatchObject({
      event: null,
      command: "kill -9 12",
      output: "killed · 2.0 ms",
    });
  });

  it("matches a filter that has only words of it, in any case and order", () => {
    const view = viewOf(POD, target, TEXTS.en);

    expect(["", "  ", "x8k2p", "KILLED pod", "137 killed"].map((filter) => matches(view, filter))).toEqual([
      true,
      true,
      true,
      true,
      true,
    ]);
    expect(matches(view, "killed zzz")).toBe(false);
  });
});
