// What does the page say in English? The other language has the same names.
import { age, count, percent, rate, span } from "../lib/format";

const PLURALS = new Intl.PluralRules("en");

const plural = (value: number, one: string, other = `${one}s`) =>
  `${count(value)} ${PLURALS.select(value) === "one" ? one : other}`;

/** What the timeline says of one attempt; times in milliseconds. */
export interface TimelineAttempt {
  readonly waited: number;
  readonly took: number;
  readonly end: "queued" | "running" | "done" | "failed" | "stopped" | "crashed" | "expired";
}

/** What the timeline says of a run. */
export interface TimelineLabel {
  readonly images: number;
  readonly done: number;
  readonly pods: number;
  /** Names of the pods that ended during the run. */
  readonly ended: readonly string[];
  readonly redelivered: number;
}

export const en = {
  /** Language tag by which dates are written. */
  language: "en-GB",
  tagline: "image classification behind a durable queue",
  model: "model",
  classes: (n: number) => plural(n, "class", "classes"),
  accuracy: (share: number, images: number) => `${percent(share)} of ${count(images)} images classified correctly`,
  howTrained: "how it was trained",
  connection: {
    connecting: "connecting",
    open: "live",
    waiting: "no connection, retrying",
    unauthorised: "token needed",
  },
  apiLink: "API",
  links: "Links",
  signOut: "Sign out",

  tokenLabel: "This service asks for a token. Only this tab keeps it, and closing the tab deletes it.",
  tokenWrong: "The service does not accept this token.",
  tokenSend: "Sign in",
  refusedSubmit: "This token may not send images: it lacks the scope submit.",
  refusedOperate: "This token may not change pods or the scale: it lacks the scope operate.",

  pods: "Pods",
  podsReady: (n: number) => `${plural(n, "pod")} ready`,
  podsWaiting: "Waiting for the list of pods.",
  podsUnknown: "No pod is known to work. Images sent meanwhile wait in the durable queue.",
  podsNone: "No pod runs. Raise the minimum to start one; images sent meanwhile wait in the durable queue.",
  podLabel: (name: string, state: string) => `Pod ${name}, ${state}`,
  slotFree: "free slot",
  phase: { starting: "starting", ready: "ready", stopping: "stopping", gone: "gone" },
  ending: { killed: "killed", crashed: "crashed", drained: "drained", "scaled down": "scaled down" },
  podCompleted: (n: number) => `${count(n)} done`,
  podInFlight: (n: number) => `${count(n)} in flight`,
  podDetails: (name: string) => `Details of ${name}`,
  kill: "Kill",
  killing: "Killing …",
  killLabel: (name: string) => `Kill ${name}`,
  killHint: "Stops the pod at once, as a crash would. Its images go to another pod.",
  drain: "Drain",
  drainHint: "The pod finishes its images, then stops.",
  evict: "Evict",
  evictHint: "Drains the pod if the disruption budget allows that.",
  name: "Name",
  state: "State",
  completed: "Done",
  inFlight: "In flight",
  age: "Age",
  ageOf: age,
  node: "Node",
  restarts: "Restarts",
  reason: "Reason",
  podGone: "This pod no longer exists.",
  log: "Log",
  logOf: (name: string) => `Last lines of ${name}`,
  logAgain: "Read again",
  logReading: "Reading …",
  logEmpty: "It has written nothing yet.",

  scale: "Scale",
  scaledBy: {
    local: "kana scales by backlog",
    hpa: "a HorizontalPodAutoscaler scales",
    keda: "KEDA scales",
    fixed: "the number is fixed",
  },
  scaleWaiting: "Waiting for the range of the scale.",
  min: "Min",
  max: "Max",
  raise: (bound: string) => `Raise ${bound.toLowerCase()}`,
  lower: (bound: string) => `Lower ${bound.toLowerCase()}`,
  running: (n: number) => `${count(n)} running`,
  desired: (n: number) => `${count(n)} desired`,

  give: "Images",
  choose: "Choose images",
  chooseFolder: "Choose a folder",
  fileInput: "Images to classify",
  folderInput: "Folder of images to classify",
  samples: (n: number) => `Try ${count(n)} samples`,
  dropHint: "Drop images or folders anywhere, or paste a picture.",
  formats: (largest: string) => `PNG, JPEG, GIF, BMP, WebP or PNM, up to ${largest} each and 25 megapixels.`,
  dropNow: "Drop to classify",
  sending: (files: number) => `Sending ${plural(files, "file")} …`,
  notAccepted: (what: string) => `${what} not accepted`,
  files: (n: number) => plural(n, "file"),
  andMore: (n: number) => `and ${count(n)} more`,
  retryIn: (seconds: number) => `Retrying in ${count(seconds)} s.`,
  retryNow: "Try now",
  dismiss: "Dismiss",

  results: "Results",
  clear: "Clear",
  resultsNone:
    "Nothing sent yet. Each image appears here with its label, the confidence, and the pod that classified it.",
  run: (images: number) => `Run of ${plural(images, "image")}`,
  receipt: (accepted: number, done: number, failed: number) =>
    `${count(accepted)} accepted = ${count(done)} done + ${count(failed)} failed`,
  onTheWay: (n: number) => `${count(n)} on the way`,
  unknown: (n: number) => `${count(n)} unknown`,
  unsent: (n: number) => `${count(n)} not sent yet`,
  by: "by",
  redelivered: (n: number) => `redelivered ${count(n)}`,
  took: (ms: number) => `in ${span(ms)}`,
  progress: (perSecond: number, ms: number | null) =>
    `${rate(perSecond)} per second${ms === null ? "" : `, ${age(ms)} left`}`,
  expired: "The service no longer has this run.",
  rejectedFiles: (n: number) => `${plural(n, "file")} rejected`,
  elsewhere: "Sent from elsewhere",
  latestOf: (shown: number, all: number) => `the latest ${count(shown)} of ${count(all)}`,
  runEnded: (done: number, failed: number, took: string) =>
    `${plural(done, "image")} done${failed > 0 ? `, ${count(failed)} failed` : ""}${took === "" ? "" : ` in ${took}`}.`,

  jobState: { queued: "queued", running: "running", done: "done", failed: "failed" },
  failedWithout: "It failed.",
  blank: "blank",
  blankHint: "A blank page, a single colour, or nothing but shading and noise",
  readAs: "read as",
  unsure: "unsure",
  attempt: (n: number) => `attempt ${count(n)}`,
  attemptHint: "Another pod repeated the work after the first one stopped",
  pictureAlt: (name: string) => `Sent: ${name}`,
  resultTitle: (name: string, answer: string) => `${name}: ${answer}`,
  topFive: "Most probable",
  pod: "Pod",
  attempts: "Attempts",
  queued: "Waited",
  inference: "Inference",
  noPicture: "Sent from elsewhere, so its picture is not here.",
  again: "Send again",
  json: "As JSON",

  queue: "Queue",
  queueWaiting: "Waiting for the counts of the queue.",
  queueChart: "Images in the queue, last two minutes",
  oldest: (ms: number) => `oldest ${span(ms)}`,
  figures: {
    waiting: "waiting",
    running: "running",
    per_second: "per second",
    done: "done",
    failed: "failed",
    dead: "dead letters",
  },
  chartFrom: "2 min ago",
  chartMost: (n: number) => `max ${count(n)}`,
  chartTo: "now",

  timeline: "Timeline",
  timelineEmpty: "Send images: each appears here as a block in the lane of the pod that classified it.",
  timelineTools: "Part of the timeline",
  timelineEarlier: "Earlier",
  timelineLater: "Later",
  timelineIn: "Zoom in",
  timelineOut: "Zoom out",
  timelineWhole: "Whole run",
  timelineTable: "Table",
  timelineQueue: "queue",
  timelinePods: "Pods of the run",
  timelineLost: "Lost",
  timelineEnd: "End",
  timelineImages: (shown: number, all: number) =>
    shown === all ? `Images of the run` : `Images of the run: ${count(shown)} of ${count(all)}`,
  timelineEnds: {
    queued: "waits",
    running: "running",
    done: "done",
    failed: "failed",
    stopped: "pod killed",
    crashed: "pod crashed",
    expired: "time ran out",
  },
  timelineEnded: (cause: "stopped" | "crashed" | "expired" | "failed", after: string): string =>
    `${{ stopped: "killed", crashed: "crashed", expired: "ran out of time", failed: "failed" }[cause]} after ${after}`,
  timelineAttempt: (file: string, pod: string | null, { waited, took, end }: TimelineAttempt): string =>
    pod === null
      ? `${file}: waits for ${span(waited)}`
      : `${file} · ${pod} · waited ${span(waited)}, worked ${span(took)} · ${en.timelineEnds[end]}`,
  timelineLabel: ({ images, done, pods, ended, redelivered }: TimelineLabel): string =>
    `Timeline: ${plural(images, "image")} on ${plural(pods, "pod")}, ${count(done)} done` +
    (ended.length > 0 ? `; ${ended.join(", ")} ended during the run` : "") +
    (redelivered > 0 ? `; ${plural(redelivered, "image")} went on to another pod` : "") +
    ".",

  console: "Console",
  consoleHint: "what happened, as commands",
  consoleLog: "Commands",
  consoleEmpty: "Kill a pod or change the scale: the command that does it appears here.",
  copy: "Copy",
  copyLabel: (what: string) => `Copy ${what}`,
  copied: "Copied",
  close: "Close",
};

export type Texts = typeof en;
