// Which classes are the most probable ones?

/** Classes shown. */
const SHOWN = 5;

export interface Probable {
  readonly label: string;
  readonly share: number;
}

/** Returns the most probable labels, most first. */
export function probable(probabilities: readonly number[], labels: readonly string[]): Probable[] {
  return probabilities
    .map((share, i) => ({ label: labels[i] ?? String(i), share }))
    .sort((a, b) => b.share - a.share)
    .slice(0, SHOWN);
}
