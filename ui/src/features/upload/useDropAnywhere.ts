// Are files being dragged over the page, and which were dropped or pasted?
import { useEffect, useState } from "react";

import type { NamedFile } from "../../api/client";
import { droppedFiles } from "./dropped";
import { named } from "./prepare";

/** Passes files dropped or pasted anywhere on the page to `onFiles`; returns whether some are being dragged over it. */
export function useDropAnywhere(onFiles: (files: readonly NamedFile[]) => void): boolean {
  const [over, setOver] = useState(false);
  useEffect(() => {
    // Entering a child fires before leaving its parent, so enters and leaves are counted.
    let depth = 0;
    const pass = (files: readonly NamedFile[]) => {
      if (files.length > 0) onFiles(files);
    };
    const withFiles = (then: (event: DragEvent, transfer: DataTransfer) => void) => (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      then(event, event.dataTransfer);
    };
    const drags = {
      dragenter: withFiles(() => {
        depth += 1;
        setOver(true);
      }),
      dragover: withFiles((_, transfer) => {
        transfer.dropEffect = "copy";
      }),
      dragleave: withFiles(() => {
        depth = Math.max(0, depth - 1);
        if (depth === 0) setOver(false);
      }),
      drop: withFiles((_, transfer) => {
        depth = 0;
        setOver(false);
        // A folder that cannot be read is as if it had not been dropped.
        void droppedFiles(transfer).then(pass, () => undefined);
      }),
    };
    const paste = ({ clipboardData }: ClipboardEvent) => {
      pass(named(clipboardData?.files ?? []));
    };
    const names = ["dragenter", "dragover", "dragleave", "drop"] as const;
    for (const name of names) window.addEventListener(name, drags[name]);
    window.addEventListener("paste", paste);
    return () => {
      for (const name of names) window.removeEventListener(name, drags[name]);
      window.removeEventListener("paste", paste);
    };
  }, [onFiles]);
  return over;
}
