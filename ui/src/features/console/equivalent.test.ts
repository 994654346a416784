import { describe, expect, it } from "vitest";

import { equivalent, folded } from "./equivalent";

const GATEWAY = "http://kana.test/base";

describe("a command of the console", () => {
  it("that would start a second service is the request that changed the range of this one", () => {
    expect(equivalent("kana up --min 2 --max 10", { gateway: GATEWAY, hasToken: false })).toBe(
      `curl -X PUT ${GATEWAY}/v1/scale -H 'content-type: application/json' -d '{"min":2,"max":10}'`,
    );
  });

  it("names the variable of the token, never the token", () => {
    expect(equivalent("kana up --min 2 --max 10", { gateway: GATEWAY, hasToken: true })).toContain(
      'authorization: Bearer $KANA_TOKEN"',
    );
  });

  it("that does the same is left alone", () => {
    expect(equivalent("kill -9 12  # a", { gateway: GATEWAY, hasToken: true })).toBe("kill -9 12  # a");
  });

  it("that is long is folded to what tells it from others", () => {
    const long = `kana worker --listen 127.0.0.1:0 --batch-max 64 ${"--quiet ".repeat(9)}--name kana-worker-x8k2p`;

    expect(folded(long)).toBe("kana worker … --name kana-worker-x8k2p");
    expect(folded("kana worker --a 1 --b 2")).toBe("kana worker --a 1 --b 2");
  });
});
