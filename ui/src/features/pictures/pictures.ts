// Which picture did the model see, where this browser has no file of its own?
import { createContext, useContext, useEffect, useState } from "react";

import type { Api } from "../../api/client";
import type { Job } from "../../api/types";
import { isSettled } from "../../live/runs";

/** Most pictures kept, a kilobyte or so each; the one used least recently is dropped first. */
const KEPT_MAX = 1_000;
/** Most requests at the same time, so that pictures leave connections to everything else. */
const AT_ONCE = 4;

export interface PictureStore {
  /** Returns the picture; `null` where the service no longer keeps it. */
  get(job: string): Promise<Blob | null>;
}

export function pictureStore(api: Pick<Api, "image">): PictureStore {
  const kept = new Map<string, Promise<Blob | null>>();
  const waiting: (() => void)[] = [];
  let running = 0;

  const read = async (job: string): Promise<Blob | null> => {
    if (running >= AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
    running += 1;
    try {
      const answer = await api.image(job);
      if (!answer.ok) kept.delete(job);
      return answer.ok ? answer.value : null;
    } finally {
      running -= 1;
      waiting.shift()?.();
    }
  };

  return {
    get: (job) => {
      const picture = kept.get(job) ?? read(job);
      kept.delete(job);
      kept.set(job, picture);
      const [oldest] = kept.keys();
      if (kept.size > KEPT_MAX && oldest !== undefined) kept.delete(oldest);
      return picture;
    },
  };
}

export const PicturesContext = createContext<PictureStore | null>(null);

/** Returns the picture that the model saw, once it is read; `null` before and where there is none. */
export function useSeen(job: Job | null): Blob | null {
  const store = useContext(PicturesContext);
  const [seen, setSeen] = useState<{ readonly job: string; readonly picture: Blob | null } | null>(null);
  const id = job?.id ?? null;
  const settled = job !== null && isSettled(job);
  useEffect(() => {
    if (store === null || id === null) return;
    let current = true;
    void store.get(id).then((picture) => {
      if (current) setSeen({ job: id, picture });
    });
    return () => {
      current = false;
    };
  }, [store, id, settled]);
  return seen?.job === id ? seen.picture : null;
}

/** Returns the file that was sent, or else what the model saw. */
export function usePicture(file: File | null, job: Job): Blob | null {
  const seen = useSeen(file === null ? job : null);
  return file ?? seen;
}
