// How many tiles fit beside each other?
import { useEffect, useState, type RefObject } from "react";

/** Smallest width of a tile, and the space between two, in pixels. */
const TILE_MIN = 116;
const GAP = 8;
/** Width from which there is room for wider tiles, and their smallest width, in pixels. */
const ROOMY_FROM = 1_200;
const ROOMY_TILE_MIN = 150;

/** Returns the number of columns of tiles in `element`, at least one. */
export function useColumns(element: RefObject<HTMLElement | null>): number {
  const [columns, setColumns] = useState(1);
  useEffect(() => {
    const target = element.current;
    if (target === null) return;
    const measure = () => {
      const width = target.clientWidth;
      const tile = width < ROOMY_FROM ? TILE_MIN : ROOMY_TILE_MIN;
      setColumns(Math.max(1, Math.floor((width + GAP) / (tile + GAP))));
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(target);
    return () => {
      observer.disconnect();
    };
  }, [element]);
  return columns;
}
