import { expect, it } from "vitest";

import { gatewayOf } from "./gateway";

const at = (pathname: string) => ({ origin: "https://host.example", pathname });

it("finds the gateway at the root of its host", () => {
  expect(gatewayOf("live", at("/"))).toBe("https://host.example");
  expect(gatewayOf("docs", at("/docs/"))).toBe("https://host.example");
});

it("finds the gateway under a path of a proxy", () => {
  expect(gatewayOf("live", at("/kana/"))).toBe("https://host.example/kana");
  expect(gatewayOf("live", at("/a/b/index.html"))).toBe("https://host.example/a/b");
  expect(gatewayOf("docs", at("/kana/docs/"))).toBe("https://host.example/kana");
});
