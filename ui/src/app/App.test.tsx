import { fireEvent, render, screen, waitFor } from "@testing-library/react";
import { describe, expect, it } from "vitest";

import type { Api } from "../api/client";
import {
  aBatch,
  aDoneJob,
  aFile,
  aJob,
  aListedRun,
  anApi,
  aPod,
  aQueue,
  aScale,
  aStream,
  aFailedAnswer,
} from "../test/fakes";
import { App } from "./App";

const event = (name: string, data: object) => `event: ${name}\nid: 1\ndata: ${JSON.stringify(data)}\n\n`;
const PRESENT = [event("pod", aPod()), event("scale", aScale()), event("queue", aQueue({ waiting: 42 }))];

function service(parts: Partial<Api> = {}, events: string[] = PRESENT): Api {
  return anApi({
    fetch: () => Promise.resolve(aStream(events, "stays open")),
    status: () => Promise.resolve(aFailedAnswer()),
    ...parts,
  });
}

describe("the page", () => {
  it("shows what the event stream says of pods, scale and queue", async () => {
    render(<App api={service()} />);

    expect(await screen.findByRole("article", { name: "Pod kana-worker-x8k2p, ready" })).toBeTruthy();
    expect(screen.getByRole<HTMLInputElement>("textbox", { name: "Max" }).value).toBe("4");
    expect(screen.getByText("42")).toBeTruthy();
    expect(screen.getByText("live")).toBeTruthy();
  });

  it("says why it cannot list pods instead of saying that there are none", async () => {
    const reason = 'this service may not list pods: its role lacks the verb "list" on "pods"';
    render(<App api={service({}, [event("trouble", { reason })])} />);

    expect((await screen.findByRole("alert")).textContent).toContain("This service may not list pods");
    expect(screen.queryByText(/No pod runs/)).toBeNull();
  });

  it("says what to do while there is nothing to show", () => {
    render(<App api={service({}, [])} />);

    expect(screen.getByRole("button", { name: "Choose images" })).toBeTruthy();
    expect(screen.getByText(/Nothing sent yet/)).toBeTruthy();
    expect(screen.getByText(/the command that does it appears here/)).toBeTruthy();
  });

  it("shows the outcome of a chosen file even if it came before the service's answer", async () => {
    const submit: Api["submit"] = () =>
      Promise.resolve({ ok: true, value: { batch: "batch-1", jobs: [aJob()], rejected: [] } });
    render(<App api={service({ submit }, [...PRESENT, event("job", aDoneJob())])} />);
    await screen.findByText(/Sent from elsewhere/);

    fireEvent.change(screen.getByLabelText("Images to classify"), { target: { files: [aFile("a.png")] } });

    expect(await screen.findByText("1 accepted = 1 done + 0 failed")).toBeTruthy();
    expect(screen.getByRole("button", { name: /a\.png/ }).querySelector("img")?.src).toBe("blob:picture");
    expect(screen.queryByText(/Sent from elsewhere/)).toBeNull();
  });

  it("shows the newest run that the service lists, with the picture that the model saw", async () => {
    const read: string[] = [];
    const api = service({
      batches: () => Promise.resolve({ ok: true, value: [aListedRun(), aListedRun({ batch: "batch-0" })] }),
      batch: (id) => {
        read.push(id);
        return Promise.resolve({ ok: true, value: aBatch([aDoneJob()]) });
      },
      image: () => Promise.resolve({ ok: true, value: new Blob() }),
    });
    render(<App api={api} />);

    expect(await screen.findByText("1 accepted = 1 done + 0 failed")).toBeTruthy();
    await waitFor(() => {
      expect(screen.getByRole("button", { name: /a\.png/ }).querySelector("img")?.src).toBe("blob:picture");
    });
    expect(read).toEqual(["batch-1"]);
  });

  it("asks for a token where the service does, and connects with it", async () => {
    const sent: (string | null)[] = [];
    const fetch: typeof globalThis.fetch = (_, init) => {
      const token = new Headers(init?.headers).get("authorization");
      sent.push(token);
      return Promise.resolve(token === null ? new Response(null, { status: 401 }) : aStream(PRESENT, "stays open"));
    };
    render(<App api={service({ fetch })} />);

    fireEvent.change(await screen.findByLabelText(/asks for a token/), { target: { value: " secret " } });
    fireEvent.click(screen.getByRole("button", { name: "Sign in" }));

    expect(await screen.findByRole("article", { name: /ready/ })).toBeTruthy();
    expect(sent).toEqual([null, "Bearer secret"]);
    expect(screen.queryByLabelText(/asks for a token/)).toBeNull();

    fireEvent.click(screen.getByRole("button", { name: "Sign out" }));
    expect(await screen.findByLabelText(/asks for a token/)).toBeTruthy();
    expect(screen.queryByRole("article")).toBeNull();
    expect(sent.at(-1)).toBeNull();
  });

  it("says that a token is wrong, and keeps what was typed, selected", async () => {
    const fetch = () => Promise.resolve(new Response(null, { status: 401 }));
    render(<App api={service({ fetch })} />);
    const field = await screen.findByLabelText<HTMLInputElement>(/asks for a token/);
    const before = screen.queryByRole("alert");

    fireEvent.change(field, { target: { value: "wrong" } });
    fireEvent.click(screen.getByRole("button", { name: "Sign in" }));

    expect((await screen.findByRole("alert")).textContent).toBe("The service does not accept this token.");
    expect(before).toBeNull();
    expect([field.value, field.selectionStart, field.selectionEnd]).toEqual(["wrong", 0, 5]);
  });

  it("announces the end of a run once", async () => {
    const submit: Api["submit"] = () =>
      Promise.resolve({ ok: true, value: { batch: "batch-1", jobs: [aJob()], rejected: [] } });
    let push: (text: string) => void = () => undefined;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        push = (text) => {
          controller.enqueue(new TextEncoder().encode(text));
        };
      },
    });
    render(<App api={service({ submit, fetch: () => Promise.resolve(new Response(body)) })} />);
    fireEvent.change(await screen.findByLabelText("Images to classify"), { target: { files: [aFile("a.png")] } });
    await screen.findByText(/1 on the way/);
    const before = screen.queryByText(/^1 image done/);

    push(event("job", aDoneJob()));

    expect(await screen.findByText("1 image done in 22 ms.")).toBeTruthy();
    expect(before).toBeNull();
  });
});
