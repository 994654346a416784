import { describe, expect, it } from "vitest";

import { createParser, EVENT_LENGTH_MAX } from "./sse";

describe("the SSE parser", () => {
  it("reads name, data and id of an event", () => {
    const messages = createParser().push('id: 7-1\nevent: pod\ndata: {"a":1}\n\n');

    expect(messages).toEqual([{ event: "pod", data: '{"a":1}', id: "7-1" }]);
  });

  it("reads the same events wherever the text is cut", () => {
    const text = "\uFEFF: hello\r\nevent: job\r\ndata: お\r\ndata: き\r\n\r\nid: 2\rdata: x\r\rdata:  y\n\n";
    const whole = createParser().push(text);

    for (let cut = 1; cut < text.length; cut += 1) {
      const parser = createParser();
      expect([...parser.push(text.slice(0, cut)), ...parser.push(text.slice(cut))]).toEqual(whole);
    }
    expect(whole.map(({ event, data, id }) => [event, data, id])).toEqual([
      ["job", "お\nき", ""],
      ["message", "x", "2"],
      ["message", " y", "2"],
    ]);
  });

  it("returns neither an event without data nor one that is incomplete", () => {
    const parser = createParser();

    expect(parser.push("event: job\n\n: still here\n\ndata: half")).toEqual([]);
    expect(parser.push("\n\n")).toEqual([{ event: "message", data: "half", id: "" }]);
  });

  it("returns the delay that the server asks for, if it is a number", () => {
    const parser = createParser();

    parser.push("retry: 1500\nretry: soon\n\n");

    expect(parser.retry()).toBe(1500);
  });

  it("refuses an event longer than EVENT_LENGTH_MAX", () => {
    const parser = createParser();

    expect(() => parser.push(`data: ${"x".repeat(EVENT_LENGTH_MAX + 1)}`)).toThrow(RangeError);
  });
});
