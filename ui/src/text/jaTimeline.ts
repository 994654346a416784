// What does the timeline say in Japanese?
import { count, span } from "../lib/format";
import type { timeline as english } from "./enTimeline";

const ENDS: typeof english.timelineEnds = {
  queued: "待機",
  running: "処理中",
  done: "完了",
  failed: "失敗",
  stopped: "ポッド強制終了",
  crashed: "ポッド異常終了",
  expired: "時間切れ",
};

export const timeline: typeof english = {
  timeline: "タイムライン",
  timelineEmpty: "画像を送ると、分類したポッドの行に 1 枚ずつ表示されます。",
  timelineTools: "タイムラインの範囲",
  timelineEarlier: "前へ",
  timelineLater: "後へ",
  timelineIn: "拡大",
  timelineOut: "縮小",
  timelineWhole: "全体",
  timelineTable: "表",
  timelineQueue: "待機",
  timelinePods: "この実行のポッド",
  timelineLost: "失った枚数",
  timelineEnd: "終了",
  timelineImages: (shown, all) =>
    shown === all ? "この実行の画像" : `この実行の画像 ${count(all)} 枚中 ${count(shown)} 枚`,
  timelineEnds: ENDS,
  timelineEnded: (cause, after) =>
    `${after} 後に${{ stopped: "強制終了", crashed: "異常終了", expired: "時間切れ", failed: "失敗" }[cause]}`,
  timelineAttempt: (file, pod, { waited, took, end }) =>
    pod === null
      ? `${file}: ${span(waited)} 待機中`
      : `${file} · ${pod} · 待ち ${span(waited)}、処理 ${span(took)} · ${ENDS[end]}`,
  timelineLabel: ({ images, done, pods, ended, redelivered }) =>
    `タイムライン: ${count(images)} 枚、ポッド ${count(pods)} 台、完了 ${count(done)} 枚` +
    (ended.length > 0 ? `。${ended.join("、")} が途中で終了` : "") +
    (redelivered > 0 ? `。${count(redelivered)} 枚を別のポッドに再配達` : "") +
    "。",
};
