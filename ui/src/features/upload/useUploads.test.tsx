import { act, renderHook, waitFor } from "@testing-library/react";
import { describe, expect, it } from "vitest";

import type { Api } from "../../api/client";
import type { Action } from "../../live/state";
import { aFailedAnswer, aJob, aNamedFile, anApi } from "../../test/fakes";
import { FILES_PER_REQUEST } from "./prepare";
import { useUploads } from "./useUploads";

function uploads(submit: Api["submit"]) {
  const actions: Action[] = [];
  const keys: string[] = [];
  const api = anApi({
    submit: (submission) => {
      keys.push(submission.key);
      return submit(submission);
    },
  });
  const dispatch = (action: Action) => void actions.push(action);
  const hook = renderHook(({ live }) => useUploads(api, dispatch, live), { initialProps: { live: true } });
  return { ...hook, actions, keys };
}

const accepting: Api["submit"] = ({ files }) =>
  Promise.resolve({
    ok: true,
    value: { batch: "b", jobs: files.map(({ name }) => aJob({ id: name, filename: name })), rejected: [] },
  });

describe("an upload", () => {
  it("of many files is one run, in requests made one after the other", async () => {
    let [running, most] = [0, 0];
    const { result, actions } = uploads(async (submission) => {
      running += 1;
      most = Math.max(most, running);
      const answer = await accepting(submission);
      running -= 1;
      return answer;
    });
    const files = Array.from({ length: FILES_PER_REQUEST * 2 + 1 }, (_, i) => aNamedFile(`${i}.png`));

    act(() => {
      result.current.add(files);
    });
    await waitFor(() => {
      expect(actions).toHaveLength(4);
    });

    expect(actions.map(({ type }) => type)).toEqual(["given", "accepted", "accepted", "accepted"]);
    expect(new Set(actions.map((action) => ("run" in action ? action.run : ""))).size).toBe(1);
    expect(most).toBe(1);
  });

  it("of several requests adds the later ones to the batch of the first", async () => {
    const batches: (string | undefined)[] = [];
    const { result, actions } = uploads((submission) => {
      batches.push(submission.batch);
      return accepting(submission);
    });
    act(() => {
      result.current.add(Array.from({ length: FILES_PER_REQUEST + 1 }, (_, i) => aNamedFile(`${i}.png`)));
    });
    await waitFor(() => {
      expect(actions).toHaveLength(3);
    });

    expect(batches).toEqual([undefined, "b"]);
  });

  it("that the service could not take is made again, under the same key, when the service is back", async () => {
    let isBack = false;
    const { result, rerender, actions, keys } = uploads((submission) =>
      isBack ? accepting(submission) : Promise.resolve(aFailedAnswer({ status: 0, retryAfter: 60_000 })),
    );
    act(() => {
      result.current.add([aNamedFile("a.png")]);
    });
    await waitFor(() => {
      expect(result.current.pending[0]?.phase.name).toBe("waiting");
    });

    rerender({ live: false });
    isBack = true;
    rerender({ live: true });

    await waitFor(() => {
      expect(actions.at(-1)?.type).toBe("accepted");
    });
    expect(new Set(keys).size).toBe(1);
    expect(result.current.pending).toEqual([]);
  });

  it("that is refused stays until it is dismissed, and the rest of its run goes on", async () => {
    let first = true;
    const { result, actions } = uploads((submission) => {
      const refuse = first;
      first = false;
      return refuse ? Promise.resolve(aFailedAnswer({ status: 413 })) : accepting(submission);
    });
    const files = Array.from({ length: FILES_PER_REQUEST + 1 }, (_, i) => aNamedFile(`${i}.png`));

    act(() => {
      result.current.add(files);
    });
    await waitFor(() => {
      expect(actions.map(({ type }) => type)).toEqual(["given", "withdrawn", "accepted"]);
    });

    const [refused] = result.current.pending;
    expect(refused?.phase.name).toBe("refused");
    act(() => {
      if (refused) result.current.dismiss(refused);
    });
    expect(result.current.pending).toEqual([]);
  });
});
