// What does a line of the console show, which command does it copy, and does it match a filter?
import { span } from "../../lib/format";
import type { ConsoleLine } from "../../live/state";
import type { Texts } from "../../text/en";
import { equivalent, reading, type Target } from "./equivalent";

export interface LineView {
  readonly line: ConsoleLine;
  /** What happened, in words; `null` where the command says it. */
  readonly event: string | null;
  /** Command line that does the same, or that reads what has changed. */
  readonly command: string;
  readonly output: string;
}

export function viewOf(line: ConsoleLine, target: Target, texts: Texts): LineView {
  switch (line.kind) {
    case "command":
      return {
        line,
        event: null,
        command: equivalent(line.command, target),
        output: `${line.output} · ${span(line.took_ms)}`,
      };
    case "pod": {
      const state = { ...texts.phase, ...texts.ending }[line.state];
      return {
        line,
        event: texts.consolePod(line.name, state),
        command: reading("/v1/pods", target),
        output: line.reason,
      };
    }
    case "scale": {
      const { scale } = line;
      return {
        line,
        event: texts.consoleScale(scale.min, scale.max, scale.desired),
        command: reading("/v1/scale", target),
        output: scale.paused ?? "",
      };
    }
  }
}

/** Whether the line has every word of the filter, in whatever case and order. */
export function matches({ event, command, output }: LineView, filter: string): boolean {
  const text = `${event ?? ""} ${command} ${output}`.toLowerCase();
  return filter
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
