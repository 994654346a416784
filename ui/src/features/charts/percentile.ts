// Below which value are a given share of the values?

/** Returns the smallest of the ascending `sorted` that at least `share` of them do not exceed; `null` of none. */
export function percentile(sorted: readonly number[], share: number): number | null {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
}
