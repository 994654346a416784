// Where in its range is the desired number of pods, and how many are missing?
import type { Scale } from "../../api/types";

/** Place of the desired number in the range; `fixed` where there is no range. */
export type Place = "fixed" | "only" | "most" | "least" | "within" | "outside";

export interface Why {
  readonly place: Place;
  /** Number of pods that are to come; below 0 where pods are to go. */
  readonly missing: number;
}

/** Says of a scale what its own numbers tell, and no more: by which load a controller decides is its own affair. */
export function whyOf({ by, min, max, current, desired }: Scale): Why {
  return { place: by === "fixed" ? "fixed" : placeOf(desired, min, max), missing: desired - current };
}

function placeOf(desired: number, min: number, max: number): Place {
  if (desired < min || desired > max) return "outside";
  if (min === max) return "only";
  if (desired === max) return "most";
  return desired === min ? "least" : "within";
}
