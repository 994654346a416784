// Which parts of a model's card are lists of names and values?
import type { Model } from "../../api/types";

type Row = readonly [name: string, value: string];

/** Returns the settings of a training, spelled as on the command line; the seed first, under this name. */
export function settingsOf({ seed, settings }: Model["training"], seedName: string): readonly Row[] {
  return [[seedName, String(seed)], ...Object.entries(settings).sort(([a], [b]) => a.localeCompare(b))];
}

/** Returns the files of weights, then those of training data, each with its digest. */
export function filesOf({ members, training }: Pick<Model, "members" | "training">): readonly Row[] {
  return [...members, ...training.data].map(({ file, sha256 }) => [file, sha256]);
}
