import { describe, expect, it } from "vitest";

import { aNamedFile } from "../../test/fakes";
import { BYTES_PER_REQUEST, FILES_PER_REQUEST, inRequests, withoutHidden, withUniqueNames } from "./prepare";

describe("the files of an upload", () => {
  it("each get a unique name", () => {
    const files = ["a.png", "a.png", "a (2).png", "a.png", "README", "README"].map((name) => aNamedFile(name));

    const names = withUniqueNames(files).map(({ name }) => name);

    expect(names).toEqual(["a.png", "a (2).png", "a (2) (2).png", "a (3).png", "README", "README (2)"]);
  });

  it("are split by number, in order and with none left out", async () => {
    const files = Array.from({ length: FILES_PER_REQUEST * 2 + 1 }, (_, i) => aNamedFile(`${i}.png`, 1));

    const requests = await all(inRequests(files));

    expect(requests.map(({ length }) => length)).toEqual([FILES_PER_REQUEST, FILES_PER_REQUEST, 1]);
    expect(requests.flat().map(({ name }) => name)).toEqual(files.map(({ name }) => name));
  });

  it("are split by size", async () => {
    const large = (name: string) => {
      const named = aNamedFile(name);
      Object.defineProperty(named.file, "size", { value: BYTES_PER_REQUEST * 0.6 });
      return named;
    };

    const requests = await all(inRequests([large("a"), large("b"), aNamedFile("c")]));

    expect(requests.map(({ length }) => length)).toEqual([1, 2]);
  });

  it("leave out what is hidden in a folder", () => {
    const files = ["a/1.png", "a/.DS_Store", ".git/1.png", "b.png"].map((name) => aNamedFile(name));

    expect(withoutHidden(files).map(({ name }) => name)).toEqual(["a/1.png", "b.png"]);
  });

  it("get unique names in linear time, also where thousands are equal", () => {
    const files = Array.from({ length: 20_000 }, () => ({ name: "a.png", file: aNamedFile("a.png").file }));

    expect(new Set(withUniqueNames(files).map(({ name }) => name)).size).toBe(20_000);
  });
});

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}
