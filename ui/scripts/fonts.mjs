// Which characters do the fonts of the pages have?
//
// Those that the texts use, and all kana: the answers of a model may be any of them. What a person names their files may
// have others, which the fonts of their system show. The files are made before every build and never committed.
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";

import subsetFont from "subset-font";

const TEXTS = new URL("../src/text/", import.meta.url);
const TARGET = new URL("../src/fonts/", import.meta.url);
const PACKAGES = new URL("../node_modules/", import.meta.url);

/** First character that is Japanese and not Latin. */
const JAPANESE_FROM = 0x3000;
/** Weights of the text, from the lightest to the boldest in the styles. */
const WEIGHTS = { min: 400, max: 700 };

const between = (first, last) =>
  Array.from({ length: last - first + 1 }, (_, i) => String.fromCodePoint(first + i)).join("");
const latin = between(0x20, 0x7e) + between(0xa0, 0xff) + "ŒœŠšŽž–—‘’“”„•…‰‹›€™−";
const kana = between(0x3041, 0x3096) + between(0x3099, 0x30ff);

const files = (await readdir(TEXTS)).filter((name) => !name.includes(".test."));
const texts = (await Promise.all(files.map((name) => readFile(new URL(name, TEXTS), "utf8")))).join("");
const written = [...new Set(texts)].filter((character) => character.codePointAt(0) >= JAPANESE_FROM).join("");

const fonts = [
  [
    "text",
    "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2",
    latin,
    { variationAxes: { wght: WEIGHTS } },
  ],
  [
    "text-ja-400",
    "@fontsource/zen-kaku-gothic-new/files/zen-kaku-gothic-new-japanese-400-normal.woff2",
    kana + written,
  ],
  [
    "text-ja-700",
    "@fontsource/zen-kaku-gothic-new/files/zen-kaku-gothic-new-japanese-700-normal.woff2",
    kana + written,
  ],
  ["kana", "@fontsource/biz-udmincho/files/biz-udmincho-japanese-400-normal.woff2", kana],
];

await mkdir(TARGET, { recursive: true });
for (const [name, source, characters, options] of fonts) {
  const whole = await readFile(new URL(source, PACKAGES));
  const part = await subsetFont(whole, characters, { targetFormat: "woff2", ...options });
  await writeFile(new URL(`${name}.gen.woff2`, TARGET), part);
}
