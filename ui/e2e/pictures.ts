// Which images does the test send?
import { crc32, deflateSync } from "node:zlib";

/** Side of an image and half the width of a stroke, in pixels. */
const SIDE = 28;
const BRUSH = 1.6;

export interface Picture {
  readonly name: string;
  readonly mimeType: string;
  readonly buffer: Buffer;
}

/** Draws `amount` images, each of a different stroke: light on dark, as the training images are. */
export function pictures(amount: number, prefix: string): Picture[] {
  return Array.from({ length: amount }, (_, i) => ({
    name: `${prefix}_${i}.png`,
    mimeType: "image/png",
    buffer: png(SIDE, (x, y) => stroke(x, y, i)),
  }));
}

// A bent stroke and a bar across it, turned a little further for every image.
function stroke(x: number, y: number, turn: number): number {
  const angle = turn * 0.7;
  const [dx, dy] = [x - SIDE / 2, y - SIDE / 2];
  const along = dx * Math.cos(angle) + dy * Math.sin(angle);
  const across = dy * Math.cos(angle) - dx * Math.sin(angle);
  const bend = Math.abs(across - (along * along) / 20 + 3);
  const bar = Math.hypot(along, Math.max(0, Math.abs(across) - 8));
  return Math.abs(along) < 10 ? ink(Math.min(bend, bar)) : ink(bar);
}

function ink(distance: number): number {
  return Math.round(255 * Math.min(1, Math.max(0, BRUSH + 0.5 - distance)));
}

/** Encodes a grey PNG of `side` × `side` pixels. */
function png(side: number, grey: (x: number, y: number) => number): Buffer {
  const rows = Array.from({ length: side }, (_, y) => [0, ...Array.from({ length: side }, (_, x) => grey(x, y))]);
  const head = Buffer.alloc(13);
  head.writeUInt32BE(side, 0);
  head.writeUInt32BE(side, 4);
  head.writeUInt8(8, 8);
  const magic = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const data = deflateSync(Buffer.from(rows.flat()));
  return Buffer.concat([magic, chunk("IHDR", head), chunk("IDAT", data), chunk("IEND", Buffer.alloc(0))]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}
