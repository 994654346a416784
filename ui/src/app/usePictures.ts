// When is the memory of a shown image freed?
import { useEffect, useRef } from "react";

import type { BatchView } from "../live/state";

/** Revokes the object URLs of every batch that is no longer shown. */
export function usePictures(batches: readonly BatchView[]): void {
  const held = useRef(new Set<string>());
  useEffect(() => {
    const shown = new Set(batches.flatMap(({ pictures }) => [...pictures.values()]));
    for (const url of held.current) {
      if (!shown.has(url)) URL.revokeObjectURL(url);
    }
    held.current = shown;
  }, [batches]);
}
