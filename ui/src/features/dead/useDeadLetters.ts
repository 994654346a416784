// Which dead letters does the service hold, and which of them are being replayed or dropped?
import { useCallback, useEffect, useState } from "react";

import type { Api } from "../../api/client";
import type { Answer } from "../../api/problem";
import type { DeadLetter } from "../../api/types";
import { concurrently } from "../../lib/concurrently";

/** Requests made at once; a browser makes six to one host, and the page's own need some of them. */
const REQUESTS_MAX = 4;

export interface DeadLetters {
  /** Newest dead letters; `null` before the first answer. */
  readonly list: readonly DeadLetter[] | null;
  /** Why the last request failed; `null` where it did not. */
  readonly error: string | null;
  /** Ids of the letters of which an answer is awaited. */
  readonly busy: ReadonlySet<string>;
  readonly replay: (id: string) => void;
  readonly drop: (id: string) => void;
  /** Replays every letter of the list. */
  readonly replayAll: () => void;
}

/** Reads the dead letters, and again whenever their number `dead` changes. */
export function useDeadLetters(api: Api, dead: number): DeadLetters {
  const [list, setList] = useState<readonly DeadLetter[] | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [busy, setBusy] = useState<ReadonlySet<string>>(new Set());

  useEffect(() => {
    let current = true;
    void api.deadLetters().then((answer) => {
      if (!current) return;
      if (answer.ok) setList(answer.value);
      else setError(answer.problem.message);
    });
    return () => {
      current = false;
    };
  }, [api, dead]);

  const act = useCallback(async (ids: readonly string[], request: (id: string) => Promise<Answer<unknown>>) => {
    setBusy((known) => new Set([...known, ...ids]));
    setError(null);
    await concurrently(ids, REQUESTS_MAX, async (id) => {
      const answer = await request(id);
      // Where there is no such letter, somebody else has replayed or dropped it.
      if (answer.ok || answer.problem.status === 404)
        setList((known) => known?.filter((each) => each.id !== id) ?? null);
      else setError(answer.problem.message);
      setBusy((known) => new Set([...known].filter((each) => each !== id)));
    });
  }, []);

  return {
    list,
    error,
    busy,
    replay: (id) => void act([id], api.replayDead),
    drop: (id) => void act([id], api.dropDead),
    replayAll: () => void act(list?.map(({ id }) => id) ?? [], api.replayDead),
  };
}
