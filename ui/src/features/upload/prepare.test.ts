import { describe, expect, it } from "vitest";

import { aFile } from "../../test/fakes";
import { BYTES_PER_REQUEST, FILES_PER_REQUEST, inRequests, withUniqueNames } from "./prepare";

describe("the files of an upload", () => {
  it("each get a unique name", () => {
    const files = ["a.png", "a.png", "a (2).png", "a.png", "README", "README"].map((name) => aFile(name));

    const names = withUniqueNames(files).map(({ name }) => name);

    expect(names).toEqual(["a.png", "a (2).png", "a (2) (2).png", "a (3).png", "README", "README (2)"]);
  });

  it("are split by number, in order and with none left out", () => {
    const files = Array.from({ length: FILES_PER_REQUEST * 2 + 1 }, (_, i) => aFile(`${i}.png`, 1));

    const requests = inRequests(files);

    expect(requests.map(({ length }) => length)).toEqual([FILES_PER_REQUEST, FILES_PER_REQUEST, 1]);
    expect(requests.flat()).toEqual(files);
  });

  it("are split by size", () => {
    const large = (name: string) => Object.defineProperty(aFile(name), "size", { value: BYTES_PER_REQUEST * 0.6 });

    expect(inRequests([large("a"), large("b"), aFile("c")]).map(({ length }) => length)).toEqual([1, 2]);
  });
});
