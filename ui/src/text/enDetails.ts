// What do the charts, the table of runs and the description of the model say in English?
import { count } from "../lib/format";
import { plural } from "./plural";

export const charts = {
  open: "Charts",
  title: "The last 15 minutes",
  since: (time: string) => `What this page has seen since ${time}. A reload begins anew.`,
  wait: "The first point comes within a second.",
  loading: "Loading …",
  failed: "The charts did not load. Reload the page.",
  now: "now",
  time: "Time",
  table: "As a table",
  tableOf: (title: string) => `${title}: the last value of each 15 s`,
  titles: {
    throughput: "Throughput",
    times: "Time of an image",
    queue: "Queue",
    pods: "Pods over the backlog",
  },
  note: "waiting and inference, of the last 10 s",
  series: {
    perSecond: "images per second",
    p50: "p50",
    p95: "p95",
    p99: "p99",
    waiting: "waiting",
    running: "running",
    oldest: "oldest wait",
    backlog: "waiting and running",
    ready: "ready",
    desired: "desired",
  },
};

export const runTable = {
  open: "Runs",
  title: "Runs",
  hint: "The service's latest runs, newest first. Images a second are compared, so that runs of different sizes can be.",
  none: "No run is kept.",
  run: "Run",
  images: "Images",
  pods: "Pods",
  again: "Redelivered",
  took: "Time",
  perSecond: "Per second",
  speedUp: "Speed-up",
  against: "Compare with",
  compareWith: (name: string) => `Compare with ${name}`,
  done: (done: number, failed: number) => `${count(done)} done${failed > 0 ? `, ${count(failed)} failed` : ""}`,
  underWay: (settled: number, all: number) => `${count(settled)} of ${count(all)}`,
  times: (factor: number) => `${factor.toFixed(2)} ×`,
};

export const modelPage = {
  open: "Model",
  title: (name: string) => `Model ${name}`,
  network: "Network",
  networkOf: (family: string, depth: number | undefined, width: number) =>
    `${family}: ${depth === undefined ? "" : `${plural(depth, "convolution")}, `}${count(width)} channels wide`,
  networks: (n: number) => `${count(n)} networks, whose answers are averaged`,
  input: "Images",
  inputOf: (width: number, height: number, channels: number) =>
    `${width} × ${height} pixels, ${channels === 1 ? "grey" : plural(channels, "channel")}`,
  fit: {
    glyph: "one glyph, separated from its background and cropped",
    cover: "the whole picture, scaled and cut off evenly",
  },
  labels: (n: number) => plural(n, "label"),
  accuracy: "Accuracy",
  share: "Correct",
  images: "Images",
  protocol: "On which images",
  evaluationsNone: "The model's card holds no evaluation.",
  training: "Training",
  trainedOn: (images: number, held: number) =>
    `${plural(images, "image")}${held > 0 ? `, and ${count(held)} held out to select the epoch` : ""}`,
  epochs: (n: number, best: number) => `${plural(n, "epoch")}, the weights are of number ${count(best)}`,
  by: (version: string) => `kana ${version}`,
  settings: "Settings of the training",
  seed: "seed",
  files: "Files and their SHA-256",
  licence: "Licence",
  attribution: "Attribution",
  service: "Service",
  serviceOf: (version: string, up: string) => `kana ${version}, up for ${up} when this page connected`,
  more: "More",
  docs: "description of the API",
  metrics: "metrics",
};
