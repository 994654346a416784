import { act, fireEvent, render, screen } from "@testing-library/react";
import { describe, expect, it } from "vitest";

import type { Api } from "../../api/client";
import type { Answer } from "../../api/problem";
import type { PodView } from "../../live/state";
import { aPod, anApi, aFailedAnswer } from "../../test/fakes";
import { PodsPanel } from "./PodsPanel";

const NAMES = ["kana-worker-1", "kana-worker-2"];

function panel(parts: Partial<Api>, differences: Partial<PodView> = { node: "node-1" }) {
  const pods = NAMES.map((name, slot) => aPod({ name, slot, ...differences }));
  const api = anApi({ podLog: () => answered(""), ...parts });
  const all = (shown: readonly PodView[]) => (
    <PodsPanel pods={shown} most={4} api={api} live error={null} onStopping={() => undefined} />
  );
  const { rerender } = render(all(pods));
  return {
    pods,
    receive: (shown: readonly PodView[]) => {
      rerender(all(shown));
    },
  };
}

const answered = (value: string): Promise<Answer<string>> => Promise.resolve({ ok: true, value });
const click = (name: string) => fireEvent.click(screen.getByRole("button", { name: new RegExp(`^${name}`) }));

describe("the pods", () => {
  it("each keep their slot, and free slots are shown", () => {
    const { pods, receive } = panel({});
    const places = () => screen.getAllByRole("listitem").map((item) => item.textContent.includes("kana-worker"));

    receive(pods.slice(1));

    expect(places()).toEqual([false, true, false, false, false]);
  });

  it("give the focus to the next pod when the one that had it is gone", () => {
    const { pods, receive } = panel({});
    act(() => {
      screen.getByRole("button", { name: "Kill kana-worker-1" }).focus();
    });

    receive(pods.slice(1));

    expect(document.activeElement?.getAttribute("aria-label")).toBe("Kill kana-worker-2");
  });

  it("are rows beyond eight and a table beyond thirty", () => {
    const { receive } = panel({});
    const many = (amount: number) => Array.from({ length: amount }, (_, slot) => aPod({ name: `p-${slot}`, slot }));

    receive(many(9));
    expect(screen.getByRole("region", { name: "Pods" }).dataset.density).toBe("rows");

    receive(many(31));
    expect(screen.getAllByRole("row")).toHaveLength(32);
  });
});

describe("a pod's details", () => {
  it("drain the pod with the mode delete", async () => {
    const asked: string[] = [];
    panel({ stopPod: (name, mode) => answered((asked.push(name, mode), "")) }, {});

    click("Details of kana-worker-2");
    fireEvent.click(await screen.findByRole("button", { name: "Drain" }));

    expect(asked).toEqual(["kana-worker-2", "delete"]);
  });

  it("offer no eviction outside a cluster", async () => {
    panel({}, {});

    click("Details of kana-worker-2");
    await screen.findByRole("button", { name: "Drain" });

    expect(screen.queryByRole("button", { name: "Evict" })).toBeNull();
    expect(screen.getByRole("region", { name: "Log" })).toBeTruthy();
  });

  it("say which budget forbids an eviction", async () => {
    const needs = "The disruption budget kana-worker needs 1 healthy pods and has 1 currently.";
    panel({ stopPod: () => Promise.resolve(aFailedAnswer({ message: needs })), podLog: () => answered("") });

    click("Details of kana-worker-1");
    fireEvent.click(await screen.findByRole("button", { name: "Evict" }));

    expect((await screen.findByRole("alert")).textContent).toBe(needs);
  });

  it("have the log, read when they open and again on demand", async () => {
    let times = 0;
    panel({ podLog: (name) => answered(`${name} ${(times += 1)}\n`) });

    click("Details of kana-worker-2");
    expect((await screen.findByText(/kana-worker-2 1/)).getAttribute("role")).toBe("log");

    click("Read again");
    expect(await screen.findByText(/kana-worker-2 2/)).toBeTruthy();
  });

  it("say that the log is empty, or why it cannot be read", async () => {
    let answer = answered("");
    panel({ podLog: () => answer });

    click("Details of kana-worker-1");
    expect(await screen.findByText("It has written nothing yet.")).toBeTruthy();

    answer = Promise.resolve(aFailedAnswer({ message: 'Its role lacks the verb "get" on "pods/log".' }));
    click("Read again");

    expect((await screen.findByRole("alert")).textContent).toContain('"pods/log"');
  });
});
