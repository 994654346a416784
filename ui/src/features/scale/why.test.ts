import { describe, expect, it } from "vitest";

import { aScale } from "../../test/fakes";
import { TEXTS } from "../../text/texts";
import { whyOf } from "./why";

describe("the reason of the number of pods", () => {
  it.each([
    [{ desired: 2 }, "within"],
    [{ desired: 4 }, "most"],
    [{ desired: 1 }, "least"],
    [{ desired: 5 }, "outside"],
    [{ desired: 0 }, "outside"],
    [{ min: 3, max: 3, desired: 3 }, "only"],
    [{ min: 3, max: 3, desired: 3, by: "fixed" }, "fixed"],
  ] as const)("%o is %s", (differences, place) => {
    expect(whyOf(aScale(differences)).place).toBe(place);
  });

  it("counts the pods that are to come or to go", () => {
    const missing = (current: number) => whyOf(aScale({ current, desired: 2 })).missing;

    expect([missing(1), missing(2), missing(5)]).toEqual([1, 0, -3]);
  });

  it("is one sentence, in both languages", () => {
    const why = (language: "en" | "ja", differences: Partial<Parameters<typeof aScale>[0]>) => {
      const scale = aScale(differences);
      return TEXTS[language].scaleWhy(scale, whyOf(scale));
    };

    expect(why("en", { desired: 4, current: 2 })).toBe("kana scales by backlog → 4, the most allowed; 2 more to come");
    expect(why("en", { desired: 2, current: 2, by: "keda" })).toBe("KEDA scales → 2, within 1 to 4");
    expect(why("en", { desired: 3, current: 4, by: "fixed" })).toBe("the number is fixed → 3; 1 to go");
    expect(why("ja", { desired: 4, current: 2 })).toBe(
      "kana が待ち件数に応じて増減します → 4 台(上限)、あと 2 台増えます",
    );
  });
});
