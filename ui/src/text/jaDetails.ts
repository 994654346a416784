// What do the charts and the description of the model say in Japanese? The names are those of the English texts.
import { count } from "../lib/format";
import type { Texts } from "./en";

export const charts: Texts["charts"] = {
  open: "グラフ",
  title: "直近 15 分",
  since: (time) => `このページが ${time} から見た記録です。再読み込みすると最初からになります。`,
  wait: "1 秒以内に最初の点が出ます。",
  loading: "読み込み中…",
  failed: "グラフを読み込めませんでした。ページを再読み込みしてください。",
  now: "現在",
  time: "時刻",
  table: "表で見る",
  tableOf: (title) => `${title}: 15 秒ごとの最後の値`,
  titles: {
    throughput: "処理速度",
    times: "画像 1 枚の時間",
    queue: "キュー",
    pods: "ポッドと未処理の画像",
  },
  note: "待ち時間と推論、直近 10 秒",
  series: {
    perSecond: "枚 / 秒",
    p50: "p50",
    p95: "p95",
    p99: "p99",
    waiting: "待機",
    running: "処理中",
    oldest: "最古の待ち",
    backlog: "待機と処理中",
    ready: "稼働",
    desired: "目標",
  },
};

export const modelPage: Texts["modelPage"] = {
  open: "モデル",
  title: (name) => `モデル ${name}`,
  network: "ネットワーク",
  networkOf: (family, depth, width) =>
    `${family}: ${depth === undefined ? "" : `畳み込み ${count(depth)} 層、`}幅 ${count(width)} チャネル`,
  networks: (n) => `${count(n)} 個のネットワークの平均`,
  input: "画像",
  inputOf: (width, height, channels) =>
    `${width} × ${height} 画素、${channels === 1 ? "グレー" : `${count(channels)} チャネル`}`,
  fit: { glyph: "背景から切り出した 1 文字", cover: "全体を縮尺し、はみ出しを均等に切り取り" },
  labels: (n) => `ラベル ${count(n)} 種`,
  accuracy: "正解率",
  share: "正解",
  images: "画像",
  protocol: "評価した画像",
  evaluationsNone: "モデルカードに評価がありません。",
  training: "学習",
  trainedOn: (images, held) => `画像 ${count(images)} 枚${held > 0 ? `、ほかにエポック選択用 ${count(held)} 枚` : ""}`,
  epochs: (n, best) => `${count(n)} エポック、重みは ${count(best)} 番目`,
  by: (version) => `kana ${version}`,
  settings: "学習の設定",
  seed: "乱数の種",
  files: "ファイルと SHA-256",
  licence: "ライセンス",
  attribution: "帰属表示",
  service: "サービス",
  serviceOf: (version, up) => `kana ${version}、接続時の稼働時間 ${up}`,
  more: "関連",
  docs: "API の説明",
  metrics: "メトリクス",
};
