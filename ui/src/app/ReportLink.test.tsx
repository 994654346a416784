import { fireEvent, render, screen } from "@testing-library/react";
import { afterEach, describe, expect, it, vi } from "vitest";

import type { Status } from "../api/types";
import { aQueue, anApi } from "../test/fakes";
import { Header } from "./Header";

function aStatus(has_report: boolean): Status {
  const model = { name: "mine", description: "Tells apart 2 classes.", labels: ["a", "b"], evaluation: [], has_report };
  return { version: "0.1.0", uptime_seconds: 1, queue: aQueue(), model } as unknown as Status;
}

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("the link to the model's report", () => {
  it("is there where the model has one", () => {
    const api = anApi({ gateway: "/base" });

    const { rerender } = render(<Header api={api} status={aStatus(false)} connection="open" onSignOut={null} />);
    expect(screen.queryByRole("link", { name: "how it was trained" })).toBeNull();
    rerender(<Header api={api} status={aStatus(true)} connection="open" onSignOut={null} />);

    expect(screen.getByRole("link", { name: "how it was trained" }).getAttribute("href")).toBe("/base/v1/model/report");
  });

  it("opens what was fetched with the token, because a link carries none", async () => {
    const tab = { location: { href: "" }, close: vi.fn() };
    vi.stubGlobal("open", () => tab);
    vi.stubGlobal("URL", Object.assign(URL, { createObjectURL: () => "blob:report" }));
    const report = vi.fn(() => Promise.resolve({ ok: true as const, value: new Blob(["<title>"]) }));
    const api = anApi({ report });
    api.tokens.set("secret");
    render(<Header api={api} status={aStatus(true)} connection="open" onSignOut={null} />);

    const isFollowed = fireEvent.click(screen.getByRole("link", { name: "how it was trained" }));

    expect(isFollowed).toBe(false);
    await vi.waitFor(() => {
      expect(tab.location.href).toBe("blob:report");
    });
    expect(report).toHaveBeenCalledOnce();
  });
});
