// Which pods exist, and in which state is each?
import { useRef, useState } from "react";

import type { Api } from "../../api/client";
import { sentence } from "../../api/problem";
import { useRefusal } from "../../api/useRefusal";
import type { Stop } from "../../api/types";
import { CARDS_MAX, slotsFor } from "../../live/pods";
import type { PodView } from "../../live/state";
import { useNow } from "../../lib/useNow";
import { useTexts } from "../../text/texts";
import { PodDialog } from "./PodDialog";
import { PodTable } from "./PodTable";
import { PodTile, type PodProps } from "./PodTile";
import { useSlotFocus } from "./useSlotFocus";
import "./pods.css";

/** Most pods shown as compact rows; more are a table. */
const ROWS_MAX = 30;

interface Props {
  readonly pods: readonly PodView[];
  /** Highest number of pods that may come. */
  readonly most: number;
  readonly api: Api;
  /** Whether the list is current; false while the stream is not connected. */
  readonly live: boolean;
  /** Why the service cannot list or control its pods; `null` where it can. */
  readonly error: string | null;
  readonly onStopping: (pod: string, mode: Stop) => void;
}

export function PodsPanel({ pods, most, api, live, error, onStopping }: Props) {
  const texts = useTexts();
  const now = useNow();
  const [opened, setOpened] = useState<PodView | null>(null);
  const list = useRef<HTMLDivElement>(null);
  useSlotFocus(list, pods);
  const refused = useRefusal(api, "operate") !== null;

  const slots = (pods.at(-1)?.slot ?? -1) + 1;
  const shown = Math.max(slots, slotsFor(most));
  const density = slots > ROWS_MAX ? "table" : slots > CARDS_MAX ? "rows" : "cards";
  const propsOf = (pod: PodView): PodProps => ({
    pod,
    now,
    api,
    refused,
    onStopping,
    onOpen: () => {
      setOpened(pod);
    },
  });
  const bySlot = new Map(pods.map((pod) => [pod.slot, pod]));
  return (
    <section className="panel pods" aria-labelledby="pods-title" data-density={density}>
      <header className="panel-head">
        <h2 id="pods-title">{texts.pods}</h2>
        <span className="muted numbers">
          {pods.length > 0 && texts.podsReady(pods.filter(({ phase }) => phase === "ready").length)}
        </span>
      </header>
      {error !== null && (
        <p className="error pods-error" role="alert">
          {sentence(error)}
        </p>
      )}
      <div className="pod-space" ref={list}>
        {pods.length === 0 ? (
          <p className="empty">{emptyText(texts, live, error)}</p>
        ) : density === "table" ? (
          <PodTable rows={pods.map(propsOf)} />
        ) : (
          <ul className="pod-strip" data-slots={shown}>
            {Array.from({ length: shown }, (_, slot) => {
              const pod = bySlot.get(slot);
              return (
                <li key={slot} data-slot={slot}>
                  {pod ? (
                    <PodTile key={pod.name} {...propsOf(pod)} />
                  ) : (
                    <div className="pod-free">{texts.slotFree}</div>
                  )}
                </li>
              );
            })}
          </ul>
        )}
      </div>
      <PodDialog
        pod={opened && (pods.find(({ name }) => name === opened.name) ?? opened)}
        listed={opened !== null && pods.some(({ name }) => name === opened.name)}
        now={now}
        api={api}
        refused={refused}
        onStopping={onStopping}
        onClose={() => {
          setOpened(null);
        }}
      />
    </section>
  );
}

function emptyText(texts: ReturnType<typeof useTexts>, live: boolean, error: string | null): string {
  if (!live) return texts.podsWaiting;
  return error === null ? texts.podsNone : texts.podsUnknown;
}
