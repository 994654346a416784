import { act, fireEvent, render, screen } from "@testing-library/react";
import { describe, expect, it } from "vitest";

import type { Answer } from "../../api/problem";
import { aPod, anApi, aFailedAnswer } from "../../test/fakes";
import { PodsPanel } from "./PodsPanel";

const NAMES = ["kana-worker-1", "kana-worker-2"];

function panel(podLog: (name: string) => Promise<Answer<string>>) {
  const pods = NAMES.map((name) => aPod({ name, node: "node-1" }));
  render(<PodsPanel pods={pods} api={anApi({ podLog })} live error={null} />);
}

const answered = (value: string): Promise<Answer<string>> => Promise.resolve({ ok: true, value });
const click = (name: string) => fireEvent.click(screen.getByRole("button", { name }));

describe("a pod's log", () => {
  it("is read when it is opened, and again on demand", async () => {
    let times = 0;
    panel((name) => answered(`${name} ${(times += 1)}\n`));

    click("Log of kana-worker-2");
    expect((await screen.findByText(/kana-worker-2 1/)).getAttribute("role")).toBe("log");
    expect(document.activeElement?.textContent).toBe("Log of kana-worker-2");

    click("Read again");
    expect(await screen.findByText(/kana-worker-2 2/)).toBeTruthy();
  });

  it("is that of the pod opened last, however late the answer for another comes", async () => {
    let answer: (log: Answer<string>) => void = () => undefined;
    const late = new Promise<Answer<string>>((resolve) => (answer = resolve));
    panel((name) => (name === "kana-worker-1" ? late : answered("from two")));

    click("Log of kana-worker-1");
    click("Log of kana-worker-2");
    await screen.findByText("from two");
    await act(async () => {
      answer({ ok: true, value: "from one" });
      await late;
    });

    expect(screen.queryByText("from one")).toBeNull();
  });

  it("that is empty says so, and one that cannot be read says why", async () => {
    let answer = answered("");
    panel(() => answer);

    click("Log of kana-worker-1");
    expect(await screen.findByText("It has written nothing yet.")).toBeTruthy();

    answer = Promise.resolve(aFailedAnswer({ message: 'Its role lacks the verb "get" on "pods/log".' }));
    click("Read again");

    expect((await screen.findByRole("alert")).textContent).toContain('"pods/log"');
  });

  it("disappears when it is closed", async () => {
    panel(() => answered("a line"));

    click("Log of kana-worker-1");
    await screen.findByText("a line");
    click("Close");

    expect(screen.queryByText("a line")).toBeNull();
  });
});
