// Are files being dragged over the page, and which were dropped?
import { useEffect, useState } from "react";

import { droppedFiles } from "./prepare";

/** Passes files dropped anywhere on the page to `onFiles`; returns whether some are being dragged over it. */
export function useDropAnywhere(onFiles: (files: File[]) => void): boolean {
  const [over, setOver] = useState(false);
  useEffect(() => {
    // Entering a child fires before leaving its parent, so enters and leaves are counted.
    let depth = 0;
    const withFiles = (then: (event: DragEvent, transfer: DataTransfer) => void) => (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      then(event, event.dataTransfer);
    };
    const listeners = {
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
        const files = droppedFiles(transfer);
        if (files.length > 0) onFiles(files);
      }),
    };
    const names = ["dragenter", "dragover", "dragleave", "drop"] as const;
    for (const name of names) window.addEventListener(name, listeners[name]);
    return () => {
      for (const name of names) window.removeEventListener(name, listeners[name]);
    };
  }, [onFiles]);
  return over;
}
