// How is a pod killed with one click?
//
// The button is never disabled while it has the focus, because a disabled element loses it; it then refuses the click.
import { Tooltip } from "@base-ui/react/tooltip";

import { useTexts } from "../../text/texts";
import type { StopControl } from "./useStop";

interface Props {
  readonly name: string;
  readonly gone: boolean;
  /** Whether the token may not stop pods. */
  readonly refused: boolean;
  readonly control: StopControl;
}

export function KillButton({ name, gone, refused, control }: Props) {
  const texts = useTexts();
  const inert = gone || refused || control.killing;
  return (
    <Tooltip.Root>
      <Tooltip.Trigger
        className="button small pod-kill"
        aria-label={texts.killLabel(name)}
        aria-disabled={inert}
        onClick={() => {
          if (!inert) control.stop("kill");
        }}
      >
        {control.killing ? texts.killing : texts.kill}
      </Tooltip.Trigger>
      <Tooltip.Portal>
        <Tooltip.Positioner sideOffset={6}>
          <Tooltip.Popup className="tooltip">{refused ? texts.refusedOperate : texts.killHint}</Tooltip.Popup>
        </Tooltip.Positioner>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}
