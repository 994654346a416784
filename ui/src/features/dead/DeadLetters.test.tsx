import { fireEvent, render, screen, waitFor } from "@testing-library/react";
import { describe, expect, it } from "vitest";

import type { Api } from "../../api/client";
import type { DeadLetter } from "../../api/types";
import { aFailedAnswer, aJob, anApi } from "../../test/fakes";
import { DeadLetters } from "./DeadLetters";

function aLetter(id: string): DeadLetter {
  return { id, batch: "b", filename: `${id}.png`, submitted: 0, died: 1_000, attempts: 3, reason: "the engine failed" };
}

/** Shows the dialog with letters "a", "b" and "c", and returns what is asked of the service. */
async function opened(parts: Partial<Api> = {}) {
  const asked: string[] = [];
  const api = anApi({
    deadLetters: () => Promise.resolve({ ok: true, value: ["a", "b", "c"].map(aLetter) }),
    replayDead: (id) => {
      asked.push(`replay ${id}`);
      return Promise.resolve({ ok: true, value: aJob({ id }) });
    },
    dropDead: (id) => {
      asked.push(`drop ${id}`);
      return Promise.resolve({ ok: true, value: undefined });
    },
    ...parts,
  });
  render(<DeadLetters api={api} dead={3} />);
  fireEvent.click(screen.getByRole("button", { name: "3 dead letters" }));
  await screen.findByText("a.png");
  return { asked, api };
}

describe("dead letters", () => {
  it("are not mentioned where there are none", () => {
    const { container } = render(<DeadLetters api={anApi()} dead={0} />);

    expect(container.textContent).toBe("");
  });

  it("have file, reason and attempts, and leave the list when they are replayed or dropped", async () => {
    const { asked } = await opened();
    expect(screen.getAllByRole("listitem")[0]?.textContent).toMatch(/a\.png.*the engine failed.*3 attempts/);

    fireEvent.click(screen.getByRole("button", { name: "Replay a.png" }));
    fireEvent.click(screen.getByRole("button", { name: "Drop b.png" }));

    await waitFor(() => {
      expect(screen.getAllByRole("listitem")).toHaveLength(1);
    });
    expect(asked).toEqual(["replay a", "drop b"]);
  });

  it("are replayed all at once", async () => {
    const { asked } = await opened();

    fireEvent.click(screen.getByRole("button", { name: "Replay all" }));

    await screen.findByText("No dead letters are left.");
    expect(asked).toEqual(["replay a", "replay b", "replay c"]);
  });

  it("stay in the list with the reason when a request fails, and leave it when somebody else was faster", async () => {
    await opened({
      replayDead: () => Promise.resolve(aFailedAnswer({ status: 503, message: "The queue is away." })),
      dropDead: () => Promise.resolve(aFailedAnswer({ status: 404 })),
    });

    fireEvent.click(screen.getByRole("button", { name: "Replay a.png" }));
    fireEvent.click(screen.getByRole("button", { name: "Drop b.png" }));

    await screen.findByText("The queue is away.");
    await waitFor(() => {
      expect(screen.getAllByRole("listitem")).toHaveLength(2);
    });
  });

  it("cannot be replayed by a token that may not, and say why", async () => {
    const { api } = await opened();
    api.access.refuse("operate", "no");

    await screen.findByText("This token may not replay or drop: it lacks the scope operate.");
    expect(screen.getByRole<HTMLButtonElement>("button", { name: "Drop a.png" }).disabled).toBe(true);
    expect(screen.getByRole<HTMLButtonElement>("button", { name: "Replay all" }).disabled).toBe(true);
  });
});
