import { fireEvent, render, screen, within } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import openapi from "../../openapi.json";
import { aFailedAnswer } from "../test/fakes";
import { DocsPage } from "./DocsPage";
import type { Description } from "./openapi";

const DESCRIPTION: Description = openapi as unknown as Description;
const load = () => Promise.resolve({ ok: true as const, value: DESCRIPTION });
const show = () => render(<DocsPage load={load} gateway="http://127.0.0.1:8080" />);

beforeEach(() => {
  // jsdom has no layout, so it cannot scroll.
  Element.prototype.scrollIntoView = vi.fn();
});
afterEach(() => {
  window.location.hash = "";
});

describe("the page of the API", () => {
  it("shows every operation of the description, each with its command", async () => {
    show();
    await screen.findByRole("heading", { level: 1, name: "kana API" });

    const routes = Object.entries(DESCRIPTION.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );

    expect(screen.getAllByRole("article")).toHaveLength(routes.length);
    for (const route of routes) {
      expect(screen.getByRole("article", { name: route }).querySelector("pre")?.textContent).toMatch(/^curl /);
    }
  });

  it("links to no anchor that it does not have", async () => {
    const { container } = show();
    await screen.findByRole("heading", { level: 1 });

    const anchors = [...container.querySelectorAll('a[href^="#"]')].map((link) => link.getAttribute("href")?.slice(1));

    expect(anchors.length).toBeGreaterThan(0);
    expect(anchors.filter((anchor) => document.getElementById(anchor ?? "") === null)).toEqual([]);
  });

  it("shows parameters, body and responses of an operation with their types", async () => {
    show();

    const classify = within(await screen.findByRole("article", { name: "POST /v1/classify" }));

    expect(classify.getAllByText("filename")[0]?.closest("dt")?.textContent).toBe("filename string in query");
    expect(classify.getByText("413").closest(".field")?.textContent).toContain("The image is too large");
    expect(classify.getAllByRole("link", { name: "Problem" })[0]?.getAttribute("href")).toBe("#schema-Problem");
    expect(classify.getAllByText("Fields of Job").length).toBeGreaterThan(0);
  });

  it("opens the schema that the address names", async () => {
    window.location.hash = "#schema-Job";
    const { container } = show();
    await screen.findByRole("heading", { level: 1 });

    expect(container.querySelector<HTMLDetailsElement>("#schema-Job")?.open).toBe(true);
    expect(container.querySelector<HTMLDetailsElement>("#schema-Pod")?.open).toBe(false);
  });

  it("copies the command, or selects it where the browser has no clipboard", async () => {
    const writeText = vi.fn(() => Promise.resolve());
    vi.stubGlobal("navigator", { clipboard: { writeText } });
    show();
    const button = await screen.findByRole("button", { name: "Copy the command for GET /v1/status" });

    fireEvent.click(button);
    expect(await screen.findByText("Copied")).toBeTruthy();
    expect(writeText).toHaveBeenCalledWith("curl http://127.0.0.1:8080/v1/status");

    vi.stubGlobal("navigator", {});
    fireEvent.click(button);
    expect(await screen.findByText("Selected")).toBeTruthy();
    expect(window.getSelection()?.toString()).toBe("curl http://127.0.0.1:8080/v1/status");
  });

  it("says why the description cannot be read", async () => {
    const refused = () => Promise.resolve(aFailedAnswer({ message: "The service does not answer." }));
    render(<DocsPage load={refused} gateway="http://127.0.0.1:8080" />);

    expect((await screen.findByRole("alert")).textContent).toBe("The service does not answer.");
  });
});
