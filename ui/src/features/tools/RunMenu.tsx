// What can be done with a whole run?
import { Menu } from "@base-ui/react/menu";
import { useState } from "react";

import type { Api } from "../../api/client";
import type { Job } from "../../api/types";
import { useRefusal } from "../../api/useRefusal";
import { save } from "../../lib/save";
import type { RunView } from "../../live/state";
import { useTexts } from "../../text/texts";
import type { Cancelled } from "./cancel";
import { csvOf, fileName, jsonOf } from "./export";
import type { Cancelling } from "./useCancel";
import "./tools.css";

interface Props {
  readonly api: Api;
  readonly run: RunView;
  readonly jobs: ReadonlyMap<string, Job>;
  readonly cancelling: Cancelling;
}

export function RunMenu({ api, run, jobs, cancelling }: Props) {
  const texts = useTexts();
  const refused = useRefusal(api, "submit") !== null;
  // The menu opens in the panel: outside of it, it would be part of no landmark, and in the list it would be cut off.
  const [place, setPlace] = useState<HTMLElement | null>(null);
  const [open, setOpen] = useState(false);
  const own = () => run.jobs.flatMap((id) => jobs.get(id) ?? []);
  // Counted only while the menu shows the number: runs are long and drawn often.
  const queued = open ? own().flatMap((job) => (job.state === "queued" ? [job.id] : [])) : [];
  const outcome = cancelling.outcomes.get(run.id);
  return (
    <div
      className="run-menu"
      ref={(menu) => {
        setPlace(menu?.closest("section") ?? null);
      }}
    >
      <span className="muted numbers" role="status">
        {outcome !== undefined && sentenceOf(outcome, texts)}
      </span>
      <Menu.Root open={open} onOpenChange={setOpen}>
        <Menu.Trigger className="button small quiet">{texts.runMenu}</Menu.Trigger>
        <Menu.Portal container={place}>
          <Menu.Positioner className="menu-space" align="end" sideOffset={4}>
            <Menu.Popup className="menu">
              <Menu.Item
                className="menu-item"
                disabled={refused || queued.length === 0 || outcome === "busy"}
                onClick={() => {
                  cancelling.cancel(run.id, queued);
                }}
              >
                {texts.cancelWaiting(queued.length)}
                {refused && <small>{texts.refusedSubmit}</small>}
              </Menu.Item>
              <Menu.Item
                className="menu-item"
                onClick={() => {
                  save(fileName(run.startedAt, "csv"), "text/csv", csvOf(own()));
                }}
              >
                {texts.saveAs("CSV")}
              </Menu.Item>
              <Menu.Item
                className="menu-item"
                onClick={() => {
                  save(fileName(run.startedAt, "json"), "application/json", jsonOf(own()));
                }}
              >
                {texts.saveAs("JSON")}
              </Menu.Item>
            </Menu.Popup>
          </Menu.Positioner>
        </Menu.Portal>
      </Menu.Root>
    </div>
  );
}

function sentenceOf(outcome: Cancelled | "busy", texts: ReturnType<typeof useTexts>): string {
  if (outcome === "busy") return texts.cancelling;
  const { cancelled, late, failed } = outcome;
  return texts.cancelled(cancelled, late, failed);
}
