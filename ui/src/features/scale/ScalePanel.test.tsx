import { act, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { Answer } from "../../api/problem";
import type { Scale } from "../../api/types";
import { anApi, aScale, aFailedAnswer } from "../../test/fakes";
import { ScalePanel } from "./ScalePanel";
import { SETTLE } from "./useRange";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function panel(answer: (range: { min: number; max: number }) => Answer<Scale>) {
  const asked: { min: number; max: number }[] = [];
  const api = anApi({
    setScale: (range) => {
      asked.push(range);
      return Promise.resolve(answer(range));
    },
  });
  const { rerender } = render(<ScalePanel scale={aScale()} api={api} />);
  return {
    asked,
    receive: (scale: Scale) => {
      rerender(<ScalePanel scale={scale} api={api} />);
    },
  };
}

const click = (name: string) => fireEvent.click(screen.getByRole("button", { name }));
const field = (label: string) => screen.getByRole<HTMLInputElement>("textbox", { name: label });
const value = (label: string) => Number(field(label).value);
const type = (label: string, text: string) => {
  field(label).focus();
  fireEvent.change(field(label), { target: { value: text } });
};
const settle = () => act(() => vi.advanceTimersByTimeAsync(SETTLE));

describe("the scale", () => {
  it("is sent once after several clicks, with the last range", async () => {
    const { asked } = panel((range) => ({ ok: true, value: aScale(range) }));

    click("Raise max");
    click("Raise max");
    await settle();

    expect(asked).toEqual([{ min: 1, max: 6 }]);
    expect(value("Max")).toBe(6);
  });

  it("says why it does not move while it is paused", () => {
    const { receive } = panel((range) => ({ ok: true, value: aScale(range) }));
    const before = screen.queryByRole("status");

    receive(aScale({ paused: "the workers were set to 0 by hand" }));

    expect(before).toBeNull();
    expect(screen.getByRole("status").textContent).toBe("the workers were set to 0 by hand");
  });

  it("says who decides, where the number is in the range, and how many are to come", () => {
    const { receive } = panel((range) => ({ ok: true, value: aScale(range) }));
    screen.getByText("kana scales by backlog → 2, within 1 to 4");

    receive(aScale({ desired: 4, by: "hpa" }));

    screen.getByText("a HorizontalPodAutoscaler scales → 4, the most allowed; 2 more to come");
  });

  it("moves the other bound along rather than cross it", async () => {
    const { asked } = panel((range) => ({ ok: true, value: aScale(range) }));

    type("Min", "7");
    fireEvent.keyDown(field("Min"), { key: "Enter" });
    await settle();

    expect(asked).toEqual([{ min: 7, max: 7 }]);
  });

  it("that is fixed sets both bounds at once", async () => {
    const { asked, receive } = panel((range) => ({ ok: true, value: aScale({ ...range, by: "fixed" }) }));
    receive(aScale({ min: 2, max: 2, by: "fixed" }));

    click("Raise max");
    await settle();

    expect(asked).toEqual([{ min: 3, max: 3 }]);
  });

  it("returns to the range of the service when it refuses, and says why", async () => {
    panel(() => aFailedAnswer({ message: "At most 4 pods fit on this machine." }));

    click("Raise max");
    await settle();

    expect(screen.getByRole("alert").textContent).toBe("At most 4 pods fit on this machine.");
    expect(value("Max")).toBe(4);
  });

  it("follows the service when another client changes the range", async () => {
    const { receive } = panel((range) => ({ ok: true, value: aScale(range) }));
    click("Raise max");
    await settle();
    receive(aScale({ max: 5 }));

    receive(aScale({ max: 9 }));

    expect(value("Max")).toBe(9);
  });

  it("that is half typed is a draft, which is not sent", async () => {
    const { asked } = panel((range) => ({ ok: true, value: aScale(range) }));

    type("Max", "1");
    await settle();
    type("Max", "10");
    await settle();

    expect(asked).toEqual([]);
  });

  it("that was typed is sent once when the field is left", async () => {
    const { asked } = panel((range) => ({ ok: true, value: aScale(range) }));

    type("Max", "1");
    type("Max", "10");
    fireEvent.blur(field("Max"));
    await settle();

    expect(asked).toEqual([{ min: 1, max: 10 }]);
  });

  it("returns to the number before on Escape", async () => {
    const { asked } = panel((range) => ({ ok: true, value: aScale(range) }));

    type("Max", "1");
    fireEvent.keyDown(field("Max"), { key: "Escape" });
    fireEvent.blur(field("Max"));
    await settle();

    expect(value("Max")).toBe(4);
    expect(asked).toEqual([]);
  });

  it.each([0, 502])("forgets that the service did not answer (%d) once it does", async (status) => {
    const { receive } = panel(() => aFailedAnswer({ status, message: "The service does not answer." }));
    click("Raise max");
    await settle();
    const before = screen.queryByRole("alert");

    receive(aScale());

    expect(before).not.toBeNull();
    expect(screen.queryByRole("alert")).toBeNull();
  });

  it("is disabled, with the reason, once the token was refused", () => {
    const api = anApi({ setScale: () => Promise.resolve(aFailedAnswer({ status: 403 })) });
    render(<ScalePanel scale={aScale()} api={api} />);

    act(() => {
      api.access.refuse("operate", "this token lacks the scope operate");
    });

    expect(field("Max").disabled).toBe(true);
    expect(screen.getByText(/lacks the scope operate/)).toBeTruthy();
  });

  it("cannot be lowered below 0", () => {
    panel(() => aFailedAnswer());

    click("Lower min");

    expect(value("Min")).toBe(0);
    expect(screen.getByRole<HTMLButtonElement>("button", { name: "Lower min" }).disabled).toBe(true);
  });
});
