import { describe, expect, it } from "vitest";

import { TEXTS, languageOf } from "./texts";

describe("the language", () => {
  it("is the first that the person prefers and the page speaks", () => {
    expect(languageOf(["fr-FR", "ja-JP", "en"])).toBe("ja");
    expect(languageOf(["en-GB", "ja"])).toBe("en");
    expect(languageOf(["jav", "de"])).toBe("en");
    expect(languageOf([])).toBe("en");
  });
});

describe("the texts", () => {
  it("have plurals where the language has them", () => {
    expect([TEXTS.en.files(1), TEXTS.en.files(2), TEXTS.en.classes(1), TEXTS.en.classes(10)]).toEqual([
      "1 file",
      "2 files",
      "1 class",
      "10 classes",
    ]);
    expect([TEXTS.ja.files(1), TEXTS.ja.files(2)]).toEqual(["1 件のファイル", "2 件のファイル"]);
  });

  it("are all there in both languages, none of them empty", () => {
    const paths = (value: object, prefix = ""): string[] =>
      Object.entries(value).flatMap(([name, text]: [string, unknown]) =>
        typeof text === "object" && text !== null
          ? paths(text, `${prefix}${name}.`)
          : [`${prefix}${name} ${typeof text}`],
      );

    expect(paths(TEXTS.ja)).toEqual(paths(TEXTS.en));
    expect(JSON.stringify(TEXTS)).not.toContain('""');
  });
});
