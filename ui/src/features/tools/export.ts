// What does a file with the results of a run hold?
import type { Job } from "../../api/types";

const COLUMNS = [
  "filename",
  "state",
  "label",
  "confidence",
  "blank",
  "worker",
  "attempts",
  "queued_ms",
  "inference_ms",
  "error",
  "id",
  "batch",
] as const satisfies readonly (keyof Job)[];

/** By this mark, spreadsheets read the file as UTF-8 and thus the kana. */
const BYTE_ORDER_MARK = "\uFEFF";

/** Writes one line for each job after a line of names (RFC 4180). */
export function csvOf(jobs: readonly Job[]): string {
  const lines = [COLUMNS.join(","), ...jobs.map((job) => COLUMNS.map((name) => cell(job[name])).join(","))];
  return BYTE_ORDER_MARK + lines.map((line) => `${line}\r\n`).join("");
}

/** Writes the jobs as the API returns them. */
export function jsonOf(jobs: readonly Job[]): string {
  return `${JSON.stringify(jobs, null, 2)}\n`;
}

/** Names the file by the time of the run: "kana-2026-12-01T12-38-31.csv". */
export function fileName(startedAt: number, ending: "csv" | "json"): string {
  return `kana-${new Date(startedAt).toISOString().slice(0, 19).replaceAll(":", "-")}.${ending}`;
}

// A spreadsheet computes a text that begins with one of these signs, and other people choose the names of files.
const FORMULA = /^[=+\-@\t\r]/;

function cell(value: string | number | boolean | undefined): string {
  if (typeof value !== "string") return value === undefined ? "" : String(value);
  const text = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
