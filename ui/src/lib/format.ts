// How are numbers and names written for people?

const WHOLE = new Intl.NumberFormat("en");
const TENTH = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** Writes a count with separators: 12345 → "12,345". */
export function count(value: number): string {
  return WHOLE.format(Math.round(value));
}

/** Writes a share as a percentage, truncated so that only 1 is "100.0 %": 0.99987 → "99.9 %". */
export function percent(share: number): string {
  return `${TENTH.format(Math.floor(share * 1000) / 10)} %`;
}

/** Writes a duration in milliseconds: "0.05 ms", "1.7 ms", "38 ms", "1.32 s", "2 min 5 s". */
export function span(ms: number): string {
  if (ms < 1) return `${ms.toFixed(2)} ms`;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1_000) return `${ms.toFixed(0)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(2)} s`;
  const seconds = Math.round(ms / 1_000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** Writes an age in milliseconds in its largest unit: "12 s", "3 min", "5 h", "2 d". */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** Writes a rate per second, with one decimal below 10. */
export function rate(perSecond: number): string {
  return perSecond < 10 ? TENTH.format(perSecond) : count(perSecond);
}

/** Writes a size in bytes in a unit for people: "0.4 KB", "12 KB", "64 MB". */
export function size(bytes: number): string {
  const [value, unit] = bytes < 1_000_000 ? [bytes / 1_024, "KB"] : [bytes / 1_048_576, "MB"];
  return `${value < 10 && !Number.isInteger(value) ? TENTH.format(value) : count(value)} ${unit}`;
}

/** Replaces the numbers of bytes in a message of the service: "longer than 67108864 bytes" → "longer than 64 MB". */
export function withSizes(message: string): string {
  return message.replace(/\b(\d+) bytes\b/g, (_, bytes: string) => size(Number(bytes)));
}

/** Writes the time of day in the language of the page: "14:03:07". */
export function timeOfDay(at: number, language: string): string {
  return new Date(at).toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

/** Returns the part of a pod's name that differs between pods: "kana-worker-x8k2p" → "x8k2p". */
export function shortName(pod: string): string {
  return pod.slice(pod.lastIndexOf("-") + 1) || pod;
}
