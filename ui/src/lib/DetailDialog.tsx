// How are the details of one thing shown above the page?
import { Dialog } from "@base-ui/react/dialog";
import { useRef, type ReactNode } from "react";

import { useTexts } from "../text/texts";

/** Time after opening for which a press outside closes nothing, in milliseconds: the second click of a double click. */
const DOUBLE_CLICK_MAX = 500;

interface Props {
  /** Title; `null` while the dialog is closed. */
  readonly title: string | null;
  readonly wide?: boolean;
  readonly onClose: () => void;
  readonly children: ReactNode;
}

export function DetailDialog({ title, wide = false, onClose, children }: Props) {
  const texts = useTexts();
  const openedAt = useRef(0);
  return (
    <Dialog.Root
      open={title !== null}
      onOpenChange={(open, { reason }) => {
        if (!open && !(reason === "outside-press" && Date.now() - openedAt.current < DOUBLE_CLICK_MAX)) onClose();
      }}
    >
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup
          className={wide ? "dialog wide" : "dialog"}
          ref={(popup) => {
            if (popup !== null) openedAt.current = Date.now();
          }}
        >
          <header className="dialog-head">
            <Dialog.Title className="mono">{title}</Dialog.Title>
            <Dialog.Close className="button small quiet">{texts.close}</Dialog.Close>
          </header>
          {children}
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
